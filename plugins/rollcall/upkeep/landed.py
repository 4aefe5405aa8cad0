"""The landed rows of settled deliveries go; the archive keeps their bytes."""

from datetime import timedelta

from psycopg import sql

from rollcall.decision.touched import NEEDED
from rollcall.landing.schema import drop_relation
from rollcall.ledger import SETTLED, landing_schema
from rollcall.upkeep.record import Removal, moment_before, record
from rollcall.warehouse import Connection, connect


def drop_landed(older_than: timedelta, *, dry_run: bool = False) -> list[int]:
    """Drop the landed rows of deliveries that were decided a while ago; the archive keeps their bytes.

    Of the delivery that readers see stays what the next night is compared with (`KEPT`), and no cell but ids and roles.

    Args:
        older_than: How long ago the last decision must be.
        dry_run: Whether nothing is dropped.

    Returns:
        The deliveries whose schema was dropped, or would be.

    Raises:
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    before = moment_before(older_than)
    with connect(autocommit=True) as connection:
        rows = connection.execute(
            "select delivery_id, publication.delivery_id is not null from rollcall.delivery"
            " inner join pg_namespace on nspname = 'delivery_' || delivery_id"
            " left join rollcall.publication using (delivery_id)"
            " where state = any(%s)"
            " and greatest(arrived_at, decided_at, accepted_at, delivery.published_at) < %s"
            " order by delivery_id",
            [SETTLED, before],
        ).fetchall()
        dropped = [number for number, is_published in rows if not is_published]
        if dry_run:
            return dropped
        for delivery_id in [number for number, is_published in rows if is_published]:
            with connection.transaction():
                _reduce(connection, landing_schema(delivery_id))
        for delivery_id in dropped:
            schema = sql.Identifier(landing_schema(delivery_id))
            with connection.transaction():
                connection.execute(sql.SQL("drop schema if exists {} cascade").format(schema))
                record(connection, Removal("landed", 1, 1), before)
    return dropped


KEPT = ("fingerprint_", "kept_", *NEEDED)
"""What begins the names of those tables of a delivery that a later night is compared with: the place, id and hash of
each row, the records that rows may name (`rollcall.gate.rest`), and what `rollcall.decision.touched` needs."""


def _reduce(connection: Connection, schema: str) -> None:
    """Leave of a delivery's schema what a later night is compared with; done again, it changes nothing."""
    relations = connection.execute(
        "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'v')", [schema]
    ).fetchall()
    for (name,) in relations:
        if not str(name).startswith(KEPT):
            drop_relation(connection, sql.Identifier(schema, str(name)))
