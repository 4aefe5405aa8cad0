"""Files and folders that are for their owner alone, and that are still there after a power loss.

The archive and the state folder hold students' data and passwords: whatever the umask, nothing in them is for others.
"""

import fcntl
import os
import stat
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

UMASK = 0o077
"""For processes of which parts that are not ours write files, too."""
FOLDER, FILE = 0o700, 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner enters, with those above it that are missing; what is made, lasts."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):  # somebody was faster
        folder.mkdir(mode=FOLDER)
    sync_folder(folder.parent)


def create(path: Path) -> IO[bytes]:
    """Open a new file for writing that only its owner reads.

    Raises:
        FileExistsError: there is a file of that name.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE), "wb")


def append(path: Path) -> IO[bytes]:
    """Open a file for writing at its end; a new one is read by its owner only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE), "ab")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time work; the lock ends with the process that holds it.

    Args:
        path: The file that is locked; it is made, and stays.
    """
    with append(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, for its owner alone; it lasts."""
    replace(path, [text.encode()])


def replace(path: Path, blocks: Iterable[bytes], *, lasting: bool = True) -> None:
    """Replace a file in one step, for its owner alone.

    Args:
        path: The file; its folder is there.
        blocks: What it is to hold.
        lasting: Whether it has to survive a power loss.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with create(draft) as file:
            file.writelines(blocks)
            if lasting:
                sync_file(file)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if lasting:
        sync_folder(path.parent)


def sync_file(file: IO[bytes]) -> None:
    """Have the disk keep what was written to a file so far."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the disk keep which names a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_open_to_others(path: Path, but_for: int = 0) -> bool:
    """Whether others than its owner may do something with a file or a folder; of a link nothing is asked.

    Args:
        but_for: Rights of others that do not count.
    """
    mode = path.lstat().st_mode
    return not stat.S_ISLNK(mode) and bool(mode & OTHERS & ~but_for)


def close_to_others(root: Path, *, but: Collection[Path] = (), but_for: int = 0) -> None:
    """Take every right from others, on a folder and on all that lies in it; on the folder itself last.

    One whose folder is closed already is not walked through: killed half-way, it begins again.

    Args:
        root: The folder; nothing happens where there is none.
        but: Folders in it that are left as they are.
        but_for: Rights that others keep on the folder itself.

    Raises:
        PermissionError: something belongs to somebody else.
    """
    if not root.is_dir() or not is_open_to_others(root, but_for):
        return
    for path in everything_in(root, but=but):
        _close(path)
    _close(root, but_for)


def close_folder(folder: Path) -> None:
    """Let nobody else enter a folder; what lies in it is then out of reach, too.

    One that is not ours to close is left as it is: `rollcall doctor` tells of it.
    """
    if is_open_to_others(folder):
        with suppress(PermissionError):
            _close(folder)


def everything_in(root: Path, *, but: Collection[Path] = ()) -> Iterator[Path]:
    """Every file and folder below a folder; links are not followed.

    Args:
        root: The folder.
        but: Folders in it that are passed over.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) not in but]
        yield from (Path(folder, name) for name in (*folders, *files))


def _close(path: Path, but_for: int = 0) -> None:
    with suppress(FileNotFoundError):  # gone meanwhile
        if is_open_to_others(path, but_for):
            path.chmod(path.stat().st_mode & (stat.S_IRWXU | but_for))
