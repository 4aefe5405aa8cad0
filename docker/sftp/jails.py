"""The districts' folders: who may do what in them, looked after by root. Standard library only.

The inbox belongs to the district; Rollcall reaches all in it as its group, whatever rights an upload comes with. The
receipts belong to Rollcall; the district reads them, and changes none.
"""

import os
import stat
from contextlib import closing
from itertools import islice
from pathlib import Path

from accounts import DISTRICTS_ID, ROLLCALL_ID

INBOX_MODE = 0o2770
RECEIPTS_MODE = 0o2750
MOST_ENTRIES = 2_000
"""Of a folder that are looked at: a delivery of so many files is refused anyway."""
DEEPEST = 2
"""Folders in the inbox: Rollcall's claims are ``.rollcall/<number>``."""


def look_after(jail: Path, uid: int) -> list[str]:
    """Bring a district's folder in order.

    Args:
        jail: The folder; made if there is none. It is root's, as OpenSSH demands.
        uid: The district's.

    Returns:
        What the district had changed so that Rollcall could not get in, as sentences; no names of files.
    """
    said = []
    jail.mkdir(mode=0o755, exist_ok=True)
    for name, owner, mode in (
        ("inbox", (uid, ROLLCALL_ID), INBOX_MODE),
        ("receipts", (ROLLCALL_ID, DISTRICTS_ID), RECEIPTS_MODE),
    ):
        is_new = _made(jail / name)
        with closing(_Open(jail / name)) as folder:
            found = os.fstat(folder.number)
            if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (*owner, mode):
                os.fchown(folder.number, *owner)
                os.fchmod(folder.number, mode)
                if not is_new:
                    said.append(f"/{name} had the rights {stat.S_IMODE(found.st_mode):04o}; put right.")
            if name == "inbox":
                _open_to_rollcall(folder.number, uid)
            else:
                _take_over(folder.number, uid)
    return said


class _Open:
    """A folder's or file's own number: what it names cannot be exchanged for a link meanwhile."""

    def __init__(self, path: Path | str, within: int | None = None) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=within)

    def close(self) -> None:
        os.close(self.number)


def _made(folder: Path) -> bool:
    """Make a folder; whether there was none."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return True


def _open_to_rollcall(folder: int, uid: int, depth: int = DEEPEST) -> None:
    """Let Rollcall read, move and remove what the district put into a folder."""
    for name, found in _entries(folder):
        is_folder = stat.S_ISDIR(found.st_mode)
        needed = INBOX_MODE if is_folder else 0o660
        is_open = found.st_gid == ROLLCALL_ID and found.st_mode & needed == needed
        if found.st_uid == uid and not is_open:
            _give(folder, name, found, (-1, ROLLCALL_ID), stat.S_IMODE(found.st_mode) | needed)
        if is_folder and depth:
            with closing(_Open(name, folder)) as below:
                _open_to_rollcall(below.number, uid, depth - 1)


def _take_over(folder: int, uid: int) -> None:
    """Make receipts of an older version, which the district's own user wrote, Rollcall's."""
    for name, found in _entries(folder):
        if found.st_uid == uid:
            _give(folder, name, found, (ROLLCALL_ID, DISTRICTS_ID), 0o640)


def _entries(folder: int) -> list[tuple[str, os.stat_result]]:
    """The files and folders in a folder; nothing else is looked at."""
    found = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, MOST_ENTRIES):
            try:
                status = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:  # moved or removed meanwhile
                continue
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                found.append((entry.name, status))
    return found


def _give(folder: int, name: str, seen: os.stat_result, owner: tuple[int, int], mode: int) -> None:
    """Change owner and rights of what was seen, unless another has taken its place or its name."""
    try:
        with closing(_Open(name, folder)) as entry:
            found = os.fstat(entry.number)
            if (found.st_dev, found.st_ino) == (seen.st_dev, seen.st_ino):
                os.fchown(entry.number, *owner)
                os.fchmod(entry.number, mode)
    except OSError:  # gone, or a link now: the next look sees what it is
        return
