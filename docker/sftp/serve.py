"""Run OpenSSH's SFTP server, and look after accounts and folders while it runs. Standard library only.

Accounts that `rollcall districts add`, `rotate` and `remove` change are in force within seconds.
"""

import asyncio
import signal
import sys

from accounts import AUTHORIZED, KEYS, LOGINS, ROOT, USERS, Login, authorize, read_keys, read_logins, write_users
from jails import look_after
from passwords import SOCKET, Passwords

LOOK_EVERY_SECONDS = 2


def apply(passwords: Passwords) -> list[Login]:
    """Bring users, keys and passwords in line with the lists."""
    logins = read_logins(LOGINS)
    authorize(read_keys(KEYS), AUTHORIZED)
    write_users(logins, USERS)
    passwords.logins = {login.username: login for login in logins if login.is_district}
    print(f"{len(passwords.logins)} districts have an account.", flush=True)
    return logins


def look(logins: list[Login]) -> None:
    """Bring every district's folder in order, and say what was not."""
    for login in logins:
        if login.is_district:
            try:
                for sentence in look_after(ROOT / login.district, login.uid):
                    print(f"{login.district}: {sentence}", flush=True)
            except OSError as error:  # one district's trouble is not the others'
                print(f"{login.district}: its folder could not be looked at ({type(error).__name__}).", flush=True)


def state() -> list[tuple[int, int]]:
    """Changes whenever one of the lists does."""
    return [(found.st_ino, found.st_mtime_ns) for found in (KEYS.stat(), LOGINS.stat())]


async def main() -> int:
    """Start sshd, then look after accounts and folders until it ends."""
    passwords = Passwords()
    await passwords.serve(SOCKET)
    seen, logins = state(), apply(passwords)
    await asyncio.to_thread(look, logins)
    server = await asyncio.create_subprocess_exec("/usr/sbin/sshd", "-D", "-e")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.terminate)
    while server.returncode is None:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        if state() != seen:
            seen, logins = state(), apply(passwords)
        await asyncio.to_thread(look, logins)
    return 0 if server.returncode in (0, -signal.SIGTERM, 255) else server.returncode


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
