"""Connections to the warehouse whose errors never quote a row (law 7)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import TupleRow, scalar_row

from rollcall.local import local_services
from rollcall.settings import settings

Connection = psycopg.Connection[TupleRow]
Role = Literal["rollcall_loader", "rollcall_dbt", "roster_exporter", "roster_restricted_exporter"]


class WarehouseError(Exception):
    """A failed statement, told without the values that PostgreSQL's own message would quote.

    Attributes:
        sqlstate: PostgreSQL's five-character error code, or None when the connection itself failed.
    """

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def warehouse_url() -> str:
    """The warehouse's ``postgresql://`` URL: Airflow's connection ``warehouse``, or the local stack's.

    Raises:
        WarehouseError: neither is configured.
    """
    configured = settings().warehouse.get_secret_value()
    if configured:
        return configured.replace("postgres://", "postgresql://", 1)
    services = local_services(settings().state_dir)
    if services is None:
        raise WarehouseError(
            "No warehouse is configured. Start the local stack with `rollcall up`, or set AIRFLOW_CONN_WAREHOUSE."
        )
    return services.warehouse_url


@contextmanager
def connect(
    url: str | None = None,
    *,
    role: Role | None = "rollcall_loader",
    autocommit: bool = False,
    search_path: str | None = None,
) -> Iterator[Connection]:
    """A connection to the warehouse; commits on leaving, rolls back on an error.

    Args:
        url: The warehouse's URL; the configured one when not given.
        role: The role whose rights the stage needs, and no others; None for those of the login itself, which an
            engineer's commands use.
        autocommit: Whether each statement commits by itself.
        search_path: The schemas that unqualified names are looked up in.

    Raises:
        WarehouseError: a statement or the connection failed; what PostgreSQL said is redacted.
    """
    try:
        with psycopg.connect(url or warehouse_url(), autocommit=True, application_name="rollcall") as connection:
            _set(connection, "role", role)
            _set(connection, "search_path", search_path)
            connection.autocommit = autocommit  # from here on: what a transaction sets, its rollback takes back
            yield connection
    except psycopg.Error as error:
        raise redacted(error) from None


def _set(connection: Connection, name: str, to: str | None) -> None:
    """Set something for the session, by a statement: a connection pool would refuse or drop it as an option.

    Raises:
        WarehouseError: the login may not take on a role.
    """
    try:
        if to:
            connection.execute("select set_config(%s, %s, false)", (name, to))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue) as error:
        raise WarehouseError(
            f"The warehouse's login may not take on the role {to}. Run `rollcall deploy`; to a login that does not own "
            f"the warehouse, its owner has to grant {to}.",
            error.sqlstate,
        ) from None


def value(connection: Connection, statement: QueryNoTemplate, parameters: Params | None = None) -> Any:
    """The first column of the one row that a statement returns; None where it returns no row."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def values(connection: Connection, statement: QueryNoTemplate, parameters: Params | None = None) -> list[Any]:
    """The first column of all rows that a statement returns."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def is_there(connection: Connection, relation: sql.Identifier) -> bool:
    """Whether the warehouse has a table or view of that name."""
    return value(connection, "select to_regclass(%s)", [relation.as_string(connection)]) is not None


def redacted(error: psycopg.Error) -> WarehouseError:
    """The error as it may be logged: its kind and the objects it names, never the message's quoted values."""
    diagnosis = error.diag
    if diagnosis.sqlstate is None:
        return WarehouseError(f"The warehouse cannot be reached or went away ({type(error).__name__}).")
    named = [diagnosis.schema_name, diagnosis.table_name, diagnosis.column_name, diagnosis.constraint_name]
    objects = " ".join(name for name in named if name)
    return WarehouseError(
        f"PostgreSQL refused a statement: {type(error).__name__} (SQLSTATE {diagnosis.sqlstate})"
        + (f" at {objects}" if objects else ""),
        diagnosis.sqlstate,
    )
