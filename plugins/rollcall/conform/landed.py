"""The landed rows that a build reads: are they all there?"""

from collections.abc import Callable

from psycopg import sql

from rollcall.conform.ledger import AcceptedDelivery
from rollcall.gate.landed import set_aside_counts
from rollcall.ledger import landing_schema
from rollcall.log import at_work_on, get_logger
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection, is_there, value

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
