"""The published roster as what a district sends: a OneRoster 1.1 zip, every file in bulk.

What is published under one id in several school years can stand in a file only once: the latest year counts.
"""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from psycopg import sql

from rollcall.arrival.manifest import REQUIRED, VERSION
from rollcall.oneroster import FILES, MANIFEST, NEVER_LANDED, Column, File
from rollcall.private import create
from rollcall.published import Publication
from rollcall.warehouse import Connection, value

ZIP_NAME = "oneroster.zip"
RESTRICTED = frozenset({"demographics"})
"""Files that only the role for demographics may read."""
WITHOUT_CONTENT = frozenset({"status", "dateLastModified"}) | NEVER_LANDED
"""Columns that are blank in bulk, or that Rollcall does not keep."""


def write_zip(
    connection: Connection,
    publication: Publication,
    path: Path,
    *,
    restricted: bool,
    told: Callable[[str, int, int], None],
) -> dict[str, int]:
    """Write what is published of a district as a OneRoster 1.1 zip; the same publication gives the same bytes.

    Args:
        connection: A transaction that may read the published records.
        publication: What is published.
        path: The zip, which is not there yet.
        restricted: Whether demographics are to be in it.
        told: Called before each file.

    Returns:
        How many records each file has; files without any are not in it.
    """
    rows: dict[str, int] = {}
    files = [file for file in FILES if restricted or file.name not in RESTRICTED]
    with create(path) as target, ZipFile(target, "w") as package:
        for number, file in enumerate(files):
            told(file.file_name, number, len(files))
            if _is_published(connection, publication, file):
                with package.open(_member(file.file_name, publication), "w", force_zip64=True) as member:
                    rows[file.name] = _write_file(connection, publication, file, member)
        told("written", len(files), len(files))
        package.writestr(_member(f"{MANIFEST}.csv", publication), _manifest(rows))
    return rows


def _member(name: str, publication: Publication) -> ZipInfo:
    """A file of the zip, dated to the night."""
    assert publication.night is not None  # noqa: S101 -- it is published
    member = ZipInfo(name, date_time=(publication.night.year, publication.night.month, publication.night.day, 0, 0, 0))
    member.compress_type = ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _is_published(connection: Connection, publication: Publication, file: File) -> bool:
    return bool(value(connection, sql.SQL("select exists (select {})").format(publication.versions(file))))


def _write_file(connection: Connection, publication: Publication, file: File, member: IO[bytes]) -> int:
    """Write one file, by its id; answers how many records it has."""
    further = _further_columns(connection, publication, file)
    member.write(_line([*(column.name for column in file.columns), *further]))
    cells = [*map(_cell, file.columns), *(sql.SQL("version.metadata ->> {}").format(name) for name in further)]
    query = sql.SQL("copy (select {once} {cells} {published} order by {order}) to stdout (format csv)").format(
        once=sql.SQL("distinct on (version.source_id)" if file.is_of_a_school_year else ""),
        cells=sql.SQL(", ").join(cells),
        published=publication.versions(file),
        order=sql.SQL(
            "version.source_id, version.school_year desc" if file.is_of_a_school_year else "version.source_id"
        ),
    )
    with connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for block in copy:
                member.write(block)
        return cursor.rowcount


def _further_columns(connection: Connection, publication: Publication, file: File) -> list[str]:
    """The header cells of the columns that the standard does not know."""
    query = sql.SQL("select distinct jsonb_object_keys(version.metadata) {} order by 1").format(
        publication.versions(file)
    )
    return [str(name) for (name,) in connection.execute(query).fetchall()]


def _cell(column: Column) -> sql.Composable:
    """What is written for a column, read back to the same."""
    if column.name in WITHOUT_CONTENT:
        return sql.SQL("null")
    attribute = sql.Identifier("version", column.attribute)
    if column.kind in ("list", "ids"):
        return sql.SQL("array_to_string({}, ',')").format(attribute)
    return sql.SQL("{}::text").format(attribute)


def _manifest(rows: dict[str, int]) -> bytes:
    """manifest.csv: what is there is in bulk."""
    values = {"manifest.version": "1.0", VERSION: "1.1"} | {f"file.{name}": "bulk" for name in rows}
    lines = [("propertyName", "value"), *((name, values.get(name, "absent")) for name in REQUIRED)]
    return b"".join(map(_line, [*lines, ("source.systemName", "Rollcall")]))


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()
