"""Run OpenSSH's SFTP server for the accounts that the migrate service has written. Standard library only.

A district and Rollcall log in under two names with one user id, so that Rollcall can read whatever permissions an
upload comes with. Only Rollcall's name is in the group that may add to /receipts. New accounts are seen within seconds.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ACCOUNTS = Path("/run/rollcall/accounts")
LOGINS = ACCOUNTS / "logins.tsv"
KEYS = ACCOUNTS / "keys.tsv"
AUTHORIZED = Path("/etc/ssh/districts")
ROOT = Path("/srv/sftp")
GROUP = ("districts", 19_998)
RECEIPTS_GROUP = ("receipts", 19_999)
FIRST_ID = 20_000


class Login(NamedTuple):
    """A line of the accounts file."""

    username: str
    district: str
    number: int
    role: str
    password: str

    @property
    def uid(self) -> int:
        """The user id, the same for both logins of a district and at every start."""
        return FIRST_ID + self.number


def read_logins(path: Path) -> list[Login]:
    """Every login that should exist."""
    rows = (line.split("\t") for line in path.read_text().splitlines() if line)
    return [Login(name, district, int(number), role, password) for name, district, number, role, password in rows]


def read_keys(path: Path) -> dict[str, str]:
    """The SSH keys of those who have one, by user name."""
    if not path.exists():
        return {}
    return dict(line.split("\t", 1) for line in path.read_text().splitlines() if line)


def authorize(keys: dict[str, str], folder: Path) -> None:
    """Let exactly these keys in: a file per user name, as sshd reads it."""
    folder.mkdir(mode=0o755, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in keys:
            path.unlink()
    for username, key in keys.items():
        draft = folder / f".{username}"
        draft.write_text(key + "\n")
        draft.chmod(0o644)
        draft.replace(folder / username)


def passwd_lines(logins: list[Login]) -> Iterator[str]:
    """The logins as lines of /etc/passwd."""
    for login in logins:
        yield f"{login.username}:x:{login.uid}:{GROUP[1]}::{ROOT / login.district}:/usr/sbin/nologin"


def group_lines(logins: list[Login]) -> Iterator[str]:
    """The groups as lines of /etc/group."""
    yield f"{GROUP[0]}:x:{GROUP[1]}:"
    rollcall = ",".join(login.username for login in logins if login.role == "rollcall")
    yield f"{RECEIPTS_GROUP[0]}:x:{RECEIPTS_GROUP[1]}:{rollcall}"


def make_folders(logins: list[Login]) -> None:
    """Make each jail: owned by root, as OpenSSH demands, with an inbox and receipts inside."""
    for login in logins:
        jail = ROOT / login.district
        for path, mode, owner in (
            (jail, 0o755, (0, 0)),
            (jail / "inbox", 0o700, (login.uid, GROUP[1])),
            (jail / "receipts", 0o775, (0, RECEIPTS_GROUP[1])),
        ):
            path.mkdir(exist_ok=True)
            os.chown(path, *owner)
            path.chmod(mode)


def apply(logins: list[Login], base: dict[str, str]) -> None:
    """Bring users, passwords and folders in line; who is no longer listed can no longer log in."""
    make_folders(logins)
    today = int(time.time() // 86_400)
    shadow = (f"{login.username}:!:{today}:0:99999:7:::" for login in logins)
    added = {"passwd": passwd_lines(logins), "group": group_lines(logins), "shadow": shadow}
    for name, lines in added.items():
        path = Path("/etc") / name
        draft = path.with_name(f"{name}.rollcall")
        draft.write_text(base[name] + "".join(line + "\n" for line in lines))
        draft.chmod(0o640 if name == "shadow" else 0o644)
        draft.replace(path)
    authorize(read_keys(KEYS), AUTHORIZED)
    # Random passwords of 192 bits need no slow hash; a thousand accounts are done in a second.
    words = "".join(f"{login.username}:{login.password}\n" for login in logins)
    subprocess.run(["chpasswd", "--crypt-method", "SHA256", "--sha-rounds", "1000"], input=words, text=True, check=True)
    print(f"{len(logins)} accounts", flush=True)


def main() -> int:
    """Start sshd, then keep the accounts in line until it ends."""
    base = {name: Path("/etc", name).read_text() for name in ("passwd", "group", "shadow")}
    seen = LOGINS.stat()
    apply(read_logins(LOGINS), base)
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e"])

    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    while server.poll() is None:
        time.sleep(3)
        now = LOGINS.stat()
        if (now.st_ino, now.st_mtime_ns) != (seen.st_ino, seen.st_mtime_ns):
            seen = now
            apply(read_logins(LOGINS), base)
    return 0 if server.returncode in (0, -signal.SIGTERM, 255) else server.returncode


if __name__ == "__main__":
    sys.exit(main())
