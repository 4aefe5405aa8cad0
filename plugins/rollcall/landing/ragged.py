"""Where the records that do not fit are kept: a table of the delivery's schema, written while the others are copied."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from psycopg import sql

from rollcall.landing.records import RaggedRow
from rollcall.ledger import Delivery
from rollcall.oneroster import File
from rollcall.warehouse import Connection, connect

BATCH_ROWS = 10_000
BATCH_CHARACTERS = 4 * 1024 * 1024


class RaggedRows:
    """Writes records that do not fit, in batches, through a connection of its own: landing's is busy copying."""

    def __init__(self, table: sql.Identifier, file: File, stack: ExitStack) -> None:
        self._statement = sql.SQL("copy {} (_row, file, code, first_cell) from stdin").format(table)
        self._file = file
        self._stack = stack
        self._connection: Connection | None = None
        self._batch: list[RaggedRow] = []
        self._characters = 0

    def add(self, row: RaggedRow) -> None:
        """Keep a record's place."""
        self._batch.append(row)
        self._characters += len(row.first_cell)
        if len(self._batch) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self.write()

    def write(self) -> None:
        """Write down what was added since the last time."""
        if not self._batch:
            return
        if self._connection is None:
            self._connection = self._stack.enter_context(connect(autocommit=True))
        with self._connection.cursor() as cursor, cursor.copy(self._statement) as copy:
            for row in self._batch:
                copy.write_row((row.line, self._file.name, row.code, row.first_cell))
        self._batch, self._characters = [], 0


@contextmanager
def ragged_rows(delivery: Delivery, file: File) -> Iterator[RaggedRows]:
    """A place for a file's ragged records."""
    with ExitStack() as stack:
        rows = RaggedRows(ragged_table(delivery), file, stack)
        yield rows
        rows.write()


def clear_ragged_rows(connection: Connection, delivery: Delivery, file: File) -> None:
    """Forget a file's ragged records."""
    connection.execute(sql.SQL("delete from {} where file = %s").format(ragged_table(delivery)), (file.name,))


def ragged_table(delivery: Delivery) -> sql.Identifier:
    """The table of a delivery's ragged records."""
    return sql.Identifier(delivery.landing_schema, "ragged_row")
