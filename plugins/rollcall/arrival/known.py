"""Which files of an inbox were taken in before: where a district's inbox is kept, they lie there still."""

from collections.abc import Iterable

from rollcall.arrival.listing import InboxFile
from rollcall.ledger import files_read
from rollcall.names import is_text
from rollcall.warehouse import connect


def read_before(district_id: str, listing: Iterable[InboxFile]) -> frozenset[InboxFile]:
    """The files of a listing that the ledger has with this name, size and time.

    Raises:
        WarehouseError: the ledger cannot be asked.
    """
    names = [file.name for file in listing if is_text(file.name)]
    with connect() as connection:
        return frozenset(InboxFile(*known) for known in files_read(connection, district_id, names))
