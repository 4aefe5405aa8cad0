"""The change list of a held delivery: what it would change, one record a line, ids only (law 7)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from psycopg import sql

from rollcall.archive.store import Archive
from rollcall.decision.forecast import Forecast
from rollcall.escaping import csv_cell_in_sql, markdown
from rollcall.oneroster import FILE_BY_NAME
from rollcall.settings import settings
from rollcall.warehouse import Connection

MOST_LINES = 20
FROM_THE_DISTRICT = ("school", "sourced_id", "new_sourced_id")
"""The columns that hold the district's own text."""
HEADING = "| file | school | published | added | changed | removed | set aside | re-keyed |"


def write_change_list(connection: Connection, found: Forecast) -> str:
    """Write the list into the archive, in place of an earlier one of the delivery.

    Its columns are file, change (added, changed, removed, set_aside, rekeyed), school, sourced_id and, of a rekeyed
    record, new_sourced_id; a rekeyed record stands among the removed and the added ones, too. Files of which nothing
    is published are left out: all of them is new. It flows from PostgreSQL to the archive in blocks; an apostrophe
    stands before an id that a spreadsheet would take for a formula.

    Returns:
        Where it lies, relative to the archive's root.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    delivery = found.comparison.delivery
    archive = Archive.of(delivery.district_id)
    name = f"changes/{delivery.service_date}-{delivery.delivery_id}-changes.csv"
    return archive.write_stream(name, _csv(connection, found))


def where_it_lies(change_list: str) -> str:
    """The list's full address, for a person.

    Args:
        change_list: As in the ledger.
    """
    return f"{settings().archive_root.rstrip('/')}/{change_list}"


class ExpectedChange(NamedTuple):
    """What a delivery would change of one file, in one school or in the whole district (`school` is ``all``)."""

    file: str
    school: str
    published: int
    added: int
    changed: int
    removed: int
    set_aside: int
    rekeyed: int


def expected_changes(connection: Connection, delivery_id: int, most: int = MOST_LINES) -> list[ExpectedChange]:
    """What a delivery would change: the district as a whole, then the schools with the largest changes.

    Args:
        connection: Any connection to the warehouse.
        delivery_id: The delivery.
        most: How many lines at most.
    """
    rows = connection.execute(
        """
        select file, coalesce(school_source_id, 'all'), published, added, changed, removed, set_aside, rekeyed
        from rollcall.expected_change
        where delivery_id = %s and against_sequence is not null and added + changed + removed + set_aside > 0
        order by school_source_id is not null, added + changed + removed + set_aside desc, file, school_source_id
        limit %s
        """,
        (delivery_id, most),
    ).fetchall()
    return [ExpectedChange(*row) for row in rows]


def largest_changes(connection: Connection, delivery_id: int) -> str:
    """The same as a Markdown table; blank if there is nothing."""
    rows = expected_changes(connection, delivery_id)
    if not rows:
        return ""
    lines = [HEADING, re.sub(r"[^|]+", "---", HEADING), *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else markdown(str(value))


def _csv(connection: Connection, found: Forecast) -> Iterator[bytes]:
    statement = sql.SQL(
        "copy (select file, change, {} from ({}) as line order by line.file, line.change, line.school, line.sourced_id)"
        " to stdout with (format csv, header)"
    ).format(sql.SQL(", ").join(map(csv_cell_in_sql, FROM_THE_DISTRICT)), _lines(found))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:
            yield bytes(block)


def _lines(found: Forecast) -> sql.Composed:
    """A query for the lines."""
    comparison = found.comparison
    parts = [
        sql.SQL(
            "select distinct file, 'set_aside' as change, null::text as school, btrim(sourced_id) as sourced_id,"
            " null::text as new_sourced_id from {} where btrim(sourced_id) <> ''"
        ).format(comparison.table("row_set_aside"))
    ]
    for each in found.files:
        file = FILE_BY_NAME[each.sent.file]
        if not each.is_compared:
            continue
        parts.append(
            sql.SQL(
                "select {file}, case when kind in ('tobedeleted', 'absent') then 'removed' else kind end,"
                " school, source_id, null from {change} where kind <> 'aside'"
            ).format(file=sql.Literal(file.name), change=comparison.change(file))
        )
        if each.district.rekeyed:
            parts.append(
                sql.SQL("select {file}, 'rekeyed', school, source_id, new_source_id from {rekeyed}").format(
                    file=sql.Literal(file.name), rekeyed=comparison.rekeyed(file)
                )
            )
    return sql.SQL(" union all ").join(parts)
