"""Whether a password is right, for PAM; guessing is slowed account by account. Standard library only.

The passwords are random words of 192 bits: comparing them needs no slow hash.
"""

import asyncio
import hmac
import json
import os
from pathlib import Path

from accounts import Login
from sftp_guesses import Guesses

SOCKET = Path("/run/rollcall/passwords")
REFUSED_UNSEEN_AFTER_SECONDS = 2.0
NOBODY = Login("", "", 0, "", "")


class Passwords:
    """Answers those who ask at a socket that is root's alone."""

    def __init__(self) -> None:
        self.logins: dict[str, Login] = {}
        self._guesses = Guesses()

    async def serve(self, path: Path) -> asyncio.Server:
        """Begin to answer at a socket."""
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._answer, path)
        finally:
            os.umask(before)

    async def is_right(self, username: str, password: str) -> bool:
        """Look at a password when it is its turn; a wrong one is answered when it is its turn, in any case."""
        login = self.logins.get(username, NOBODY)
        wait = self._guesses.seconds_to_wait(username, has_account=login is not NOBODY)
        await asyncio.sleep(REFUSED_UNSEEN_AFTER_SECONDS if wait is None else wait)
        is_right = hmac.compare_digest(login.password.encode(), password.encode())
        if wait is None or not login.password or not is_right:
            return False
        self._guesses.forget(username)
        return True

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        username, password = json.loads(await reader.readline())
        writer.write(b"yes" if await self.is_right(username, password) else b"no")
        await writer.drain()
        writer.close()
