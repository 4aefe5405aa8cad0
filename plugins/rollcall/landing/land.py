"""The step ``land``: one archived file into the delivery's schema, by COPY, in one transaction."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from psycopg import sql

from rollcall import ledger
from rollcall.archive.store import Archive
from rollcall.landing.codes import READING
from rollcall.landing.encoding import Encoding, detect, utf8_blocks
from rollcall.landing.header import Header, read_header
from rollcall.landing.records import LONGEST_RECORD_BYTES, RecordReader, UnreadableFileError
from rollcall.landing.schema import make_schema
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import FILE_BY_NAME, File
from rollcall.settings import settings
from rollcall.warehouse import Connection, connect

Log = Callable[[str], None]

HEADER_LINE = 1
CODES = tuple(code.code for code in READING if not code.code.startswith("row_"))
"""The codes of what concerns the file as a whole; those of rows are the gate's to record."""


class Finding(NamedTuple):
    """One of landing's checks that did not pass."""

    code: str
    severity: str
    columns: tuple[str, ...] = ()


def land(delivery_id: int, file_name: str, *, log: Log) -> int:
    """Land one file of a delivery; landing it again replaces what was there.

    Args:
        file_name: The standard's name of the file, ``users`` for users.csv.

    Returns:
        How many records the file holds, those included that could not be split into columns.

    Raises:
        UnknownDeliveryError: the ledger has no such delivery or file.
        FileNotFoundError: the archive does not hold what the ledger says.
        WarehouseError: PostgreSQL refused.
    """
    file = FILE_BY_NAME[file_name]
    with connect() as connection:
        delivery = ledger.delivery(connection, delivery_id)
        entry = _entry(connection, delivery, file_name)
        make_schema(connection, delivery)
        archive = Archive(settings().archive_root, delivery.district_id)
        with archive.open(entry.archive_path) as source:
            encoding = detect(source)
        with archive.open(entry.archive_path) as source:
            rows = _land_blocks(connection, delivery, file, encoding, utf8_blocks(source, encoding))
    log(f"Landed {rows:,} records of {file.file_name} ({encoding}).")
    return rows


def _entry(connection: Connection, delivery: Delivery, file_name: str) -> DeliveryFile:
    for entry in ledger.files_of(connection, delivery.delivery_id):
        if entry.file == file_name:
            return entry
    raise ledger.UnknownDeliveryError(f"Delivery {delivery.delivery_id} holds no {file_name}.csv.")


def _land_blocks(
    connection: Connection, delivery: Delivery, file: File, encoding: Encoding, blocks: Iterator[bytes]
) -> int:
    """Header, table, records, findings."""
    table = _make_table(connection, delivery, file)
    findings = [Finding("encoding_not_utf8", "warning")] if encoding != "utf-8" else []
    reader: RecordReader | None = None
    try:
        line, rest = _first_line(blocks)
        header = read_header(line, file)
        findings += _header_findings(header)
        if not any(finding.code == "file_unreadable" for finding in findings):
            reader = RecordReader(header)
            _copy(connection, table, reader, header, itertools.chain([rest], blocks))
    except UnreadableFileError:
        reader = None
        findings.append(Finding("file_unreadable", "critical"))
    _record(connection, delivery, file, encoding, reader, findings)
    return reader.rows if reader else 0


