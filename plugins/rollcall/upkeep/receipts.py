"""Old receipts and change lists go from the archive; the ledger has their counts."""

from collections.abc import Iterator
from datetime import timedelta

from rollcall.archive.store import Archive
from rollcall.ledger import old_deliveries
from rollcall.report.receipt import number_in
from rollcall.upkeep.record import Removal, moment_before, record
from rollcall.warehouse import connect, values

WHAT = "receipts"
FOLDERS = ("receipts", "changes")


def remove_receipts(older_than: timedelta, *, dry_run: bool = False) -> list[Removal]:
    """Remove the archive's receipts and change lists of deliveries that were settled long ago.

    Args:
        older_than: How long ago a delivery's last decision must be.
        dry_run: Whether it is only counted.

    Returns:
        What was removed, as one.

    Raises:
        ArchiveError: the archive refused.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    before, total = moment_before(older_than), Removal(WHAT)
    with connect() as connection:
        districts = values(connection, "select district_id from rollcall.district order by district_id")
    for district_id in districts:
        with connect() as connection:
            old = old_deliveries(connection, district_id, before)
            archive = Archive.of(district_id)
            found = [(number, name) for number, name in _papers(archive) if number in old]
            removal = Removal(WHAT, len({number for number, _ in found}), len(found), _size(archive, found))
            if not dry_run:
                connection.execute(
                    "update rollcall.hold set change_list = null where delivery_id = any(%s)"
                    " and change_list is not null",
                    [sorted({number for number, _ in found})],
                )
                for _, name in found:
                    archive.remove(archive.path_of(name))
                record(connection, removal, before)
            total += removal
    return [total]


def _papers(archive: Archive) -> Iterator[tuple[int, str]]:
    """Each receipt and change list, with the number of its delivery."""
    for folder in FOLDERS:
        for name in archive.names_in(folder):
            number = number_in(name)
            if number is not None:
                yield number, f"{folder}/{name}"


def _size(archive: Archive, found: list[tuple[int, str]]) -> int:
    return sum(archive.size_of(archive.path_of(name)) for _, name in found)
