"""The schema of a delivery in work."""

from psycopg import sql

from rollcall.ledger import Delivery
from rollcall.warehouse import Connection


def make_schema(connection: Connection, delivery: Delivery) -> None:
    """Make a delivery's schema, if there is none; one at a time, because seven landings at once would race for it.

    Commits: the lock must not be held while rows are copied.
    """
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (delivery.landing_schema,))
    schema = sql.Identifier(delivery.landing_schema)
    connection.execute(sql.SQL("create schema if not exists {}").format(schema))
    connection.execute(
        sql.SQL("create unlogged table if not exists {}.ragged_row (like staging.ragged_row)").format(schema)
    )
    connection.commit()
