"""The local stack's SFTP server: one jailed account per district, login folder /inbox.

Run as ``python -m rollcall.stack.sftp_server``; the accounts file is read at each login.
"""

import argparse
import asyncio
import hmac
import logging
import os
import posixpath
import signal
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
from typing_extensions import override

from rollcall.names import shown
from rollcall.stack.sftp_accounts import NOBODY, Login, read_accounts
from rollcall.stack.sftp_guesses import Guesses

log = logging.getLogger("rollcall.sftp")

LOGIN_FOLDER = b"/inbox"
RECEIPTS = b"/receipts"
TRIES_PER_CONNECTION = 3
REFUSED_UNSEEN_AFTER_SECONDS = 2.0
_WRITES = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC


pause = asyncio.sleep
"""A name of its own, for tests to see how long somebody is kept waiting."""


class JailedServer(asyncssh.SFTPServer):
    """File access of one session: nothing outside the district's folder is visible, only /inbox is writable."""

    def __init__(self, chan: Any, root: Path) -> None:
        self._login: Login = chan.get_extra_info("rollcall_login")
        self._jail = os.path.realpath(os.fsencode(root / self._login.district))
        super().__init__(chan, chroot=self._jail)

    @override
    def map_path(self, path: bytes) -> bytes:
        """The file on disk for a path as the client sees it.

        Raises:
            asyncssh.SFTPPermissionDenied: a link on the way leads out of the jail.
        """
        mapped = self._jail + _absolute(path).rstrip(b"/")
        # The last part itself may be a link (lstat, remove); whoever follows it is checked by _inside.
        self._require_inside(posixpath.dirname(mapped) if mapped != self._jail else mapped)
        return mapped

    @override
    def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
        """Open a file; for writing only where this login may write."""
        if pflags & _WRITES:
            self._require_write(path)
        self._require_inside(self.map_path(path))
        return super().open(path, pflags, _harmless(attrs))

    @override
    def open56(self, path: bytes, desired_access: int, flags: int, attrs: Any) -> Any:
        """Open a file in the way of SFTP version 5 and later, which is never negotiated here."""
        raise asyncssh.SFTPOpUnsupported("SFTP version 3 is spoken here")

    @override
    def stat(self, path: bytes) -> Any:
        """The attributes of a file, links followed within the jail."""
        self._require_inside(self.map_path(path))
        return super().stat(path)

    @override
    def scandir(self, path: bytes) -> Any:
        """List a folder."""
        self._require_inside(self.map_path(path))
        return super().scandir(path)

    @override
    def realpath(self, path: bytes) -> bytes:
        """The full path as the client sees it; "." is the login folder."""
        self._require_inside(self.map_path(path))
        return _absolute(path)

    @override
    def setstat(self, path: bytes, attrs: Any) -> Any:
        """Set times and size; owner and permissions stay as they are."""
        self._require_write(path)
        self._require_inside(self.map_path(path))
        return super().setstat(path, _harmless(attrs))

    @override
    def lsetstat(self, path: bytes, attrs: Any) -> Any:
        """Set times of a link itself."""
        self._require_write(path)
        return super().lsetstat(path, _harmless(attrs))

    @override
    def fsetstat(self, file_obj: object, attrs: Any) -> Any:
        """Set times and size of an open file."""
        return super().fsetstat(file_obj, _harmless(attrs))

    @override
    def remove(self, path: bytes) -> Any:
        """Delete a file where this login may write."""
        self._require_write(path)
        return super().remove(path)

    @override
    def mkdir(self, path: bytes, attrs: Any) -> Any:
        """Make a folder where this login may write."""
        self._require_write(path)
        return super().mkdir(path, _harmless(attrs))

    @override
    def rmdir(self, path: bytes) -> Any:
        """Remove a folder where this login may write."""
        self._require_write(path)
        return super().rmdir(path)

    @override
    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        """Rename; an existing target is kept."""
        self._require_write(oldpath)
        self._require_write(newpath)
        return super().rename(oldpath, newpath)

    @override
    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        """Rename; an existing target is replaced."""
        self._require_write(oldpath)
        self._require_write(newpath)
        return super().posix_rename(oldpath, newpath)

    @override
    def symlink(self, oldpath: bytes, newpath: bytes) -> Any:
        """Links are not made here."""
        raise asyncssh.SFTPPermissionDenied("Links are not allowed on this server")

    @override
    def link(self, oldpath: bytes, newpath: bytes) -> Any:
        """Links are not made here."""
        raise asyncssh.SFTPPermissionDenied("Links are not allowed on this server")

    def _require_inside(self, mapped: bytes) -> None:
        real = os.path.realpath(mapped)
        if real != self._jail and not real.startswith(self._jail + b"/"):
            raise asyncssh.SFTPPermissionDenied("That path leads out of this account's folder")

    def _require_write(self, path: bytes) -> None:
        absolute = _absolute(path)
        if _below(absolute, LOGIN_FOLDER) or (self._login.role == "rollcall" and _below(absolute, RECEIPTS)):
            return
        name = shown(absolute)
        if _below(absolute, RECEIPTS) or absolute == RECEIPTS:
            raise asyncssh.SFTPPermissionDenied(f"{name}: /receipts is written by Rollcall only; upload to /inbox")
        raise asyncssh.SFTPPermissionDenied(
            f"{name}: uploads are taken in /inbox only. Leave the directory blank, or set it to /inbox"
        )


