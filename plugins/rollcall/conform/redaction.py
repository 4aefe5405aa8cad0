"""dbt's PostgreSQL errors, told without the values that PostgreSQL quotes (law 7).

dbt puts an error's text into its log, its results and its exceptions. Cutting it there would be too late; so the text
is made harmless where dbt turns PostgreSQL's error into its own. What remains is the kind of error and its SQLSTATE,
which also tells a district's data from trouble with the machinery.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

DATA_ERROR_CLASSES = ("21", "22", "23", "54")
"""SQLSTATE classes that a row can cause: cardinality, data, integrity, a value larger than an index takes."""

_REFUSAL = re.compile(r"PostgreSQL refused a statement: \w+ \(SQLSTATE (\w{5})\)")


def redact_dbt(*, lock_timeout: str | None = None) -> None:
    """Have dbt use sessions whose errors quote nothing, whose role stays, and which it keeps from model to model.

    Args:
        lock_timeout: How long their statements wait for a lock, as PostgreSQL takes it; None for ever.
    """
    from dbt.adapters.postgres.connections import PostgresConnectionManager
    from dbt.adapters.postgres.impl import PostgresAdapter

    class RedactingConnectionManager(PostgresConnectionManager):
        """dbt's own, but for the profile's role, which outlives a rollback, errors without values, and fewer logins."""

        exception_handler = _exception_handler

        @classmethod
        def open(cls, connection: Any) -> Any:
            """Commit the ``set role`` that dbt leaves in an open transaction: the first rollback would undo it."""
            opened = super().open(connection)  # type: ignore[no-untyped-call]  # dbt has not typed it
            if lock_timeout:
                with opened.handle.cursor() as cursor:
                    cursor.execute("select set_config('lock_timeout', %s, false)", [lock_timeout])
            opened.handle.commit()
            return opened

        def release(self) -> None:
            """Keep the thread's session for its next model: a new one has to log in and to read the catalog again."""
            connection = self.get_if_exists()
            if connection is None or connection.state != "open":
                super().release()
            elif not _end_transaction(connection):
                self.clear_thread_connection()

    PostgresAdapter.ConnectionManager = RedactingConnectionManager


def _end_transaction(connection: Any) -> bool:
    """Roll back what is open on a session; whether it is still there."""
    import psycopg2  # type: ignore[import-untyped]  # it brings no types; dbt uses it, not we

    try:
        connection.handle.rollback()
    except psycopg2.Error:
        return False
    connection.transaction_open = False
    return True


@contextmanager
def _exception_handler(connections: Any, sql: Any) -> Iterator[None]:  # noqa: ARG001 - the name that dbt gives it
    """Roll back, and raise what may be told: in the place of dbt's ``exception_handler``."""
    import psycopg2
    from dbt_common.exceptions import DbtDatabaseError

    try:
        yield
    except BaseException as error:
        with suppress(psycopg2.Error):
            connections.rollback_if_open()
        if isinstance(error, psycopg2.Error):
            raise DbtDatabaseError(_told(error)) from None
        raise


def _told(error: Exception) -> str:
    """A psycopg2 error in words of ours, which ``is_data_error`` knows again."""
    sqlstate = getattr(error, "pgcode", None)
    if sqlstate is None:
        return f"The warehouse cannot be reached or went away ({type(error).__name__})."
    return f"PostgreSQL refused a statement: {type(error).__name__} (SQLSTATE {sqlstate})"


def is_data_error(message: str | None) -> bool:
    """Whether a node's message tells of a value that PostgreSQL could not take."""
    refusal = _REFUSAL.search(message or "")
    return refusal is not None and refusal.group(1).startswith(DATA_ERROR_CLASSES)


def in_short(message: str | None) -> str | None:
    """A node's message without the paths that dbt adds."""
    refusal = _REFUSAL.search(message or "")
    return refusal.group(0) if refusal else message
