"""Marts as CSV and as Parquet, a district at a time, row by row through bounded memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from rollcall.escaping import csv_cell_in_sql
from rollcall.private import create
from rollcall.warehouse import Connection

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 20_000
"""Rows that are in memory at once, and of a Parquet file's row group."""

_MARTS = """
    select
        pg_namespace.nspname,
        pg_class.relname,
        array_agg(pg_attribute.attname::text order by pg_attribute.attnum),
        array_agg(format_type(pg_attribute.atttypid, pg_attribute.atttypmod) order by pg_attribute.attnum)
    from pg_class
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    inner join pg_attribute on pg_class.oid = pg_attribute.attrelid and pg_attribute.attnum > 0
    where
        pg_namespace.nspname in ('roster', 'roster_restricted')
        and pg_class.relkind = 'v'
        and has_schema_privilege(pg_namespace.oid, 'usage')
        and has_table_privilege(pg_class.oid, 'select')
    group by pg_namespace.nspname, pg_class.relname
    order by pg_namespace.nspname, pg_class.relname
"""


@dataclass(frozen=True)
class Mart:
    """A mart that may be read.

    Attributes:
        types: PostgreSQL's type of each column, by the column's name, in the mart's order.
    """

    schema: str
    name: str
    types: dict[str, str]

    def rows(self, district_id: str, cells: Mapping[str, sql.Composable]) -> sql.Composed:
        """The query of a district's rows, each column as the expression that is given for it."""
        columns = [sql.SQL("{} as {}").format(cell, sql.Identifier(name)) for name, cell in cells.items()]
        return sql.SQL("select {} from {} where district_id = {}").format(
            sql.SQL(", ").join(columns), sql.Identifier(self.schema, self.name), sql.Literal(district_id)
        )


def marts(connection: Connection) -> list[Mart]:
    """The marts that the session's role may read, those without demographics first."""
    return [
        Mart(str(schema), str(name), dict(zip(columns, types, strict=True)))
        for schema, name, columns, types in connection.execute(_MARTS).fetchall()
    ]


def write_csv(connection: Connection, mart: Mart, district_id: str, path: Path) -> int:
    """Write a district's rows of a mart as CSV, header first; lists as comma-separated text.

    It is what people open in a spreadsheet: what one would take for a formula gets an apostrophe.

    Returns:
        How many rows it has.
    """
    texts = {name: sql.SQL(_as_text(kind)).format(sql.Identifier(name)) for name, kind in mart.types.items()}
    cells = [
        csv_cell_in_sql(name) if kind in ("text", "text[]") else sql.Identifier(name)
        for name, kind in mart.types.items()
    ]
    query = sql.SQL("copy (select {} from ({}) as mart) to stdout (format csv, header)").format(
        sql.SQL(", ").join(cells), mart.rows(district_id, texts)
    )
    with create(path) as file, connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount


def _as_text(kind: str) -> str:
    """How a column of a type is written into a cell."""
    return "array_to_string({}, ',')" if kind.endswith("[]") else "{}::text"


def write_parquet(connection: Connection, mart: Mart, district_id: str, path: Path) -> int:
    """Write a district's rows of a mart as Parquet, every value as it is.

    Returns:
        How many rows it has.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    known = _arrow_types()
    schema = pa.schema([(name, known.get(kind, pa.string())) for name, kind in mart.types.items()])
    cells: dict[str, sql.Composable] = {
        name: sql.Identifier(name) if kind in known else sql.SQL("{}::text").format(sql.Identifier(name))
        for name, kind in mart.types.items()
    }
    number = 0
    with (
        create(path) as file,
        ParquetWriter(file, schema, compression="zstd") as writer,
        connection.cursor("export", binary=True) as cursor,
    ):
        cursor.execute(mart.rows(district_id, cells))
        while rows := cursor.fetchmany(BATCH_ROWS):
            arrays = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            number += len(rows)
    return number


def _arrow_types() -> "dict[str, pa.DataType]":
    """Arrow's type for each of PostgreSQL's that marts have; all others are written as text."""
    import pyarrow as pa

    return {
        "text": pa.string(),
        "text[]": pa.list_(pa.string()),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "double precision": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    }
