"""What was found about a person's records: the ledger's lines, and the receipts and change lists that name them."""

import csv
from collections.abc import Iterator, Sequence

from rollcall.archive.store import Archive
from rollcall.escaping import from_csv_cell
from rollcall.forget.record import Act, Places, Records, count
from rollcall.report.receipt import number_in
from rollcall.report.withdrawn import withdraw
from rollcall.warehouse import Connection, connect

FINDINGS = "findings"
FOLDERS = {"receipts": "receipts", "changes": "change lists"}
ID_COLUMNS = ("sourced_id", "new_sourced_id")


def remove_findings(connection: Connection, deliveries: Sequence[int], records: Records) -> Places:
    """Remove the ledger's findings about some records of some deliveries; the counts of each code stay.

    Args:
        connection: A transaction of the loader.
        deliveries: Their numbers.
        records: Whose findings.
    """
    files, ids = records.pairs
    removed = connection.execute(
        """
        delete from rollcall.row_finding as finding
        using unnest(%s::text[], %s::text[]) as record (file, source_id)
        where finding.delivery_id = any(%s) and finding.file = record.file
            and btrim(finding.sourced_id) = record.source_id
        """,
        (files, ids, list(deliveries)),
    ).rowcount
    places = Places()
    places.add(FINDINGS, removed)
    return places


def remove_papers(act: Act, archive: Archive, records: Records) -> Places:
    """Remove the archive's receipts and change lists that name some records, whole: the ledger has their counts.

    Args:
        act: Under which row of the ledger; nothing is written where it is a dry run.
        archive: The district's.
        records: Whose papers.
    """
    places = Places()
    for folder, place in FOLDERS.items():
        names = archive.names_in(folder)
        naming = [
            name
            for name in names
            if name.endswith(".csv") and _names(records, archive.read_index(f"{folder}/{name}") or "")
        ]
        numbers = set(map(number_in, naming))
        going = [name for name in names if number_in(name) in numbers]
        going.sort(key=naming.__contains__)  # killed, it is told by these what else has to go
        places.add(place, len(going))
        if not act.is_dry_run:
            _remove(act, archive, folder, going)
    return places


def _remove(act: Act, archive: Archive, folder: str, names: Sequence[str]) -> None:
    for name in names:
        with connect() as connection:
            number = number_in(name)
            if folder == "changes":
                connection.execute(
                    "update rollcall.hold set change_list = null where change_list = %s",
                    [archive.path_of(f"{folder}/{name}")],
                )
            elif number is not None:
                withdraw(connection, number)
                connection.commit()  # before its file goes: killed, nobody would know of the account's copy
            archive.remove(archive.path_of(f"{folder}/{name}"))
            count(connection, act, Places({FOLDERS[folder]: 1}))


def _names(records: Records, text: str) -> bool:
    """Whether a receipt's or a change list's lines name one of the records."""
    return any(records.names(file, *ids) for file, ids in _lines(text))


def _lines(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in csv.DictReader(text.splitlines()):
        ids = [from_csv_cell(line[name]) for name in ID_COLUMNS if line.get(name)]
        yield (line.get("file") or "").removesuffix(".csv"), ids
