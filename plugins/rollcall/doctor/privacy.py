"""Whether what holds students' data on this machine's disk is its owner's alone."""

import stat
from itertools import islice
from pathlib import Path

from rollcall import private
from rollcall.archive.store import local_folder
from rollcall.doctor.diagnosis import Amiss, in_short
from rollcall.names import LONGEST_PATH, shown
from rollcall.settings import settings
from rollcall.stack.state import DATA_FOLDER

MOST_LOOKED_AT = 100_000
"""Files and folders whose rights are looked at; what lies in a closed folder is out of reach anyway."""


def archive_is_private() -> str:
    """The archive is its owner's alone."""
    folder = local_folder(settings().archive_root)
    if folder is None:
        return "An object store: who may read it is said there."
    return _is_private(folder, but_for=0)


def state_folder_is_private() -> str:
    """The local stack's folder is its owner's alone, but for what PostgreSQL's user needs."""
    return _is_private(settings().state_dir, but=settings().state_dir / DATA_FOLDER, but_for=stat.S_IXGRP)


def _is_private(folder: Path, *, but: Path | None = None, but_for: int) -> str:
    """Nothing in a folder is for others than its owner.

    Args:
        folder: The folder.
        but: A folder in it that looks after itself.
        but_for: Rights that others may have on the folder itself.
    """
    if not folder.is_dir():
        return f"There is no {folder} yet."
    inside = private.everything_in(folder, but=[but] if but else [])
    looked_at = list(islice(inside, MOST_LOOKED_AT))
    found = [path for path in looked_at if _is_open(path)]
    if private.is_open_to_others(folder, but_for):
        found.insert(0, folder)
    if found:
        raise Amiss(
            f"Others may get at {in_short([shown(str(path), LONGEST_PATH) for path in found])}.",
            f"Run `rollcall deploy`, or chmod -R go= {folder}; see who reads and writes there besides Rollcall.",
        )
    return f"{folder} and {len(looked_at):,} entries in it are its owner's alone."


def _is_open(path: Path) -> bool:
    try:
        return private.is_open_to_others(path)
    except FileNotFoundError:  # gone meanwhile
        return False
