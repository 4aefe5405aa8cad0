"""How findings come into the ledger: the query that found the rows, wrapped in ``insert … select``."""

from collections.abc import Sequence

from psycopg import sql

from rollcall.gate.inspection import Evaluation, GateError
from rollcall.ledger import Delivery
from rollcall.oneroster import File
from rollcall.published import publication_of
from rollcall.warehouse import Connection, value

ROWS_LISTED = 10_000
"""How many rows of a rule in a file the ledger lists, the first ones; its count is always whole."""

RAGGED_CODES = ("row_ragged", "row_nul_byte", "row_undecodable", "row_merged")
"""The codes that landing gives to records that it could not read, and to those that it merged into another."""

MERGED = "row_merged"
"""The one of them that sets nothing aside."""

SET_ASIDE = sql.Identifier("row_set_aside")
"""The table of the delivery's schema that names every record set aside, once per code."""


def clear(connection: Connection, delivery_id: int, file: str, codes: Sequence[str]) -> None:
    """Remove what an earlier gate recorded about a file under some codes.

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        delivery_id: The delivery.
        file: The file, by the standard's name.
        codes: The codes.
    """
    for table in ("row_finding", "check_result"):
        connection.execute(
            sql.SQL("delete from {} where delivery_id = %s and file = %s and code = any(%s)").format(
                sql.Identifier("rollcall", table)
            ),
            (delivery_id, file, list(codes)),
        )
    connection.execute(
        sql.SQL("delete from {} where file = %s and code = any(%s)").format(SET_ASIDE), (file, list(codes))
    )


def landing_objected(connection: Connection, delivery_id: int, file: str, gate_codes: Sequence[str]) -> bool:
    """Whether a check that is not the gate's failed critically: landing found the file unusable."""
    return bool(
        value(
            connection,
            """
            select exists (
                select from rollcall.check_result
                where delivery_id = %s and file = %s and severity = 'critical' and rows_failed > 0
                    and not code = any(%s)
            )
            """,
            (delivery_id, file, list(gate_codes)),
        )
    )


def record_checks(
    connection: Connection, delivery_id: int, evaluations: Sequence[Evaluation], rows_checked: int
) -> None:
    """Write that rules were checked, passed or not."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into rollcall.check_result (delivery_id, file, code, severity, rows_checked, rows_failed)
            values (%s, %s, %s, %s, %s, %s)
            """,
            [
                (delivery_id, each.rule.file, each.rule.code, each.rule.severity, rows_checked, each.rows_failed)
                for each in evaluations
            ],
        )


def record_rows(connection: Connection, delivery_id: int, evaluation: Evaluation) -> None:
    """Write the rows that break a rule, if some do: the first of them into the ledger, and all that it sets aside.

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        delivery_id: The delivery.
        evaluation: What the rule found.

    Raises:
        GateError: the rows are not as many as were counted; nothing of the kind may be published.
    """
    if not evaluation.rows_failed:
        return
    if evaluation.rule.severity == "critical":
        set_aside(connection, evaluation)
        list_set_aside(connection, delivery_id, evaluation.rule.file, evaluation.rule.code, evaluation.rule.column)
    else:
        list_rows(connection, delivery_id, evaluation)


def set_aside(connection: Connection, evaluation: Evaluation, into: sql.Composable = SET_ASIDE) -> None:
    """Name every row that breaks a critical rule.

    Args:
        connection: A connection whose search path is the delivery's schema.
        evaluation: What the rule found.
        into: The table to write to, of the columns of ``row_set_aside``.

    Raises:
        GateError: the rows are not as many as were counted.
    """
    if not evaluation.rows_failed or evaluation.rows_query is None:
        return
    rule = evaluation.rule
    cursor = connection.execute(
        sql.SQL(
            "insert into {} (file, code, row_number, sourced_id) "
            "select %s, %s, failing.line, failing.id from ({}) as failing (line, id)"
        ).format(into, _failing_rows(evaluation.rows_query)),
        (rule.file, rule.code),
    )
    _refuse_another_count(evaluation, cursor.rowcount, evaluation.rows_failed)


