"""How findings come into the ledger: the query that found the rows, wrapped in ``insert … select``."""

from collections.abc import Sequence

from psycopg import sql

from rollcall.gate.inspection import Evaluation, GateError
from rollcall.gate.published import published_ids
from rollcall.oneroster import File
from rollcall.warehouse import Connection

ROWS_LISTED = 10_000
"""How many rows of a check that sets nothing aside are listed; its count is always whole."""

RAGGED_CODES = ("row_ragged", "row_nul_byte", "row_undecodable", "row_merged")
"""The codes that landing gives to records that it could not read, and to those that it merged into another."""

LEDGER = sql.Identifier("rollcall", "row_finding")


def clear(connection: Connection, delivery_id: int, file: str, codes: Sequence[str]) -> None:
    """Remove what an earlier gate recorded about a file under some codes."""
    for table in ("row_finding", "check_result"):
        connection.execute(
            sql.SQL("delete from {} where delivery_id = %s and file = %s and code = any(%s)").format(
                sql.Identifier("rollcall", table)
            ),
            (delivery_id, file, list(codes)),
        )


def landing_objected(connection: Connection, delivery_id: int, file: str, gate_codes: Sequence[str]) -> bool:
    """Whether a check that is not the gate's failed critically: landing found the file unusable."""
    row = connection.execute(
        """
        select exists (
            select from rollcall.check_result
            where delivery_id = %s and file = %s and severity = 'critical' and rows_failed > 0 and not code = any(%s)
        )
        """,
        (delivery_id, file, list(gate_codes)),
    ).fetchone()
    return bool(row and row[0])


def record_check(connection: Connection, delivery_id: int, evaluation: Evaluation, rows_checked: int) -> None:
    """Write that a rule was checked, passed or not."""
    rule = evaluation.rule
    connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_checked, rows_failed)
        values (%s, %s, %s, %s, %s, %s)
        """,
        (delivery_id, rule.file, rule.code, rule.severity, rows_checked, evaluation.rows_failed),
    )


def insert_rows(
    connection: Connection, delivery_id: int, evaluation: Evaluation, into: sql.Composable = LEDGER
) -> None:
    """Write the rows that break a rule.

    Args:
        connection: A connection whose search path is the delivery's schema.
        delivery_id: The delivery.
        evaluation: What the rule found.
        into: The table to write to, of the ledger's columns.

    Raises:
        GateError: the rows are not as many as were counted; nothing of the kind may be published.
    """
    rule = evaluation.rule
    if not evaluation.rows_failed or evaluation.rows_query is None:
        return
    listed = evaluation.rows_failed if rule.severity == "critical" else min(evaluation.rows_failed, ROWS_LISTED)
    # A literal percent sign is none of psycopg's: the query goes to PostgreSQL as Great Expectations wrote it.
    query = evaluation.rows_query.replace("%%", "%").replace("%", "%%")
    statement = sql.SQL(
        "insert into {} (delivery_id, file, code, severity, row_number, sourced_id, column_name) "
        "select %s, %s, %s, %s, failing.line, failing.id, %s from ({}) as failing (line, id)"
        + _limit(evaluation, listed)
    ).format(into, sql.SQL(query))
    cursor = connection.execute(statement, (delivery_id, rule.file, rule.code, rule.severity, rule.column))
    if cursor.rowcount != listed:
        raise GateError(f"{rule.code} counted {evaluation.rows_failed} rows, but its query selects {cursor.rowcount}.")


def _limit(evaluation: Evaluation, listed: int) -> str:
    """The first rows only, where not all are listed."""
    return "" if listed == evaluation.rows_failed else f" order by failing.line limit {listed}"


def record_ragged_rows(connection: Connection, delivery_id: int, file: File) -> None:
    """Write the records that are in no table: those that landing could not read are set aside.

    The first cell of such a record is told only where it is the id of a published record: it might as well be a name
    (law 7).

    Args:
        connection: A connection whose search path is the delivery's schema.
        delivery_id: The delivery.
        file: The file.
    """
    connection.execute(
        sql.SQL(
            """
            insert into rollcall.row_finding (delivery_id, file, code, severity, row_number, sourced_id)
            select
                %(delivery_id)s, file, code, case when code = 'row_merged' then 'warning' else 'critical' end, _row,
                case when code = 'row_merged' then btrim(first_cell) else published.id end
            from ragged_row
            left join ({published}) as published on published.id = btrim(ragged_row.first_cell)
            where file = %(file)s
            """
        ).format(published=published_ids(connection, delivery_id, file)),
        {"delivery_id": delivery_id, "file": file.name},
    )
    connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_checked, rows_failed)
        select
            delivery_file.delivery_id, file, ragged_row.code,
            case when ragged_row.code = 'row_merged' then 'warning' else 'critical' end,
            delivery_file.rows_landed, count(*)
        from ragged_row
        inner join rollcall.delivery_file using (file)
        where delivery_file.delivery_id = %s and file = %s
        group by delivery_file.delivery_id, file, ragged_row.code, delivery_file.rows_landed
        """,
        (delivery_id, file.name),
    )
