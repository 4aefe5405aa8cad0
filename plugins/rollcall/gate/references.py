"""What the cross-file rules look references up in: views ``known_<table>`` in the delivery's schema."""

from collections.abc import Mapping, Sequence

from psycopg import sql

from rollcall.gate.findings import LEDGER
from rollcall.gate.landed import LandedFile
from rollcall.gate.published import published_ids
from rollcall.oneroster import FILES, File
from rollcall.warehouse import Connection

FINDINGS_SO_FAR = sql.Identifier("finding_so_far")
"""The delivery's findings while it is gated, where each rule sees what the rules before it set aside."""


def collect_findings(connection: Connection, delivery_id: int, own_codes: Sequence[str]) -> None:
    """Make the table of the findings so far, holding what set rows aside before.

    Args:
        connection: A connection whose search path is the delivery's schema.
        delivery_id: The delivery.
        own_codes: Codes that are about to be found anew.
    """
    table = {"table": FINDINGS_SO_FAR, "ledger": LEDGER}
    connection.execute(sql.SQL("drop table if exists {table} cascade").format(**table))
    connection.execute(sql.SQL("create unlogged table {table} (like {ledger})").format(**table))
    connection.execute(
        sql.SQL(
            """
            insert into {table} select * from {ledger}
            where delivery_id = %s and severity = 'critical' and not code = any(%s)
            """
        ).format(**table),
        (delivery_id, list(own_codes)),
    )
    connection.execute(sql.SQL("create index on {table} (file, row_number)").format(**table))


def publish_findings(connection: Connection, own_codes: Sequence[str]) -> None:
    """Take the findings of the cross-file rules over into the ledger.

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        own_codes: The codes of these rules.
    """
    connection.execute(
        sql.SQL("insert into {ledger} select * from {table} where code = any(%s)").format(
            table=FINDINGS_SO_FAR, ledger=LEDGER
        ),
        (list(own_codes),),
    )


def create_known_views(connection: Connection, delivery_id: int, landed: Mapping[str, LandedFile]) -> None:
    """Make a view ``known_<table>`` for each of the seven files: the ids that a reference may name.

    They are the delivered ones that were not set aside, and where the delivery does not hold the whole file, the
    published ones too.

    Args:
        connection: A connection whose search path is the delivery's schema.
        delivery_id: The delivery.
        landed: The files that have a table, by name.
    """
    for file in FILES:
        delivered = landed.get(file.name)
        parts = [_accepted_ids(file)] if delivered else []
        if delivered is None or not delivered.is_complete:
            parts.append(published_ids(connection, delivery_id, file))
        connection.execute(
            sql.SQL("create or replace view {} as {}").format(
                sql.Identifier(f"known_{file.table_name}"), sql.SQL(" union all ").join(parts)
            )
        )


def _accepted_ids(file: File) -> sql.Composed:
    """A query for the ids in a file's table that are not set aside."""
    return sql.SQL(
        """
        select btrim(landed.sourced_id) as id
        from {table} as landed
        where landed.sourced_id is not null
            and not exists (
                select from {findings} as finding
                where finding.file = {file} and finding.severity = 'critical' and finding.row_number = landed._row
            )
        """
    ).format(table=sql.Identifier(file.table_name), findings=FINDINGS_SO_FAR, file=sql.Literal(file.name))