def _first_line(blocks: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The header line, and what of the blocks read so far follows it."""
    data = b""
    for block in blocks:
        data += block
        if b"\n" in data:
            line, _, rest = data.partition(b"\n")
            return line, rest
        if len(data) > LONGEST_RECORD_BYTES:
            raise UnreadableFileError("a line is longer than 16 MiB: this is not a CSV file")
    return data, b""


def _make_table(connection: Connection, delivery: Delivery, file: File) -> sql.Identifier:
    """The file's table, empty, in the delivery's own schema."""
    table = sql.Identifier(delivery.landing_schema, file.table_name)
    template = sql.Identifier("staging", file.table_name)
    connection.execute(sql.SQL("drop table if exists {} cascade").format(table))
    connection.execute(sql.SQL("create unlogged table {} (like {})").format(table, template))
    return table


def _copy(
    connection: Connection, table: sql.Identifier, reader: RecordReader, header: Header, blocks: Iterator[bytes]
) -> None:
    """Stream the records into the table; a blank cell, quoted or not, becomes null."""
    columns = [sql.Identifier(column.column_name) for column, _ in header.positions]
    statement = sql.SQL("copy {} ({}) from stdin (format csv, force_null ({}))").format(
        table,
        sql.SQL(", ").join([sql.Identifier("_row"), *columns]),
        sql.SQL(", ").join(columns),
    )
    # A savepoint: when the reader gives up, what landing saw is still to be written down.
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement) as copy:
        for data in reader.copy_data(blocks):
            copy.write(data)


def _header_findings(header: Header) -> list[Finding]:
    """What is wrong with the header. Its cells are never quoted: without a header they are a pupil's."""
    if not any(column.name == "sourcedId" for column, _ in header.positions):
        return [Finding("file_unreadable", "critical")]
    found = [
        Finding("column_missing", "critical", tuple(column.name for column in header.missing)),
        Finding("column_optional_missing", "warning", tuple(column.name for column in header.missing_optional)),
        Finding("column_unknown", "info", tuple(f"cell {index + 1}" for index in header.unknown)),
        Finding("column_miscased", "warning", tuple(column.name for column in header.miscased)),
    ]
    return [finding for finding in found if finding.columns]


def _record(
    connection: Connection,
    delivery: Delivery,
    file: File,
    encoding: Encoding,
    reader: RecordReader | None,
    findings: list[Finding],
) -> None:
    """Write what landing saw into the ledger, in place of what an earlier landing saw."""
    key = (delivery.delivery_id, file.name)
    connection.execute(
        "delete from rollcall.check_result where delivery_id = %s and file = %s and code = any(%s)",
        (*key, list(CODES)),
    )
    connection.execute(
        "delete from rollcall.row_finding where delivery_id = %s and file = %s and code = any(%s)",
        (*key, list(CODES)),
    )
    for finding in findings:
        _record_finding(connection, key, finding)
    _record_ragged(connection, delivery, file, reader)
    failed = [finding for finding in findings if finding.severity == "critical"]
    connection.execute(
        """
        update rollcall.delivery_file
        set encoding = %s, rows_landed = %s, rows_ragged = %s, rows_set_aside = null, verdict = %s, verdict_reason = %s
        where delivery_id = %s and file = %s
        """,
        (
            encoding,
            reader.rows if reader else 0,
            len(reader.ragged) if reader else 0,
            "reject" if failed else None,
            " ".join(_sentence(finding, file) for finding in failed) or None,
            *key,
        ),
    )


def _record_finding(connection: Connection, key: tuple[int, str], finding: Finding) -> None:
    connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)
        values (%s, %s, %s, %s, %s)
        """,
        (*key, finding.code, finding.severity, max(len(finding.columns), 1)),
    )
    for column in finding.columns:
        connection.execute(
            """
            insert into rollcall.row_finding (delivery_id, file, code, severity, row_number, column_name)
            values (%s, %s, %s, %s, %s, %s)
            """,
            (*key, finding.code, finding.severity, HEADER_LINE, column),
        )


def _record_ragged(connection: Connection, delivery: Delivery, file: File, reader: RecordReader | None) -> None:
    """Keep the ragged records' places in the delivery's schema, where the gate finds them."""
    table = sql.Identifier(delivery.landing_schema, "ragged_row")
    connection.execute(sql.SQL("delete from {} where file = %s").format(table), (file.name,))
    if reader is None or not reader.ragged:
        return
    statement = sql.SQL("copy {} (_row, file, code, first_cell) from stdin").format(table)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in reader.ragged:
            copy.write_row((row.line, file.name, row.code, row.first_cell))


def _sentence(finding: Finding, file: File) -> str:
    if finding.code == "column_missing":
        return (
            f"{file.file_name} has no column {', '.join(finding.columns)}. Export it with all columns of OneRoster 1.1."
        )
    return f"{file.file_name} is not a OneRoster file: its first line does not name the standard's columns."