def list_set_aside(connection: Connection, delivery_id: int, file: str, code: str, column: str | None = None) -> None:
    """Write the first rows that a code sets aside into the ledger.

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        delivery_id: The delivery.
        file: The file, by the standard's name.
        code: The code.
        column: The column that the code is about.
    """
    connection.execute(
        sql.SQL(
            """
            insert into rollcall.row_finding
                (delivery_id, file, code, severity, row_number, sourced_id, column_name)
            select %s, file, code, 'critical', row_number, sourced_id, %s
            from {} where file = %s and code = %s order by row_number limit %s
            """
        ).format(SET_ASIDE),
        (delivery_id, column, file, code, ROWS_LISTED),
    )


def list_rows(connection: Connection, delivery_id: int, evaluation: Evaluation) -> None:
    """Write the first rows that break a rule which sets nothing aside into the ledger.

    Raises:
        GateError: the rows are not as many as were counted.
    """
    if not evaluation.rows_failed or evaluation.rows_query is None:
        return
    rule = evaluation.rule
    cursor = connection.execute(
        sql.SQL(
            """
            insert into rollcall.row_finding
                (delivery_id, file, code, severity, row_number, sourced_id, column_name)
            select %s, %s, %s, %s, failing.line, failing.id, %s from ({}) as failing (line, id)
            order by failing.line limit %s
            """
        ).format(_failing_rows(evaluation.rows_query)),
        (delivery_id, rule.file, rule.code, rule.severity, rule.column, ROWS_LISTED),
    )
    _refuse_another_count(evaluation, cursor.rowcount, min(evaluation.rows_failed, ROWS_LISTED))


def _failing_rows(query: str) -> sql.SQL:
    """A query as Great Expectations wrote it: a literal percent sign in it is none of psycopg's."""
    return sql.SQL(query.replace("%%", "%").replace("%", "%%"))


def _refuse_another_count(evaluation: Evaluation, written: int, expected: int) -> None:
    """What is listed and what was counted must be one."""
    if written != expected:
        raise GateError(
            f"{evaluation.rule.code} counted {evaluation.rows_failed} rows, but its query selects {written}."
        )


def record_ragged_rows(connection: Connection, delivery: Delivery, file: File) -> None:
    """Write the records that are in no table: those that landing could not read are set aside.

    The first cell of such a record is told only where it is the id of a published record: it might as well be a name
    (law 7).

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        delivery: The delivery.
        file: The file.
    """
    connection.execute(
        sql.SQL(
            """
            insert into {set_aside} (file, code, row_number, sourced_id)
            select file, code, _row, published.id
            from ragged_row
            left join ({published}) as published on published.id = btrim(ragged_row.first_cell)
            where file = %s and code <> %s
            """
        ).format(set_aside=SET_ASIDE, published=publication_of(connection, delivery.district_id).records(file)),
        (file.name, MERGED),
    )
    found = connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_checked, rows_failed)
        select
            delivery_file.delivery_id, file, ragged_row.code,
            case when ragged_row.code = %s then 'warning' else 'critical' end,
            delivery_file.rows_landed, count(*)
        from ragged_row
        inner join rollcall.delivery_file using (file)
        where delivery_file.delivery_id = %s and file = %s
        group by delivery_file.delivery_id, file, ragged_row.code, delivery_file.rows_landed
        returning code
        """,
        (MERGED, delivery.delivery_id, file.name),
    ).fetchall()
    for (code,) in found:
        if code == MERGED:
            _list_merged(connection, delivery.delivery_id, file)
        else:
            list_set_aside(connection, delivery.delivery_id, file.name, str(code))


def _list_merged(connection: Connection, delivery_id: int, file: File) -> None:
    """The first records that landing merged into another, which counts."""
    connection.execute(
        """
        insert into rollcall.row_finding (delivery_id, file, code, severity, row_number, sourced_id)
        select %s, file, code, 'warning', _row, btrim(first_cell)
        from ragged_row where file = %s and code = %s order by _row limit %s
        """,
        (delivery_id, file.name, MERGED, ROWS_LISTED),
    )
