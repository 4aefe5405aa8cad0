"""The SIS's side of the transfer: a real SFTP client, in the order and with the bad habits of one."""

import socket
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import paramiko
from paramiko.pkey import UnknownKeyType

_TIMEOUT: Final = 30.0  # seconds to wait for the server, at each step
_CHUNK: Final = 32_768


class UploadError(Exception):
    """The server could not be reached, was not the one expected, or refused; the message says which."""


@dataclass(frozen=True)
class Account:
    """Where a district uploads.

    Attributes:
        host: The server.
        port: Its port.
        username: The district's account.
        password: Its password; Aeries knows no keys.
        host_key: The server's key, as ``ssh-ed25519 AAAA...``; without it any server is believed.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    host_key: str | None = None


def upload(
    account: Account,
    files: Sequence[Path],
    *,
    directory: str = ".",
    temporary_names: bool = False,
    stop_after_bytes: int | None = None,
) -> None:
    """Upload files one after the other, in alphabetical order, the manifest last.

    Args:
        account: Where to.
        files: What.
        directory: A folder that is already there; by default the one of the login.
        temporary_names: Upload each file as ``name.filepart`` and rename it when it is complete.
        stop_after_bytes: End the connection after so many bytes of all files together. The file in which that happens
            stays partial (under its temporary name, if there is one), and those after it are not sent.

    Raises:
        UploadError: It did not work.
    """
    with _session(account) as sftp:
        left = stop_after_bytes
        for file in sorted(files, key=lambda path: (path.name == "manifest.csv", path.name)):
            target = str(PurePosixPath(directory) / file.name)
            sent = _send(sftp, file, f"{target}.filepart" if temporary_names else target, left)
            if left is not None and (left := left - sent) <= 0:
                return
            if temporary_names:
                _rename(sftp, f"{target}.filepart", target)


def _send(sftp: paramiko.SFTPClient, file: Path, target: str, limit: int | None) -> int:
    """Send a file, or as much of it as the limit allows, and return how much that was."""
    sent = 0
    with file.open("rb") as source, sftp.open(target, "wb") as stream:
        stream.set_pipelined(True)
        while chunk := source.read(_CHUNK if limit is None else min(_CHUNK, limit - sent)):
            stream.write(chunk)
            sent += len(chunk)
    return sent


def _rename(sftp: paramiko.SFTPClient, old: str, new: str) -> None:
    """Rename a file, over one of that name if need be."""
    try:
        sftp.posix_rename(old, new)
    except OSError:  # the server does not know this extension
        if PurePosixPath(new).name in sftp.listdir(str(PurePosixPath(new).parent)):
            sftp.remove(new)
        sftp.rename(old, new)


@contextmanager
def _session(account: Account) -> Iterator[paramiko.SFTPClient]:
    """Log in, and make every way of failing an UploadError."""
    place = f"{account.host}:{account.port}"
    try:
        with socket.create_connection((account.host, account.port), _TIMEOUT) as connection:
            transport = paramiko.Transport(connection)
            try:
                transport.banner_timeout = transport.auth_timeout = _TIMEOUT
                transport.connect(_key(account.host_key), account.username, account.password)
                yield _client(transport)
            finally:
                transport.close()
    except paramiko.AuthenticationException:
        raise UploadError(f"{place} does not accept the user name {account.username!r} with this password.") from None
    except (paramiko.SSHException, EOFError) as error:
        raise UploadError(f"The connection to {place} failed: {error or 'it was closed'}.") from error
    except OSError as error:
        raise UploadError(f"The upload to {place} failed: {error.strerror or error}.") from error


def _client(transport: paramiko.Transport) -> paramiko.SFTPClient:
    client = paramiko.SFTPClient.from_transport(transport)
    if client is None:
        raise paramiko.SSHException("the server offers no SFTP")
    channel = client.get_channel()
    if channel is not None:
        channel.settimeout(_TIMEOUT)
    return client


def _key(text: str | None) -> paramiko.PKey | None:
    """Read a host key such as ``ssh-ed25519 AAAA...``; a comment after it is allowed.

    Raises:
        UploadError: It is no such key.
    """
    if text is None:
        return None
    try:
        kind, blob = text.split()[:2]
        return paramiko.PKey.from_type_string(kind, b64decode(blob, validate=True))
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise UploadError("The host key must look like 'ssh-ed25519 AAAA...'.") from error