class _Connection(asyncssh.SSHServer):
    def __init__(self, accounts: Path, guesses: Guesses) -> None:
        self._accounts = accounts
        self._guesses = guesses
        self._tries = 0
        self._login = NOBODY
        self._connection: Any = None

    @override
    def connection_made(self, conn: Any) -> None:
        self._connection = conn

    @override
    def begin_auth(self, username: str) -> bool:
        return True

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        login = (await asyncio.to_thread(read_accounts, self._accounts)).get(username, NOBODY)
        offered = " ".join(key.export_public_key().decode().split()[:2])
        self._login = login  # whether the client holds the private half, asyncssh finds out
        return bool(login.public_key) and hmac.compare_digest(login.public_key, offered)

    @override
    def auth_completed(self) -> None:
        self._connection.set_extra_info(rollcall_login=self._login)

    @override
    def password_auth_supported(self) -> bool:
        return True

    @override
    async def validate_password(self, username: str, password: str) -> bool:
        self._tries += 1  # here and not later: a client may send the next try before this one is answered
        if self._tries > TRIES_PER_CONNECTION:
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many wrong passwords")
        accounts = await asyncio.to_thread(read_accounts, self._accounts)
        login = accounts.get(username, NOBODY)
        if await self._is_right(login, username, password):
            self._guesses.forget(username)
            self._login = login
            return True
        log.warning("Login refused for %s from %s", shown(username), self._connection.get_extra_info("peername"))
        return False

    async def _is_right(self, login: Login, username: str, password: str) -> bool:
        """Look at a password when it is its turn; a wrong one is answered when it is its turn, in any case.

        Rollcall's own logins have passwords that nobody chose and nobody can guess. They are looked at at once: whoever
        guesses at one cannot keep Rollcall out of an inbox.
        """
        is_own = login.role == "rollcall"
        if is_own and await asyncio.to_thread(login.accepts, password):
            return True
        wait = self._guesses.seconds_to_wait(username, has_account=login is not NOBODY)
        await pause(REFUSED_UNSEEN_AFTER_SECONDS if wait is None else wait)
        return not is_own and wait is not None and await asyncio.to_thread(login.accepts, password)


def _absolute(path: bytes) -> bytes:
    """The path as seen from the jail's root; relative ones begin at the login folder."""
    joined = posixpath.normpath(posixpath.join(LOGIN_FOLDER, path))
    return b"/" + joined.lstrip(b"/")


def _below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder + b"/")


def _harmless(attrs: Any) -> Any:
    attrs.permissions = attrs.uid = attrs.gid = attrs.owner = attrs.group = None
    return attrs


async def serve(host: str, port: int, root: Path, accounts: Path, host_key: Path) -> Any:
    """Start the server; returns asyncssh's acceptor (``get_port()``, ``close()``)."""
    return await asyncssh.create_server(
        partial(_Connection, accounts, Guesses()),
        host,
        port,
        reuse_address=True,
        server_host_keys=[str(host_key)],
        sftp_factory=partial(JailedServer, root=root),
        allow_scp=False,
        agent_forwarding=False,
        x11_forwarding=False,
        login_timeout=30,
        keepalive_interval=60,
    )


async def _serve_until_stopped(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    acceptor = await serve(options.host, options.port, options.root, options.accounts, options.host_key)
    log.info("SFTP server on %s port %s", options.host, acceptor.get_port())
    await stopped.wait()
    acceptor.close()
    log.info("SFTP server stopped")


def main() -> None:
    """Run the server until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m rollcall.stack.sftp_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", type=Path, required=True, help="holds a folder per district")
    parser.add_argument("--accounts", type=Path, required=True)
    parser.add_argument("--host-key", type=Path, required=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    os.umask(0o077)
    asyncio.run(_serve_until_stopped(parser.parse_args()))


if __name__ == "__main__":
    main()
