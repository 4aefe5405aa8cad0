"""The ledger's details of old deliveries go; their counts and their decisions stay."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from psycopg import sql

from rollcall.ledger import OLD, SETTLED
from rollcall.upkeep.record import Removal, moment_before, record
from rollcall.warehouse import Connection, connect

DETAILS: Mapping[str, sql.SQL] = {
    "row_finding": sql.SQL("true"),
    "expected_change": sql.SQL("school_source_id is not null"),
}
"""The ledger's tables with a row per record, or per school, of a delivery; and which rows are details. What stays:
``check_result`` has the count of every code, and ``expected_change`` the district's line of every file."""


def remove_old_details(older_than: timedelta, *, dry_run: bool = False) -> list[Removal]:
    """Remove the details of deliveries that were decided long ago, and write into the ledger that it was done.

    A delivery that still waits, or that readers see, keeps its details.

    Args:
        older_than: How long ago a delivery's last decision must be.
        dry_run: Whether it is only counted.

    Returns:
        What was removed, by table.

    Raises:
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    before = moment_before(older_than)
    removals = []
    for relation in DETAILS:
        with connect() as connection:
            removal = _counted(connection, relation, before)
            if not dry_run and removal.removed:
                connection.execute(_of_old("delete {rows}", relation), _parameters(before))
                record(connection, removal, before)
        removals.append(removal)
    return removals


def _counted(connection: Connection, relation: str, before: datetime) -> Removal:
    statement = _of_old("select count(distinct delivery_id), count(*) {rows}", relation)
    row = connection.execute(statement, _parameters(before)).fetchone()
    return Removal(relation, *(row or ()))


def _of_old(statement: str, relation: str) -> sql.Composed:
    """A statement about the details of old deliveries in one table."""
    rows = sql.SQL(f"from {{table}} where {{is_detail}} and delivery_id in ({OLD})").format(
        table=sql.Identifier("rollcall", relation), is_detail=DETAILS[relation]
    )
    return sql.SQL(statement).format(rows=rows)


def _parameters(before: datetime) -> dict[str, object]:
    return {"settled": SETTLED, "before": before}
