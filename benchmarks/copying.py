"""The yardstick: a bare COPY of a delivery's files into unlogged text tables without keys."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

SCHEMA = "bare_copy"
BLOCK_BYTES = 1024 * 1024


def bare_copy(url: str, files: Sequence[Path]) -> float:
    """Copy the files one after the other, as they are, each in a transaction of its own; the tables are dropped.

    Args:
        url: The server's database.
        files: CSV files, each with a header of column names.

    Returns:
        The seconds that the COPY statements took.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"drop schema if exists {SCHEMA} cascade")
        connection.execute(f"create schema {SCHEMA}")
        seconds = sum(_copy(connection, file) for file in files)
        connection.execute(f"drop schema {SCHEMA} cascade")
    return seconds


def _copy(connection: "psycopg.Connection[tuple[object, ...]]", file: Path) -> float:
    table = sql.Identifier(SCHEMA, file.stem)
    with file.open(encoding="utf-8", newline="") as stream:
        columns = next(csv.reader(stream))
    cells = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in columns)
    connection.execute(sql.SQL("create unlogged table {} ({})").format(table, cells))
    begun = time.perf_counter()
    statement = sql.SQL("copy {} from stdin (format csv, header)").format(table)
    with file.open("rb") as source, connection.cursor() as cursor, cursor.copy(statement) as copy:
        while block := source.read(BLOCK_BYTES):
            copy.write(block)
    return time.perf_counter() - begun
