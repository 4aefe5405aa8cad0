"""Accepted deliveries made directly in SQL: what landing, gate and decision leave behind, without running them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

import psycopg
from helpers.asking import ask
from psycopg import sql

from rollcall.landing.typed import row_hash
from rollcall.oneroster import FILE_BY_NAME, LANDED_FILES

Row = Mapping[str, Any]
Files = Mapping[str, Sequence[Row]]

FIRST_NIGHT = date(2026, 10, 1)
ENDED = "valid_from_seq = 0, valid_to_seq = 1, end_reason = 'missing', ended_on = '2026-11-16'"
"""What a version is set to that the first sequence does not have any more."""


def accept(
    url: str,
    district_id: str,
    sequence: int,
    files: Files,
    *,
    service_date: date = FIRST_NIGHT,
    no_evidence: Collection[str] = (),
    set_aside: Collection[tuple[str, int]] = (),
    enrollment_end_date: str = "inclusive",
) -> int:
    """Leave an accepted delivery in the warehouse.

    Args:
        url: The warehouse.
        district_id: The district, made if it is new.
        sequence: The accepted sequence.
        files: Rows per file; keys are the standard's file names, the rows' keys the warehouse's column names. A file
            that is not named is absent.
        service_date: The night.
        no_evidence: Files whose gaps say nothing; absent files never say anything.
        set_aside: (file, row number) with a critical finding; the first record of a file lies in row 2.
        enrollment_end_date: The district's habit.

    Returns:
        The delivery's id.
    """
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into rollcall.district values (%s, %s, %s) on conflict do nothing",
            [district_id, f"District {district_id}", enrollment_end_date],
        )
        delivery_id = connection.execute(
            "insert into rollcall.delivery"
            " (district_id, service_date, run_id, state, accepted_at, decided_at, accepted_sequence)"
            " values (%s, %s, %s, 'accepted', now(), now(), %s) returning delivery_id",
            [district_id, service_date, f"run_{sequence}", sequence],
        ).fetchone()[0]  # type: ignore[index]
        for name in files:
            connection.execute(
                "insert into rollcall.delivery_file (delivery_id, file, sent_name, archive_path, sha256, size_bytes,"
                " rows_landed, rows_ragged, absence_is_evidence, gated)"
                " values (%s, %s, %s, '', '', 0, %s, 0, %s, 'together')",
                [delivery_id, name, f"{name}.csv", len(files[name]), name not in no_evidence],
            )
        land(connection, delivery_id, files)
        for name, row_number in set_aside:
            put_aside(connection, delivery_id, name, row_number, files[name][row_number - 2]["sourced_id"])
    return int(delivery_id)


def land(connection: psycopg.Connection[Any], delivery_id: int, files: Files) -> None:
    """Make the delivery's schema, with the rows of its files."""
    schema = f"delivery_{delivery_id}"
    connection.execute("set local role rollcall_loader")
    connection.execute(f"drop schema if exists {schema} cascade")
    connection.execute(f"create schema {schema}")
    for table in ("ragged_row", "row_set_aside", *(file.table_name for file in LANDED_FILES)):
        connection.execute(f"create unlogged table {schema}.{table} (like staging.{table} including all)")
    for name, rows in files.items():
        land_file(connection, delivery_id, name, rows)
    connection.execute("reset role")


def put_aside(
    connection: psycopg.Connection[Any],
    delivery_id: int,
    file: str,
    row_number: int,
    sourced_id: str | None,
    code: str = "test",
) -> None:
    """Have a critical finding on a row of a landed file, as the gate leaves it."""
    connection.execute(
        "insert into rollcall.row_finding (delivery_id, file, code, severity, row_number, sourced_id)"
        " values (%s, %s, %s, 'critical', %s, %s)",
        [delivery_id, file, code, row_number, sourced_id],
    )
    connection.execute("set local role rollcall_loader")
    table = f"delivery_{delivery_id}.row_set_aside"
    connection.execute(f"insert into {table} values (%s, %s, %s, %s)", [file, code, row_number, sourced_id])
    connection.execute(
        f"update rollcall.delivery_file set rows_set_aside = (select count(distinct row_number) from {table}"
        " where file = %(file)s) where delivery_id = %(delivery_id)s and file = %(file)s",
        {"file": file, "delivery_id": delivery_id},
    )
    connection.execute("reset role")


def land_file(connection: psycopg.Connection[Any], delivery_id: int, name: str, rows: Sequence[Row]) -> None:
    """Put rows into one file's table of a delivery's schema."""
    columns = ["_row", *(column.column_name for column in FILE_BY_NAME[name].landed_columns), "_metadata"]
    target = f"delivery_{delivery_id}.{FILE_BY_NAME[name].table_name} ({', '.join(columns)})"
    with connection.cursor().copy(f"copy {target} from stdin") as copy:
        for number, row in enumerate(rows, start=2):
            copy.write_row([number, *(row.get(column) for column in columns[1:])])


def hash_versions(connection: psycopg.Connection[Any], *files: str) -> None:
    """Give versions that a test has put into history the hash of what they say."""
    for name in files:
        file = FILE_BY_NAME[name]
        connection.execute(
            sql.SQL("update {} set row_hash = {}").format(
                sql.Identifier("history", f"hist_{file.table_name}"), row_hash(file)
            )
        )


def reland_nothing(delivery_id: int) -> None:
    """A ``reland`` for tests in which no landed row is lost."""
    raise AssertionError(f"Delivery {delivery_id} should not have to be landed again.")


def query(url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    if statement.lstrip().startswith("select"):
        return ask(url, statement, parameters)
    with psycopg.connect(url) as connection:
        return connection.execute(statement, parameters).fetchall()


def execute(url: str, statement: str, *parameters: Any) -> None:
    """Run a statement."""
    with psycopg.connect(url) as connection:
        connection.execute(statement, parameters)
