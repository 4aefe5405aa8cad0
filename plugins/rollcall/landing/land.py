"""The step ``land``: archived files into the delivery's schema, by COPY, each in one transaction."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from psycopg import sql

from rollcall import ledger
from rollcall.archive.store import Archive
from rollcall.codes import codes_on
from rollcall.findings import Finding, replace_findings
from rollcall.landing import formats
from rollcall.landing.dates import tidy_dates
from rollcall.landing.encoding import Encoding, detect, utf8_blocks
from rollcall.landing.header import Header, read_header
from rollcall.landing.header_findings import header_findings
from rollcall.landing.people import merge_rows_per_school
from rollcall.landing.ragged import clear_ragged_rows, ragged_rows, ragged_table
from rollcall.landing.records import FileEnd, LineTooLongError, RaggedFileError, RecordReader, first_line
from rollcall.landing.schema import clear_set_aside, make_schema
from rollcall.landing.typed import make_typed
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.log import get_logger
from rollcall.oneroster import FILE_BY_NAME, ROLES, Column, File
from rollcall.progress import tell
from rollcall.warehouse import Connection, connect

log = get_logger(__name__)
CODES = [name for name in codes_on("reading") if not name.startswith("row_")]
"""The codes of what concerns a file as a whole; those of records are the gate's to record."""


@dataclass
class Landing:
    """One file on its way into the delivery's schema.

    Attributes:
        connection: The transaction in which everything happens but what concerns ragged records.
        entry: The file as the ledger has it.
        has_roles: Whether the delivery holds roles.csv.
        findings: What was found about the file as a whole, so far.
        format: What the file is: ``OneRoster 1.1``, ``an Excel workbook``.
        rows: Records, ragged ones included.
        ragged: Ragged records.
        end: How the file ends; None when it holds no record.
    """

    connection: Connection
    delivery: Delivery
    entry: DeliveryFile
    file: File
    has_roles: bool
    encoding: Encoding = "utf-8"
    findings: list[Finding] = field(default_factory=list)
    format: str | None = None
    header_line: int = 1
    rows: int = 0
    ragged: int = 0
    end: FileEnd | None = None

    @property
    def table(self) -> sql.Identifier:
        """The file's table."""
        return sql.Identifier(self.delivery.landing_schema, self.file.table_name)

    def refuse(self, finding: Finding) -> None:
        """Note that the file is not a OneRoster CSV file; nothing of it counts."""
        self.findings = [finding]
        self.format = formats.NAMES.get(finding.code)
        self.rows = self.ragged = 0
        self.end = None


def land_files(delivery_id: int, file_names: Sequence[str]) -> dict[str, int]:
    """Land some files of a delivery; landing one again replaces what was there.

    Args:
        delivery_id: The delivery.
        file_names: The files, by the standard's names (``users`` for users.csv).

    Returns:
        How many records each file holds, those included that could not be split into columns.

    Raises:
        UnknownDeliveryError: the ledger has no such delivery or file.
        FileNotFoundError: the archive does not hold what the ledger says.
        WarehouseError: PostgreSQL refused. What was landed before stays, here and above.
    """
    with connect() as connection:
        delivery = ledger.delivery(connection, delivery_id)
        entries = {entry.file: entry for entry in ledger.files_of(connection, delivery_id)}
        make_schema(connection, delivery)
        rows = {}
        for number, name in enumerate(file_names):
            tell(f"reading {name}.csv", number, len(file_names))
            if name not in entries:
                raise ledger.UnknownDeliveryError(f"Delivery {delivery_id} holds no {name}.csv.")
            landing = Landing(connection, delivery, entries[name], FILE_BY_NAME[name], ROLES.name in entries)
            _land_file(landing)
            connection.commit()
            rows[name] = landing.rows
    return rows


def _land_file(landing: Landing) -> None:
    """The file's table and its typed relation, and what the ledger says of it."""
    archive = Archive.of(landing.delivery.district_id)
    _make_table(landing)
    with archive.open(landing.entry.archive_path) as source:
        foreign = formats.of_bytes(source.read(formats.HEAD_BYTES))
    if foreign:
        landing.refuse(foreign)
    else:
        _land(landing, archive)
    make_typed(landing.connection, landing.delivery, landing.file)
    _record(landing)
    log.info(
        "Landed %s records of %s (%s, %s).",
        f"{landing.rows:,}",
        landing.file.file_name,
        landing.format,
        landing.encoding,
    )


def _make_table(landing: Landing) -> None:
    """The file's table, empty, in the delivery's own schema."""
    template = sql.Identifier("staging", landing.file.table_name)
    clear_ragged_rows(landing.connection, landing.delivery, landing.file)
    clear_set_aside(landing.connection, landing.delivery, landing.file)
    landing.connection.commit()  # the connection that keeps ragged records must not wait for this one
    landing.connection.execute(sql.SQL("drop table if exists {} cascade").format(landing.table))
    landing.connection.execute(sql.SQL("create unlogged table {} (like {})").format(landing.table, template))


