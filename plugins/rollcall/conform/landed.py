"""The landed rows that a build reads: are they all there, and when may they go?"""

from collections.abc import Callable
from datetime import timedelta

from psycopg import sql

from rollcall.conform.ledger import AcceptedDelivery
from rollcall.decision.touched import NEEDED
from rollcall.gate.landed import set_aside_counts
from rollcall.landing.schema import drop_relation
from rollcall.ledger import landing_schema
from rollcall.log import at_work_on, get_logger
from rollcall.oneroster import FILE_BY_NAME
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, is_there, value

log = get_logger(__name__)


def make_whole(
    session: Connection, deliveries: list[AcceptedDelivery], reland: Callable[[int], None]
) -> list[AcceptedDelivery]:
    """Land again what a crash of PostgreSQL emptied (UNLOGGED tables come back without rows), or a kill left half done.

    Args:
        session: The session that holds the conform lock.
        deliveries: What is about to be built.
        reland: Lands and gates one delivery again from the archive.

    Returns:
        The deliveries whose rows are still not all there, which must not be built.
    """
    lost = []
    for delivery in deliveries:
        if is_whole(session, delivery.delivery_id):
            continue
        with at_work_on(delivery.delivery_id):
            log.warning(
                "Landed rows of %s are gone, or were landed and not checked; landing them again.", delivery.district_id
            )
            try:
                reland(delivery.delivery_id)
            except Exception as error:  # noqa: BLE001 - one district's trouble must not stop the others
                log.warning("Landing again failed: %s.", type(error).__name__)
        if not is_whole(session, delivery.delivery_id):
            lost.append(delivery)
    return lost


def is_whole(session: Connection, delivery_id: int) -> bool:
    """Whether every file of a delivery has as many rows, landed and set aside, as the ledger says, and was gated."""
    expected = session.execute(
        "select file, coalesce(rows_landed, 0) - coalesce(rows_ragged, 0), coalesce(rows_set_aside, 0),"
        " mode = 'absent' or gated = 'together'"
        " from rollcall.delivery_file where delivery_id = %s and file = any(%s)",
        [delivery_id, list(FILE_BY_NAME)],
    ).fetchall()
    set_aside = {file: rows for file, _, rows, _ in expected if rows}
    if set_aside and set_aside_counts(session, landing_schema(delivery_id)) != set_aside:
        return False
    return all(gated and _landed_rows(session, delivery_id, file) == rows for file, rows, _, gated in expected)


def _landed_rows(session: Connection, delivery_id: int, file: str) -> int | None:
    """How many rows lie in a landed table; None if there is no such table."""
    table = sql.Identifier(landing_schema(delivery_id), FILE_BY_NAME[file].table_name)
    if not is_there(session, table):
        return None
    return int(value(session, sql.SQL("select count(*) from {}").format(table)))


def drop_landed(older_than: timedelta) -> list[int]:
    """Drop the landed rows of deliveries that were decided a while ago; the archive keeps their bytes.

    Of the delivery that readers see stays what the next night is compared with (`KEPT`), and no cell but ids and roles.

    Args:
        older_than: How long ago the last decision must be.

    Returns:
        The deliveries whose schema was dropped.

    Raises:
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    with connect(autocommit=True) as connection:
        rows = connection.execute(
            "select delivery_id, publication.delivery_id is not null from rollcall.delivery"
            " inner join pg_namespace on nspname = 'delivery_' || delivery_id"
            " left join rollcall.publication using (delivery_id)"
            " where state = any(%s)"
            " and greatest(arrived_at, decided_at, accepted_at, delivery.published_at) < now() - %s"
            " order by delivery_id",
            [[state for state in DeliveryState if state.is_settled], older_than],
        ).fetchall()
        for delivery_id in [number for number, is_published in rows if is_published]:
            with connection.transaction():
                _reduce(connection, landing_schema(delivery_id))
        dropped = [number for number, is_published in rows if not is_published]
        for delivery_id in dropped:
            schema = sql.Identifier(landing_schema(delivery_id))
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(schema))
    return dropped


KEPT = ("fingerprint_", "kept_", *NEEDED)
"""What begins the names of those tables of a delivery that a later night is compared with: the place, id and hash of
each row, the records that rows may name (`rollcall.gate.judged`), and what `rollcall.decision.touched` needs."""


def _reduce(connection: Connection, schema: str) -> None:
    """Leave of a delivery's schema what a later night is compared with; done again, it changes nothing."""
    relations = connection.execute(
        "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'v')", [schema]
    ).fetchall()
    for (name,) in relations:
        if not str(name).startswith(KEPT):
            drop_relation(connection, sql.Identifier(schema, str(name)))
