"""The archive in a backup: every file's path, size and SHA-256, and a copy of each where it is wanted."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rollcall.archive.decisions import document_in
from rollcall.archive.store import MIB, Archive, archived_districts
from rollcall.private import create, make_folder
from rollcall.progress import tell
from rollcall.recovery.manifest import BackupError
from rollcall.settings import settings

HEADER = ("path", "size", "sha256")


def copy_archive(inventory: Path, copies: Path | None) -> None:
    """Write down what the archive holds, and copy it.

    Args:
        inventory: The CSV file to write.
        copies: The folder that the copies go into; none are made, if not given.
    """
    with create(inventory) as file:
        file.write(_line(HEADER))
        for district_id in archived_districts(settings().archive_root):
            archive = Archive.of(district_id)
            for number, path in enumerate(archive.paths()):
                tell(f"archive of {district_id}", number, None)
                size, sha256 = _copy(archive.blocks(path), None if copies is None else copies / path)
                file.write(_line((path, str(size), sha256)))


def put_copies_back(inventory: Path, copies: Path, newest: Mapping[tuple[str, str], int]) -> None:
    """Put every file of a backup's archive in its place.

    What was decided while the backup was being made, after its databases were written, is left out.

    Args:
        inventory: The archive's inventory.
        copies: The folder of the copies.
        newest: The newest version of each document of decisions that the ledger knows, by district and name.

    Raises:
        BackupError: a copy is missing, or is not as it was written.
        ArchiveError: the archive refused.
    """
    with inventory.open(encoding="utf-8", newline="") as stream:
        for number, line in enumerate(csv.DictReader(stream)):
            tell("archive", number, None)
            district_id, _, name = line["path"].partition("/")
            told = document_in(name)
            if told is not None and told[1] > newest.get((district_id, told[0]), 0):
                continue
            copy = copies / line["path"]
            if not copy.is_file():
                raise BackupError(f"{copy} is missing.")
            if _copy(_blocks(copy), None)[1] != line["sha256"]:
                raise BackupError(f"{copy} is not as it was written.")
            Archive.of(district_id).write_stream(name, _blocks(copy))


def _copy(blocks: Iterable[bytes], target: Path | None) -> tuple[int, str]:
    """Size and SHA-256 of a stream, which goes into a file if one is given."""
    digest, size = hashlib.sha256(), 0
    if target is None:
        for block in blocks:
            digest.update(block)
            size += len(block)
        return size, digest.hexdigest()
    make_folder(target.parent)
    with create(target) as file:
        for block in blocks:
            digest.update(block)
            size += file.write(block)
    return size, digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while block := source.read(MIB):
            yield block


def _line(cells: Iterable[str]) -> bytes:
    """A line of CSV: neither a path nor a hash holds what would have to be quoted."""
    return (",".join(cells) + "\n").encode()
