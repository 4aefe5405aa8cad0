"""Old receipts and change lists go from the archive; the ledger has their counts."""

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta

from rollcall.archive.store import Archive
from rollcall.ledger import district_ids, old_deliveries
from rollcall.report.receipt import number_in
from rollcall.upkeep.record import Removal, moment_before, record
from rollcall.warehouse import Connection, connect

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
        districts = district_ids(connection)
    for district_id in districts:
        archive = Archive.of(district_id)
        with connect() as connection:
            for number, names in _papers(archive, old_deliveries(connection, district_id, before)).items():
                removal = Removal(WHAT, 1, len(names), sum(archive.size_of(name) for name in names))
                if not dry_run:
                    _remove(connection, archive, number, names)
                    record(connection, removal, before)
                    connection.commit()  # killed, it has told all but the delivery that it was at
                total += removal
    return [total]


def _remove(connection: Connection, archive: Archive, delivery_id: int, names: list[str]) -> None:
    connection.execute("update rollcall.hold set change_list = null where delivery_id = %s", [delivery_id])
    for name in names:
        archive.remove(name)


def _papers(archive: Archive, old: Collection[int]) -> dict[int, list[str]]:
    """Where the receipts and change lists of old deliveries lie, by the delivery."""
    found = defaultdict(list)
    for folder in FOLDERS:
        for name in archive.names_in(folder):
            number = number_in(name)
            if number is not None and number in old:
                found[number].append(archive.path_of(f"{folder}/{name}"))
    return found
