"""The districts' folders: who may do what in them, looked after by root. Standard library only.

The inbox belongs to the district; Rollcall reaches all in it as its group, whatever rights an upload comes with. The
receipts belong to Rollcall; the district reads them, and changes none.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from accounts import DISTRICTS_ID, ROLLCALL_ID

INBOX_MODE = 0o2770
RECEIPTS_MODE = 0o2750
MOST_ENTRIES = 2_000
"""Of a folder that are looked at: with so many, an inbox is full."""
DEEPEST = 2
"""Folders in the inbox: Rollcall's claims are ``.rollcall/<number>``."""
BLOCK_BYTES = 512
PUT_RIGHT = ".put_right"
"""Beside the inbox: touched when Rollcall could not get in, and told with the next delivery."""


@dataclass
class Look:
    """What was seen in a district's folder.

    Attributes:
        said: What the district had changed so that Rollcall could not get in, as sentences; no names of files.
        disk_bytes: What its inbox takes of the disk.
        entries: How many files and folders lie in it, as far as they were looked at.
    """

    said: list[str] = field(default_factory=list)
    disk_bytes: int = 0
    entries: int = 0


def look_after(jail: Path, uid: int) -> Look:
    """Bring a district's folder in order.

    Args:
        jail: The folder; made if there is none. It is root's, as OpenSSH demands.
        uid: The district's.
    """
    look = Look()
    for folder in (jail, jail / "dev"):
        folder.mkdir(mode=0o755, exist_ok=True)
    with _folder(jail / "inbox", (uid, ROLLCALL_ID), INBOX_MODE, look) as inbox:
        _open_to_rollcall(inbox, uid, look)
    with _folder(jail / "receipts", (ROLLCALL_ID, DISTRICTS_ID), RECEIPTS_MODE, look) as receipts:
        _take_over(receipts, uid)
    if look.said:
        (jail / PUT_RIGHT).touch(mode=0o644)
    return look


@contextmanager
def _folder(path: Path, owner: tuple[int, int], mode: int, look: Look) -> Iterator[int]:
    """A folder with the owner and the rights that it has to have."""
    is_new = not path.exists()
    path.mkdir(mode=0o700, exist_ok=True)
    with _opened(path) as number:
        found = os.fstat(number)
        rights = stat.S_IMODE(found.st_mode)
        if (found.st_uid, found.st_gid, rights) != (*owner, mode):
            os.fchown(number, *owner)
            os.fchmod(number, mode)
            if not is_new:
                look.said.append(f"/{path.name} had the rights {rights:04o}; put right.")
        yield number


@contextmanager
def _opened(path: Path | str, within: int | None = None) -> Iterator[int]:
    """A folder's or file's own number: what it names cannot be exchanged for a link meanwhile."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=within)
    try:
        yield number
    finally:
        os.close(number)


def _open_to_rollcall(folder: int, uid: int, look: Look, depth: int = DEEPEST) -> None:
    """Let Rollcall read, move and remove what the district put into a folder."""
    for name, found in _entries(folder):
        look.entries += 1
        look.disk_bytes += found.st_blocks * BLOCK_BYTES
        is_folder = stat.S_ISDIR(found.st_mode)
        needed = INBOX_MODE if is_folder else 0o660
        is_open = found.st_gid == ROLLCALL_ID and found.st_mode & needed == needed
        with suppress(OSError):  # gone, or a link now: the next look sees what it is
            if found.st_uid == uid and not is_open:
                _give(folder, name, found, (-1, ROLLCALL_ID), stat.S_IMODE(found.st_mode) | needed)
            if is_folder and depth:
                with _opened(name, folder) as below:
                    _open_to_rollcall(below, uid, look, depth - 1)


def _take_over(folder: int, uid: int) -> None:
    """Make receipts of an older version, which the district's own user wrote, Rollcall's."""
    for name, found in _entries(folder):
        if found.st_uid == uid:
            with suppress(OSError):
                _give(folder, name, found, (ROLLCALL_ID, DISTRICTS_ID), 0o640)


def _entries(folder: int) -> list[tuple[str, os.stat_result]]:
    """The files and folders in a folder; nothing else is looked at."""
    found = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, MOST_ENTRIES):
            with suppress(FileNotFoundError):  # moved or removed meanwhile
                found.append((entry.name, os.stat(entry.name, dir_fd=folder, follow_symlinks=False)))
    return [(name, each) for name, each in found if stat.S_ISREG(each.st_mode) or stat.S_ISDIR(each.st_mode)]


def _give(folder: int, name: str, seen: os.stat_result, owner: tuple[int, int], mode: int) -> None:
    """Change owner and rights of what was seen, unless another has taken its place or its name."""
    with _opened(name, folder) as number:
        found = os.fstat(number)
        if (found.st_dev, found.st_ino) == (seen.st_dev, seen.st_ino):
            os.fchown(number, *owner)
            os.fchmod(number, mode)
