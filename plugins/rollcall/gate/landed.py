"""The files of a delivery that the gate finds landed."""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from rollcall.gate.inspection import LandedRowsGoneError
from rollcall.ledger import landing_schema
from rollcall.oneroster import FILE_BY_NAME, File
from rollcall.warehouse import Connection, is_there, value


@dataclass(frozen=True)
class LandedFile:
    """A file with a table in the delivery's schema.

    Attributes:
        file: The file.
        rows: Rows in its table.
        mode: ``bulk`` or ``delta``, as the manifest says.
        rejected: Whether its verdict is ``reject``.
    """

    file: File
    rows: int
    mode: str
    rejected: bool

    @property
    def is_complete(self) -> bool:
        """Whether the table is all there is: what it does not hold does not exist."""
        return self.mode == "bulk" and self.rows > 0 and not self.rejected


def lock_landed_files(connection: Connection, delivery_id: int, names: Iterable[str]) -> dict[str, LandedFile]:
    """Those of some files that were sent and landed, by name; another gate on them waits until this one ends.

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        delivery_id: The delivery.
        names: The files, by the standard's names.

    Raises:
        LandedRowsGoneError: a table holds fewer or more rows than were landed, or were set aside; a crash of the
            database empties it.
    """
    entries = connection.execute(
        """
        select file, mode, coalesce(verdict = 'reject', false), rows_landed - coalesce(rows_ragged, 0), rows_set_aside
        from rollcall.delivery_file
        where delivery_id = %s and file = any(%s) and mode <> 'absent'
        order by file
        for update
        """,
        (delivery_id, list(names)),
    ).fetchall()
    landed, set_aside = {}, set_aside_counts(connection, landing_schema(delivery_id))
    for name, mode, rejected, rows_expected, set_aside_expected in entries:
        file = FILE_BY_NAME[str(name)]
        rows = _row_count(connection, landing_schema(delivery_id), file)
        if rows is None:
            continue
        if rows != rows_expected and not rejected:
            raise LandedRowsGoneError(
                f"{file.file_name}: {rows_expected} rows were landed, {rows} are there. Land it again."
            )
        if set_aside is None or (set_aside.get(file.name, 0) != (set_aside_expected or 0) and not rejected):
            raise LandedRowsGoneError(f"{file.file_name}: which records are set aside is not known. Land it again.")
        landed[file.name] = LandedFile(file, rows, str(mode), bool(rejected))
    return landed


def set_aside_counts(connection: Connection, schema: str) -> dict[str, int] | None:
    """How many records of each file are set aside; None where no table says so.

    Args:
        connection: Any connection to the warehouse.
        schema: The delivery's.
    """
    table = sql.Identifier(schema, "row_set_aside")
    if not is_there(connection, table):
        return None
    counted = connection.execute(
        sql.SQL("select file, count(distinct row_number) from {} group by file").format(table)
    ).fetchall()
    return dict(counted)


def _row_count(connection: Connection, schema: str, file: File) -> int | None:
    """How many rows a file's table holds; None without a table."""
    table = sql.Identifier(schema, file.table_name)
    if not is_there(connection, table):
        return None
    return int(value(connection, sql.SQL("select count(*) from {}").format(table)))
