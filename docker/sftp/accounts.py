"""The accounts that the migrate service has written, as OpenSSH sees them. Standard library only."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ACCOUNTS = Path("/run/rollcall/accounts")
LOGINS = ACCOUNTS / "logins.tsv"
KEYS = ACCOUNTS / "keys.tsv"
AUTHORIZED = Path("/run/rollcall/authorized")
USERS = Path("/var/lib/extrausers")
ROOT = Path("/srv/sftp")
DISTRICTS_ID = 19_998
"""The group of the districts' logins."""
FULL_ID = 19_997
"""The group of those districts' logins whose inbox is full."""
ROLLCALL_ID = 19_999
"""User and group of Rollcall's own logins, one per district: each is confined to that district's folder."""
FIRST_ID = 20_000


class Login(NamedTuple):
    """A line of the accounts file."""

    username: str
    district: str
    number: int
    role: str
    password: str

    @property
    def is_district(self) -> bool:
        """Whether it is a district's own login."""
        return self.role == "district"

    @property
    def uid(self) -> int:
        """The user id, the same at every start."""
        return FIRST_ID + self.number if self.is_district else ROLLCALL_ID

    @property
    def gid(self) -> int:
        """The group id."""
        return DISTRICTS_ID if self.is_district else ROLLCALL_ID


def read_logins(path: Path) -> list[Login]:
    """Every login that should exist."""
    rows = (line.split("\t") for line in path.read_text().splitlines() if line)
    return [Login(name, district, int(number), role, password) for name, district, number, role, password in rows]


def read_keys(path: Path) -> dict[str, str]:
    """The SSH keys of those who have one, by user name."""
    return dict(line.split("\t", 1) for line in path.read_text().splitlines() if line)


def authorize(keys: dict[str, str], folder: Path) -> None:
    """Let exactly these keys in: a file per user name, as sshd reads it."""
    folder.mkdir(mode=0o755, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in keys:
            path.unlink()
    for username, key in keys.items():
        _replace(folder / username, [key])


def write_users(logins: Iterable[Login], folder: Path, full: Collection[str]) -> None:
    """Make users of the logins; who is not among them can no longer log in. Their passwords are not here.

    Args:
        logins: Every login that should exist.
        folder: Where libnss-extrausers looks for them.
        full: The districts whose inbox is full.
    """
    groups = {"districts": (DISTRICTS_ID, ()), "rollcall": (ROLLCALL_ID, ()), "full": (FULL_ID, sorted(full))}
    _replace(folder / "group", (f"{name}:x:{gid}:{','.join(users)}" for name, (gid, users) in groups.items()))
    _replace(folder / "passwd", _passwd(logins))


def _passwd(logins: Iterable[Login]) -> Iterator[str]:
    for login in logins:
        yield f"{login.username}:x:{login.uid}:{login.gid}::{ROOT / login.district}:/usr/sbin/nologin"


def _replace(path: Path, lines: Iterable[str]) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_text("".join(f"{line}\n" for line in lines))
    draft.chmod(0o644)
    draft.replace(path)
