"""How a delivery is packed: CSV files, the manifest, and the zip."""

import csv
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from simulator.rows import HEADERS, Row

ZIP_NAME: Final = "oneroster.zip"
MANIFEST_NAME: Final = "manifest.csv"

# The other data files of the standard; Aeries sends none of them.
_ABSENT: Final = ("categories", "classResources", "courseResources", "lineItems", "resources", "results")


def write_csv(path: Path, header: Row, rows: Iterable[Row]) -> int:
    """Write a CSV file as Aeries does (UTF-8 without a byte order mark, CRLF, quotes where needed).

    Returns:
        How many rows were written, the header not counted.
    """
    counter = _Counter()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(counter.through(rows))
    return counter.count


def write_manifest(path: Path) -> None:
    """Write the manifest of a delivery that has all seven rostering files in bulk."""
    modes = dict.fromkeys(HEADERS, "bulk") | dict.fromkeys(_ABSENT, "absent")
    files = ((f"file.{name}", modes[name]) for name in sorted(modes, key=str.casefold))
    system = (("source.systemName", "Aeries"), ("source.systemCode", "AERIES"))
    versions = (("manifest.version", "1.0"), ("oneroster.version", "1.1"))
    write_csv(path, ("propertyName", "value"), (*versions, *files, *system))


def pack(files: Sequence[Path], target: Path) -> Path:
    """Put a zip in the place of files, with them at its root; the same files always give the same bytes.

    Returns:
        The zip.
    """
    with ZipFile(target, "w") as archive:
        for file in files:
            member = ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            with file.open("rb") as source, archive.open(member, "w") as packed:
                shutil.copyfileobj(source, packed, 1 << 20)
    for file in files:
        file.unlink()
    return target


class _Counter:
    """Counts what passes through."""

    def __init__(self) -> None:
        self.count = 0

    def through(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.count += 1
            yield row
