"""Run OpenSSH's SFTP server, and look after accounts and folders while it runs. Standard library only.

Accounts that `rollcall districts add`, `rotate` and `remove` change are in force within seconds, in sessions that are
open, too. A district whose inbox is full may only delete, until there is room.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from accounts import AUTHORIZED, KEYS, LOGINS, ROOT, USERS, Login, authorize, read_keys, read_logins, write_users
from jails import MOST_ENTRIES, look_after
from passwords import SOCKET, Passwords
from upload_log import UploadLog

LOOK_EVERY_SECONDS = 2
INBOX_BYTES = int(os.environ.get("SFTP_INBOX_MIB") or 8192) * 1024 * 1024
"""How much one district may have lie in its inbox."""


class Service:
    """The districts' accounts and folders."""

    def __init__(self) -> None:
        self._passwords = Passwords()
        self._log = UploadLog()
        self._seen: list[tuple[int, int]] = []
        self._districts: dict[str, Login] = {}
        self._logins: list[Login] = []
        self._keys: dict[str, str] = {}
        self._full: set[str] = set()

    async def start(self) -> None:
        """Have everything in order before anybody logs in."""
        await self._passwords.serve(SOCKET)
        await self.look()

    async def look(self) -> None:
        """Bring accounts and folders in line."""
        self._read_lists()
        full = await asyncio.to_thread(self._look_into_folders)
        if full != self._full:
            write_users(self._logins, USERS, full)
            end_sessions(self._districts[name].uid for name in full - self._full)
            self._full = full
        await self._log.follow({name: ROOT / name for name in self._districts})

    def _read_lists(self) -> None:
        """Let in who is in the lists, with what they say."""
        state = [(found.st_ino, found.st_mtime_ns) for found in (KEYS.stat(), LOGINS.stat())]
        if state == self._seen:
            return
        before = self._lets_in()
        self._seen, self._logins, self._keys = state, read_logins(LOGINS), read_keys(KEYS)
        self._districts = {login.username: login for login in self._logins if login.is_district}
        self._passwords.logins = self._districts
        authorize(self._keys, AUTHORIZED)
        write_users(self._logins, USERS, self._full & self._districts.keys())
        end_sessions(login.uid for login, _ in before - self._lets_in())
        print(f"{len(self._districts)} districts have an account.", flush=True)

    def _lets_in(self) -> set[tuple[Login, str]]:
        """What each district logs in with."""
        return {(login, self._keys.get(name, "")) for name, login in self._districts.items()}

    def _look_into_folders(self) -> set[str]:
        """Bring every district's folder in order, and say what was not; whose inbox is full."""
        full = set()
        for name, login in self._districts.items():
            try:
                look = look_after(ROOT / name, login.uid)
            except OSError as error:  # one district's trouble is not the others'
                print(f"{name}: its folder could not be looked at ({type(error).__name__}).", flush=True)
                continue
            if look.disk_bytes > INBOX_BYTES or look.entries >= MOST_ENTRIES:
                full.add(name)
            if name in full and name not in self._full:
                look.said.append(f"/inbox is full ({look.entries} files, {look.disk_bytes} bytes): it may only delete.")
            for sentence in look.said:
                print(f"{name}: {sentence}", flush=True)
        return full


def end_sessions(uids: Iterable[int]) -> None:
    """End every session of some users."""
    wanted = set(uids)
    for folder in Path("/proc").iterdir() if wanted else ():
        with suppress(OSError):  # ended by itself
            if folder.name.isdecimal() and folder.stat().st_uid in wanted:
                os.kill(int(folder.name), signal.SIGTERM)


async def main() -> int:
    """Start sshd, then look after accounts and folders until it ends."""
    service = Service()
    await service.start()
    server = await asyncio.create_subprocess_exec("/usr/sbin/sshd", "-D", "-e")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.terminate)
    while server.returncode is None:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        await service.look()
    return 0 if server.returncode in (0, -signal.SIGTERM, 255) else server.returncode


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
