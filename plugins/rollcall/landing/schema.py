"""The schema of a delivery in work."""

from psycopg import sql

from rollcall.ledger import Delivery
from rollcall.oneroster import LANDED_FILES, File
from rollcall.warehouse import Connection, value


def make_schema(connection: Connection, delivery: Delivery) -> None:
    """Make a delivery's schema, if there is none; one at a time, because seven landings at once would race for it.

    It has a table for every file, empty until the file is landed: a build reads those that were not sent, too.
    Commits: the lock must not be held while rows are copied.
    """
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (delivery.landing_schema,))
    schema = sql.Identifier(delivery.landing_schema)
    connection.execute(sql.SQL("create schema if not exists {}").format(schema))
    for table in ("ragged_row", "row_set_aside", *(file.table_name for file in LANDED_FILES)):
        connection.execute(
            sql.SQL("create unlogged table if not exists {} (like {})").format(
                sql.Identifier(delivery.landing_schema, table), sql.Identifier("staging", table)
            )
        )
    connection.commit()


def clear_set_aside(connection: Connection, delivery: Delivery, file: File) -> None:
    """Forget which records of a file an earlier gate set aside."""
    table = sql.Identifier(delivery.landing_schema, "row_set_aside")
    connection.execute(sql.SQL("delete from {} where file = %s").format(table), (file.name,))


def drop_relation(connection: Connection, relation: sql.Identifier) -> None:
    """Drop a table or a view, whichever it is, if it is there; views of it go along."""
    name = relation.as_string(connection)
    kind = value(connection, "select relkind::text from pg_class where oid = to_regclass(%s)", (name,))
    if kind:
        drop = sql.SQL("drop view {} cascade" if kind == "v" else "drop table {} cascade")
        connection.execute(drop.format(relation))