def _land(landing: Landing, archive: Archive) -> None:
    """Encoding, header, records."""
    with archive.open(landing.entry.archive_path) as source:
        landing.encoding = detect(source)
    with archive.open(landing.entry.archive_path) as source:
        blocks = utf8_blocks(source, landing.encoding)
        try:
            line, landing.header_line, rest = first_line(blocks)
            header = _header(landing, line, rest)
            if header:
                _copy(landing, header, itertools.chain([rest], blocks))
                _tidy(landing, [column for column, _ in header.positions])
        except (LineTooLongError, RaggedFileError) as error:
            clear_ragged_rows(landing.connection, landing.delivery, landing.file)
            landing.refuse(_beyond_use(error))


def _beyond_use(error: LineTooLongError | RaggedFileError) -> Finding:
    """Why reading was given up."""
    if isinstance(error, RaggedFileError):
        return Finding("file_ragged", detail=f"The first is on line {error.first_line:,}.")
    return Finding("file_line_too_long")


def _header(landing: Landing, line: bytes, rest: bytes) -> Header | None:
    """The header, and what is wrong with it; none when the file is not a OneRoster CSV file."""
    text = (line[: formats.HEAD_BYTES] + b"\n" + rest[: formats.HEAD_BYTES]).decode("utf-8", errors="replace")
    header = read_header(line, landing.file, landing.header_line)
    foreign = formats.of_text(text) or formats.of_header(text.partition("\n")[0], header) or formats.too_wide(header)
    if not foreign and not (header.names_id or header.is_recognised):
        foreign = formats.without_header(header)
    if foreign:
        landing.refuse(foreign)
        return None
    landing.format = f"OneRoster {formats.version_of(header)}"
    if landing.encoding != "utf-8":
        name = "UTF-16" if landing.encoding.startswith("utf-16") else "Windows-1252"
        landing.findings.append(Finding("encoding_not_utf8", detail=f"It is {name}."))
    landing.findings += header_findings(header, has_roles=landing.has_roles)
    return header


def _copy(landing: Landing, header: Header, blocks: Iterator[bytes]) -> None:
    """Stream the records into the table; a blank cell, quoted or not, becomes null."""
    names = [column.column_name for column, _ in header.positions] + ["_metadata"] * bool(header.further)
    if not names:
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("copy {} (_row, {}) from stdin (format csv, force_null ({}))").format(
        landing.table, columns, columns
    )
    with ragged_rows(landing.delivery, landing.file) as ragged:
        reader = RecordReader(header, ragged.add)
        # A savepoint: when the reader gives up, what landing saw is still to be written down.
        with landing.connection.transaction(), landing.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for data in reader.copy_data(blocks):
                copy.write(data)
    landing.rows, landing.ragged = reader.rows, reader.ragged
    landing.end = reader.end


def _tidy(landing: Landing, columns: list[Column]) -> None:
    """Give what is written in another way than the standard's, and beyond doubt, the standard's form."""
    landing.findings += tidy_dates(landing.connection, landing.table, columns)
    if landing.file.name == "users":
        ragged = ragged_table(landing.delivery)
        landing.ragged += merge_rows_per_school(landing.connection, landing.table, ragged)


def _record(landing: Landing) -> None:
    """Write what landing saw into the ledger, in place of what an earlier landing saw."""
    findings = [_in_the_file(landing, finding) for finding in landing.findings]
    replace_findings(landing.connection, landing.entry.delivery_id, CODES, findings, file=landing.entry.file)
    failed = [_reason(landing.file, finding) for finding in findings if finding.severity == "critical"]
    end = None if failed else landing.end
    landing.connection.execute(
        """
        update rollcall.delivery_file
        set encoding = %s, format = %s, rows_landed = %s, rows_ragged = %s, rows_set_aside = null, verdict = %s,
            verdict_reason = %s, gated = null, ends_with_line_end = %s, torn_row = %s, last_sourced_id = %s
        where delivery_id = %s and file = %s
        """,
        (
            landing.encoding,
            landing.format,
            landing.rows,
            landing.ragged,
            "reject" if failed else None,
            " ".join(failed) or None,
            end.with_line_end if end else None,
            end.torn_row if end else None,
            end.last_id if end else None,
            landing.entry.delivery_id,
            landing.entry.file,
        ),
    )


def _in_the_file(landing: Landing, finding: Finding) -> Finding:
    """A finding with the file that it is about, and the line of the header that its columns stand in."""
    places = tuple(replace(place, row=landing.header_line) for place in finding.places)
    return replace(finding, file=landing.entry.file, places=places)


def _reason(file: File, finding: Finding) -> str:
    """A finding as the reason of a verdict."""
    if finding.code == "column_missing":
        columns = ", ".join(str(place.column) for place in finding.places)
        details = [place.detail for place in finding.places if place.detail]
        told = f"{file.file_name} has no column {columns}. Export it with all columns of OneRoster 1.1."
        return " ".join([told, *dict.fromkeys(details)])
    return f"{file.file_name}: {finding.message}"
