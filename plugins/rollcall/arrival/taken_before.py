"""What the ledger knows of the files that lie in an inbox."""

from collections.abc import Iterable

from rollcall.arrival.listing import InboxFile
from rollcall.ledger import files_read, last_manifest
from rollcall.names import is_text
from rollcall.warehouse import connect


def read_before(district_id: str, listing: Iterable[InboxFile]) -> frozenset[InboxFile]:
    """The files of a listing that were taken in before; where a district's inbox is kept, they lie there still.

    They are told by name, size and time.

    Raises:
        WarehouseError: the ledger cannot be asked.
    """
    names = [file.name for file in listing if is_text(file.name)]
    with connect() as connection:
        return frozenset(InboxFile(*known) for known in files_read(connection, district_id, names))


def is_news(district_id: str, manifest: InboxFile) -> bool:
    """Whether a manifest came after the one of the district's last delivery.

    The server's times are compared with each other only; of the same second, one of another size is a new one.

    Raises:
        WarehouseError: the ledger cannot be asked.
    """
    with connect() as connection:
        last = last_manifest(connection, district_id)
    if last is None:
        return True
    size, modified = last
    return manifest.modified > modified or (manifest.modified == modified and manifest.size != size)
