"""Upkeep of the ledger: the details of old deliveries go, their counts and their decisions stay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql
from psycopg.rows import class_row

from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect

DETAILS: Mapping[str, sql.SQL] = {
    "row_finding": sql.SQL("true"),
    "expected_change": sql.SQL("detail.school_source_id is not null"),
}
"""The ledger's tables with a row per record, or per school, of a delivery; and which rows are details. What stays:
``check_result`` has the count of every code, and ``expected_change`` the district's line of every file."""


@dataclass(frozen=True)
class Removal:
    """Details that were removed from one table.

    Attributes:
        deliveries: Of how many deliveries.
        rows_removed: How many rows.
    """

    relation: str
    deliveries: int
    rows_removed: int


def remove_old_details(older_than: timedelta) -> list[Removal]:
    """Remove the details of deliveries that were decided long ago, and write into the ledger that it was done.

    A delivery that still waits, or that readers see, keeps its details.

    Args:
        older_than: How long ago a delivery's last decision must be.

    Returns:
        What was removed; nothing of a table that held nothing old.

    Raises:
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    with connect() as connection:
        return [removal for relation in DETAILS for removal in _remove(connection, relation, older_than)]


def _remove(connection: Connection, relation: str, older_than: timedelta) -> list[Removal]:
    """Remove from one table; the removal and its row in the ledger are one statement."""
    statement = sql.SQL(
        """
        with removed as (
            delete from {table} as detail
            using rollcall.delivery
            where detail.delivery_id = delivery.delivery_id
                and {is_detail}
                and delivery.state = any(%(decided)s)
                and greatest(arrived_at, decided_at, accepted_at, published_at) < now() - %(older_than)s
                and delivery.delivery_id not in (select publication.delivery_id from rollcall.publication)
            returning detail.delivery_id
        )
        insert into rollcall.upkeep (relation, deliveries, rows_removed, decided_before)
        select %(relation)s, count(distinct delivery_id), count(*), now() - %(older_than)s
        from removed having count(*) > 0
        returning relation, deliveries, rows_removed
        """
    ).format(table=sql.Identifier("rollcall", relation), is_detail=DETAILS[relation])
    settled = [state for state in DeliveryState if state.is_settled]
    with connection.cursor(row_factory=class_row(Removal)) as cursor:
        cursor.execute(statement, {"decided": settled, "older_than": older_than, "relation": relation})
        return cursor.fetchall()
