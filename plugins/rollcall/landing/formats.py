"""What a file is that is not a OneRoster CSV file: told by its first bytes, its first characters, or its header."""

import re
from collections.abc import Iterable

from rollcall.findings import Finding
from rollcall.landing.header import Header
from rollcall.oneroster import FILE_BY_NAME, NEW_IN_1_1
from rollcall.signatures import Kind, kind_of

HEAD_BYTES = 8192
"""How much of a file's begin is looked at."""

MOST_COLUMNS = 1000
"""The standard's widest file has 18, and districts add a few of their own."""

OFFICE_PARTS = (b"[Content_Types].xml", b"_rels/.rels", b"xl/", b"application/vnd.oasis.opendocument.spreadsheet")

OF_KIND: dict[Kind, Finding] = {
    Kind.OLD_OFFICE: Finding("file_excel"),
    Kind.PDF: Finding("file_pdf"),
    Kind.ZIP: Finding("file_compressed", detail="It is a zip archive."),
    Kind.EMPTY_ZIP: Finding("file_compressed", detail="It is an empty zip archive."),
    Kind.GZIP: Finding("file_compressed", detail="It is compressed with gzip."),
    Kind.SEVEN_ZIP: Finding("file_compressed", detail="It is a 7z archive."),
    Kind.RAR: Finding("file_compressed", detail="It is a rar archive."),
    Kind.BZIP2: Finding("file_compressed", detail="It is compressed with bzip2."),
    Kind.XZ: Finding("file_compressed", detail="It is compressed with xz."),
    Kind.ZSTD: Finding("file_compressed", detail="It is compressed with zstd."),
    Kind.SQLITE: Finding("file_database_dump", detail="It is a SQLite database."),
    Kind.PG_DUMP: Finding("file_database_dump", detail="It was made by pg_dump."),
}
"""What is found where a CSV file was due."""

BEGINNINGS: tuple[tuple[str, Finding], ...] = (
    (r"--.{0,200}(PostgreSQL|pg_dump)", Finding("file_database_dump", detail="It was made by pg_dump.")),
    (r"(--|/\*).{0,200}(MySQL|MariaDB)", Finding("file_database_dump", detail="It was made by mysqldump.")),
    (
        r"(--|/\*|create (table|database|schema)\b|insert into\b|drop table\b|begin( transaction)?;|pragma\b|use \W)",
        Finding("file_database_dump", detail="It begins with SQL."),
    ),
    (r"set \w+ ?(=|to\b)", Finding("file_database_dump", detail="It begins with SQL.")),
    (r"(<!--.{0,1000}?-->\s*)*<(!doctype html|html|head|body|title|script|meta|div)\b", Finding("file_html")),
    (r"<[?!\w]", Finding("file_xml")),
    (r"\{\s*[\"}]", Finding("file_json")),
    (r"\[\s*[\[{\]\"]", Finding("file_json")),
)
"""The characters with which files of other kinds begin, whatever their case."""

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

NAMES: dict[str, str] = {
    "file_excel": "an Excel workbook",
    "file_html": "an HTML page",
    "file_xml": "XML",
    "file_json": "JSON",
    "file_pdf": "a PDF document",
    "file_compressed": "a compressed file",
    "file_database_dump": "a database dump",
    "file_database_table": "the export of a database table",
    "file_microsoft_sds": "Microsoft School Data Sync",
    "file_clever": "Clever",
    "file_separator": "not separated by commas",
    "file_no_header": "without a header",
    "file_too_wide": "too many columns",
    "file_empty": "an empty file",
    "file_unreadable": "unknown",
    "file_line_too_long": "not lines of text",
    "file_ragged": "ragged",
}
"""What each code calls the format."""

SDS_V2_1 = {
    "academicSessions": [{"sourcedid", "title", "type", "schoolyear", "startdate", "enddate"}],
    "users": [{"activedirectorymatchid"}],
    "classes": [{"sessionsourcedids"}],
    "courses": [{"code", "subject", "grade"}],
    "roles": [{"usersourcedid", "orgsourcedid", "role", "isprimary"}, {"sessionsourcedid"}],
    "demographics": [{"racecodes"}, {"ethnicitycodes"}],
    "enrollments": [],
    "orgs": [],
}
"""Columns of Microsoft School Data Sync V2.1, per file, any set of which gives it away."""

SDS_V2 = {
    "users": [{"orgsourcedids", "role", "grade"}],
    "classes": [{"orgsourcedid", "title"}],
}
"""The same of V2."""


def of_bytes(head: bytes) -> Finding | None:
    """The format that a file's first bytes tell; None when they may be text.

    Args:
        head: The first `HEAD_BYTES` of the file.
    """
    kind = kind_of(head)
    if kind is Kind.ZIP and any(part in head for part in OFFICE_PARTS):
        return Finding("file_excel")
    return OF_KIND[kind] if kind else None


