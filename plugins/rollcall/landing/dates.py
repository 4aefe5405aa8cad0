"""Dates that are written otherwise, and beyond doubt: landed cells in the standard's form, ``2026-08-27``."""

from collections.abc import Sequence

from psycopg import sql

from rollcall.findings import Finding, Place
from rollcall.oneroster import Column
from rollcall.warehouse import Connection

US_DATE = (
    r"^ *(0?[1-9]|1[0-2])/(0?[1-9]|[12][0-9]|3[01])/[12][0-9]{3}"
    r"( +[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?( *[AaPp][Mm])?)? *$"
)
"""Month, day and year, with a time or without. A day above twelve in the first place makes it another habit."""

DATE_WITH_TIME = r"^ *[0-9]{4}-[0-9]{2}-[0-9]{2}[T ] *[0-9]{1,2}:[0-9]{2}"
"""A date of the standard's form, and a time behind it."""

FROM_US = """
left(split_part(btrim({column}), '/', 3), 4)
|| '-' || lpad(split_part(btrim({column}), '/', 1), 2, '0')
|| '-' || lpad(split_part({column}, '/', 2), 2, '0')
"""
WITHOUT_TIME = "case when {column} ~ {with_time} then left(btrim({column}), 10) else {column} end"


def tidy_dates(connection: Connection, table: sql.Identifier, columns: Sequence[Column]) -> list[Finding]:
    """Rewrite the columns of a landed file in which every date is American, and the dates that have a time behind them.

    A column in which only some dates are American is left as it is: what the others mean is not sure.

    Args:
        connection: The transaction in which the file was landed.
        table: The file's table.
        columns: The columns that the file has.
    """
    dates = [column for column in columns if column.kind == "date"]
    odd = _where_any(connection, table, dates, "{column} not like '____-__-__'")
    if not odd:
        return []
    other = _where_any(connection, table, odd, "{column} !~ {american} and btrim({column}) <> ''")
    american = [column for column in odd if column not in other]
    timed = _where_any(connection, table, other, "{column} ~ {with_time}")
    changes = [_assignment(column, FROM_US) for column in american]
    changes += [_assignment(column, WITHOUT_TIME) for column in timed]
    if changes:
        connection.execute(sql.SQL("update {} set {}").format(table, sql.SQL(", ").join(changes)))
    found = [
        Finding("column_us_dates", places=tuple(Place(column.name) for column in american)),
        Finding("column_dates_with_time", places=tuple(Place(column.name) for column in timed)),
    ]
    return [finding for finding in found if finding.places]


def _where_any(
    connection: Connection, table: sql.Identifier, columns: Sequence[Column], condition: str
) -> list[Column]:
    """The columns of which some cell meets a condition; one look at the table."""
    if not columns:
        return []
    asked = [_filled_in(f"coalesce(bool_or({condition}), false)", column) for column in columns]
    row = connection.execute(sql.SQL("select {} from {}").format(sql.SQL(", ").join(asked), table)).fetchone() or ()
    return [column for column, met in zip(columns, row, strict=True) if met]


def _assignment(column: Column, expression: str) -> sql.Composed:
    return sql.SQL("{} = {}").format(sql.Identifier(column.column_name), _filled_in(expression, column))


def _filled_in(expression: str, column: Column) -> sql.Composed:
    """An expression about a column, with the column and the patterns in their places."""
    return sql.SQL(expression).format(
        column=sql.Identifier(column.column_name),
        american=sql.Literal(US_DATE),
        with_time=sql.Literal(DATE_WITH_TIME),
    )
