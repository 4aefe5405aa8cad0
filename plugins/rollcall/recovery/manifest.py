"""What a backup says of itself: which versions made it, and the hash of every part."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rollcall.private import write_private

FILE = "manifest.json"
WAREHOUSE, AIRFLOW, READERS = "warehouse.dump", "airflow.dump", "readers.json"
ACCOUNTS, DISTRICTS, INVENTORY, ARCHIVE = "accounts.tar", "districts.tar", "archive.csv", "archive"
PARTS = (WAREHOUSE, AIRFLOW, READERS, ACCOUNTS, DISTRICTS, INVENTORY)
"""Each a file; the copy of the archive is a folder beside them, whose files the inventory names."""


class BackupError(Exception):
    """A backup cannot be made, or cannot be restored; the message says why."""


class Part(BaseModel):
    """One file of a backup.

    Attributes:
        sha256: In hexadecimal.
        size: In bytes.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    size: int


class Manifest(BaseModel):
    """What stands in a backup's ``manifest.json``, which is written last: without it, there is no backup.

    Attributes:
        taken_at: When it was begun: it holds what was committed then.
        stack: ``local`` or ``server``: which kind of stack it is of, and can be restored in.
        rollcall: The package's version.
        migration: The warehouse's newest migration.
        postgresql: The server's version.
        with_archive: Whether the archive's files are in it, or only their inventory.
        parts: Every part, by its file's name.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    taken_at: datetime
    stack: Literal["local", "server"]
    rollcall: str
    migration: str
    postgresql: str
    with_archive: bool
    parts: dict[str, Part]

    def write(self, folder: Path) -> None:
        """Write it into a backup."""
        write_private(folder / FILE, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a backup's.

        Raises:
            BackupError: there is none, or it says something else.
        """
        try:
            return cls.model_validate_json((folder / FILE).read_bytes())
        except FileNotFoundError:
            raise BackupError(f"{folder} is no backup: it has no {FILE}, which is written last.") from None
        except ValidationError as error:
            raise BackupError(
                f"{folder / FILE} cannot be read ({error.error_count()} errors): is it of a newer version?"
            ) from None

    def check(self, folder: Path) -> None:
        """See that every part is there, byte for byte.

        Raises:
            BackupError: one is not.
        """
        for name, part in self.parts.items():
            path = folder / name
            if not path.is_file():
                raise BackupError(f"{path} is missing.")
            if part != part_of(path):
                raise BackupError(f"{path} is not as it was written.")


def part_of(path: Path) -> Part:
    """A file's hash and size."""
    with path.open("rb") as file:
        return Part(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)