def of_text(text: str) -> Finding | None:
    """The format that a file's first characters tell; None when it may be CSV.

    Args:
        text: Some characters from the file's begin.
    """
    begin = text.lstrip("\ufeff \t\r\n")
    if not begin:
        return Finding("file_empty")
    for pattern, finding in BEGINNINGS:
        if re.match(pattern, begin, re.IGNORECASE | re.DOTALL):
            return finding
    return None


def of_header(line: str, header: Header) -> Finding | None:
    """The format that a first line tells; None when it may be the header of a OneRoster file, for all its faults.

    Args:
        line: The first line.
        header: The same, as read.
    """
    if _is_complete(header) and not _is_sds_for_all_that(header):
        return None
    return _separated(line, header) or _sds(header) or _clever(header) or _database_table(header)


def without_header(header: Header) -> Finding:
    """What to say of a first line that names no columns of the standard's."""
    looks_like_data = any(re.search(r"\d|@|^(true|false|active|student|teacher|school)$", c) for c in header.cells)
    return Finding("file_no_header" if header.width > 1 and looks_like_data else "file_unreadable")


def too_wide(header: Header) -> Finding | None:
    """What to say of a first line with more cells than any roster has columns."""
    if header.width <= MOST_COLUMNS:
        return None
    return Finding("file_too_wide", detail=f"It has {header.width:,}; at most {MOST_COLUMNS:,} are read.")


def version_of(header: Header) -> str:
    """The version of OneRoster that a header is most like: ``1.0``, ``1.1`` or ``1.2``."""
    missing = {column.name for column in header.missing}
    if header.file.name == "roles" or (header.file.name == "users" and {"role", "orgSourcedIds"} <= missing):
        return "1.2"
    if header.renamed or NEW_IN_1_1.get(header.file.name, frozenset()) & missing:
        return "1.0"
    return "1.1"


def format_of_delivery(formats: Iterable[str | None]) -> str:
    """What to call a delivery's format, from what landing wrote down of its files: ``OneRoster 1.2``, for instance.

    Args:
        formats: ``DeliveryFile.format`` of its files; None for those that were not landed.
    """
    known = [name for name in formats if name]
    other = [name for name in known if not name.startswith("OneRoster")]
    if other or not known:
        return "not OneRoster" + (f" ({', '.join(dict.fromkeys(other))})" if other else "")
    odd = [name for name in ("OneRoster 1.2", "OneRoster 1.0") if name in known]
    return odd[0] if odd else "OneRoster 1.1"


def _is_complete(header: Header) -> bool:
    return header.names_id and not any(column.required for column in header.missing)


def _is_sds_for_all_that(header: Header) -> bool:
    """Whether a header that has all that OneRoster requires is Microsoft's: it has columns that only Microsoft has."""
    if header.file.name == "academicSessions":  # the same columns, in an order of their own
        return ",".join(header.cells).lower() == "sourcedid,title,type,schoolyear,startdate,enddate"
    return header.file.name in ("courses", "demographics") and _sds(header) is not None


def _keys(header: Header) -> set[str]:
    return {cell.lower() for cell in header.cells}


def _separated(line: str, header: Header) -> Finding | None:
    """Whether another character than the comma separates the columns."""
    names = {column.name.lower() for file in FILE_BY_NAME.values() for column in file.columns}
    for separator, name in SEPARATORS.items():
        if header.width <= 1 + line.count(",") and line.count(separator) > line.count(","):
            cells = {cell.strip(' "').lower() for cell in line.split(separator)}
            if len(cells & names) > 1:
                return Finding("file_separator", detail=f"It is separated by {name}.")
    return None


def _sds(header: Header) -> Finding | None:
    keys, file = _keys(header), header.file.name
    has_status = {"status", "datelastmodified"} & keys
    if any(cell == "sis id" or cell.endswith(" sis id") for cell in keys):
        return Finding("file_microsoft_sds", detail="It is version 1 (Classic).")
    if has_status:
        return None
    if any(signature <= keys for signature in SDS_V2_1.get(file, ())):
        return Finding("file_microsoft_sds", detail="It is version 2.1.")
    if any(signature <= keys for signature in SDS_V2.get(file, ())):
        return Finding("file_microsoft_sds", detail="It is version 2.")
    if file == "enrollments" and keys == {"classsourcedid", "usersourcedid", "role"}:
        return Finding("file_microsoft_sds", detail="It is version 2 or 2.1.")
    return None


def _clever(header: Header) -> Finding | None:
    clever = {"School_id", "Student_id", "Teacher_id", "Section_id", "Student_number", "Teacher_number"}
    return Finding("file_clever") if clever & set(header.cells) else None


def _database_table(header: Header) -> Finding | None:
    """Whether the columns are named as in a database: ``id``, ``org_id``, ``created_at``."""
    cells = [cell for cell in header.cells if cell]
    in_snake_case = all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", cell) for cell in cells)
    telling = any(re.fullmatch(r"id|.+_id|.+_ids|.+_at|uuid|.+_uuid", cell) for cell in cells)
    return Finding("file_database_table") if len(cells) > 1 and in_snake_case and telling else None
