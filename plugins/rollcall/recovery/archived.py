"""Whether the archive holds what the ledger says, byte for byte."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from rollcall.archive.store import Archive
from rollcall.ledger import NOBODY_SENT
from rollcall.names import named
from rollcall.progress import tell
from rollcall.recovery.differences import Difference
from rollcall.warehouse import Connection

ENTRIES = "deliveries"

_FILES = """
    select delivery_id, source, sent_name, archive_path, sha256, size_bytes
    from rollcall.delivery_file
    inner join rollcall.delivery using (delivery_id)
    where district_id = %s and removed_at is null and archive_path <> ''
    order by delivery_id, file
"""


@dataclass
class Archived:
    """What the archive is to hold of a delivery.

    Attributes:
        source: Where the delivery came from.
        files: Name as sent and SHA-256 of each of its files.
    """

    source: str
    files: set[tuple[str, str]] = field(default_factory=set)


def differences_of_archive(connection: Connection, district_id: str) -> Iterator[Difference]:
    """Read every file of a district that the ledger names, and every delivery's entry.

    Args:
        connection: Any connection to the ledger.
        district_id: The district.
    """
    archive = Archive.of(district_id)
    deliveries: dict[int, Archived] = {}
    contents: dict[str, tuple[int, str, int]] = {}
    for delivery_id, source, sent_name, path, sha256, size in connection.execute(_FILES, [district_id]).fetchall():
        deliveries.setdefault(delivery_id, Archived(source)).files.add((sent_name, sha256))
        contents.setdefault(path, (delivery_id, sha256, size))
    for number, (path, (delivery_id, sha256, size)) in enumerate(contents.items()):
        tell(f"archive of {district_id}", number, len(contents))
        wrong = _wrong_content(archive, path, sha256, size)
        if wrong:
            yield Difference(district_id, *wrong, delivery_id)
    yield from _wrong_entries(archive, district_id, deliveries)


def _wrong_content(archive: Archive, path: str, sha256: str, size: int) -> tuple[str, str] | None:
    """What is wrong with the bytes under a path: a code and a sentence."""
    digest, found = hashlib.sha256(), 0
    try:
        for block in archive.blocks(path):
            digest.update(block)
            found += len(block)
    except FileNotFoundError:
        return "archive_missing", f"{path} is not in the archive."
    except OSError as error:
        return "archive_unreadable", f"{path} cannot be read ({type(error).__name__})."
    if digest.hexdigest() == sha256:
        return None
    return "archive_differs", f"{path} holds {found:,} bytes of {size:,}, and they are not those that were sent."


def _wrong_entries(archive: Archive, district_id: str, deliveries: dict[int, Archived]) -> Iterator[Difference]:
    """Deliveries that the archive alone, without the ledger, would not tell, or would tell otherwise."""
    names = {int(name.removesuffix(".json").rpartition("-")[2]): name for name in archive.names_in(ENTRIES)}
    for delivery_id, archived in deliveries.items():
        if archived.source in NOBODY_SENT or archived.source.startswith("archive/"):
            continue  # the files of another delivery
        text = archive.read_index(f"{ENTRIES}/{names[delivery_id]}") if delivery_id in names else None
        if text is None:
            yield Difference(district_id, "entry_missing", "The archive has no entry of the delivery.", delivery_id)
            continue
        listed = {(name, file["sha256"]) for name, file in json.loads(text)["files"].items()}
        unknown = sorted(name for name, _ in listed - archived.files)
        if unknown or not listed:
            what = f"Its entry in the archive disagrees with the ledger: {named(unknown) or 'no files'}."
            yield Difference(district_id, "entry_differs", what, delivery_id)
