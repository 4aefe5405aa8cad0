"""A district's SFTP account as Rollcall uses it: the host key pinned, failures told in plain words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh

from rollcall.names import shown

SSH_PORT = 22
CONNECT_TIMEOUT_SECONDS = 30
READ_BLOCK_BYTES = 256 * 1024
READS_IN_FLIGHT = 32
LONGEST_REASON = 300
"""Signs of a server's own words that are repeated."""
LONGEST_SILENCE_SECONDS = 300
"""How long a server may take over one request, or over some MiB of a file, until it counts as away."""

asyncssh.set_log_level("WARNING")  # it tells each connection's every step


class SftpError(Exception):
    """The account cannot be used; the message says what happened and what to do."""


class SftpRefusedError(SftpError):
    """The account or the host key was refused: trying again will not help."""


@dataclass(frozen=True)
class SftpAccount:
    """One SFTP account.

    Attributes:
        host_key: The server's public key as ``<type> <base64>``; a server that shows another one is refused.
        private_key: What is shown in the place of a password, as OpenSSH writes it; blank where there is a password.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    host_key: str | None = None
    private_key: str = field(default="", repr=False)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """An SFTP session of this account.

        Raises:
            SftpRefusedError: the password or the host key was refused.
            SftpError: the server cannot be reached, or the connection was lost.
        """
        try:
            async with (
                asyncssh.connect(
                    self.host,
                    self.port,
                    username=self.username,
                    password=self.password,
                    known_hosts=self._known_hosts(),
                    client_keys=self._client_keys(),
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    keepalive_interval=15,
                ) as connection,
                # A name that is not UTF-8 can be listed, moved and deleted like any other.
                connection.start_sftp_client(path_errors="surrogateescape") as session,
            ):
                try:
                    yield session
                except TimeoutError:
                    connection.abort()  # who did not answer a request will not answer a farewell
                    raise
        except asyncssh.PermissionDenied:
            raise SftpRefusedError(
                f"{self.host} refuses the password of account {self.username!r}. "
                f"Renew it in the Airflow connection and at the district."
            ) from None
        except asyncssh.HostKeyNotVerifiable:
            raise SftpRefusedError(
                f"{self.host} shows another host key than the one pinned for {self.username!r}. If the server was "
                "moved on purpose, pin its new key in the Airflow connection; otherwise treat it as an intrusion."
            ) from None
        except asyncssh.SFTPError as error:
            raise SftpError(
                f"{self.host} refused an SFTP request of {self.username!r}: {shown(error.reason, LONGEST_REASON)}"
            ) from None
        except (TimeoutError, OSError, asyncssh.Error) as error:
            raise SftpError(
                f"The connection to {self.host}:{self.port} failed or was lost ({type(error).__name__})."
            ) from None

    def _client_keys(self) -> list[asyncssh.SSHKey]:
        """The key that is offered; never one of whoever runs this."""
        try:
            return [asyncssh.import_private_key(self.private_key)] if self.private_key else []
        except (asyncssh.KeyImportError, ValueError):
            raise SftpRefusedError(
                f"The private key of {self.username!r} cannot be read. Put it into the extra 'private_key' of the "
                "Airflow connection as OpenSSH writes it, without a passphrase."
            ) from None

    def _known_hosts(self) -> asyncssh.SSHKnownHosts | None:
        if self.host_key is None:
            raise SftpRefusedError(
                f"No host key is pinned for {self.host}. Put the server's public key into the extra 'host_key' of the "
                "Airflow connection."
            )
        key = " ".join(self.host_key.split()[:2])
        try:
            asyncssh.import_public_key(key)
        except (asyncssh.KeyImportError, ValueError):
            raise SftpRefusedError(
                f"The host key pinned for {self.host} cannot be read. Write it as the server's public key file does: "
                "the type, a blank, the key."
            ) from None
        return asyncssh.import_known_hosts(f"[{self.host}]:{self.port} {key}\n{self.host} {key}\n")


def patience() -> asyncio.Timeout:
    """A request that is not answered for long is not waited for any longer."""
    return asyncio.timeout(LONGEST_SILENCE_SECONDS)


def airflow_account(connection_id: str) -> SftpAccount:
    """The account of an Airflow connection.

    Args:
        connection_id: As ``sftp_<district>``; its extra ``host_key`` holds the server's pinned key.

    Raises:
        SftpError: there is no such connection here.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    try:
        connection = Connection.get(connection_id)
    except (AirflowNotFoundException, AirflowRuntimeError):
        raise SftpError(f"Airflow has no connection {connection_id!r} here.") from None
    return SftpAccount(
        host=connection.host or "",
        port=connection.port or SSH_PORT,
        username=connection.login or "",
        password=connection.password or "",
        host_key=connection.extra_dejson.get("host_key"),
        private_key=connection.extra_dejson.get("private_key", ""),
    )
