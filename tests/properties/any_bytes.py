"""Anything that may lie in an inbox: good files with something done to them, and bytes that were never a file."""

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from helpers import planted
from helpers.csv_files import file_bytes, manifest_bytes
from helpers.schools import Rows, school_district
from hypothesis import strategies as st

from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES

Cells = list[str]
Table = list[Cells]

PERSONAL = planted.FAMILY_NAME
"""Stands in every nasty cell, and in the good files in place of names: it must never be told anywhere."""


def base_rows() -> Rows:
    """A published district whose people's names and addresses are planted."""
    rows = school_district()
    for user in rows["users"]:
        user |= {"given_name": planted.GIVEN_NAME, "family_name": planted.FAMILY_NAME, "email": planted.E_MAIL}
        user |= {"username": planted.USERNAME, "phone": planted.PHONE, "password": planted.PASSWORD}
    for person in rows["demographics"]:
        person |= {"birth_date": planted.BIRTH_DATE, "city_of_birth": planted.BIRTH_PLACE}
    return rows


def base_files() -> dict[str, bytes]:
    """The seven files of that district."""
    rows = base_rows()
    return {f"{file}.csv": file_bytes(file, rows[file]) for file in FILE_NAMES}


def _roles() -> bytes:
    users = base_rows()["users"]
    return file_bytes(
        "roles",
        [
            {"sourced_id": f"R{user['sourced_id']}", "user_sourced_id": user["sourced_id"], "role_type": "primary"}
            | {"role": user["role"], "org_sourced_id": user["org_sourced_ids"]}
            for user in users
        ],
    )


BASE = base_files()
GOOD: dict[str, bytes] = {
    **BASE,
    "manifest.csv": manifest_bytes(dict.fromkeys(FILE_NAMES, "bulk") | {"results": "absent"}),
    "roles.csv": _roles(),
}
"""What gets something done to it."""

NASTY = (
    "", " ", "  ", '"', '""', '","', "'", "\\", "\\.", "\\N", "\\x41", "\t", "\n", "\r", "\r\n", "a\n\nb", "\0",
    "\x01", "\x1a", "\x1f", "\x7f", "\x85", "\xa0", "\u00ad", "\u200b", "\u2028", "\u202e", "\ufeff", "\ufffd",
    "\ufffe", "\U0001f9d1\u200d\U0001f393", "\u05d0\u05d1\u05d2", "e\u0301", "\u017f", "\u0130", "ß", "=1+1",
    "@SUM(1)", "%s", "%(a)s", "%%", "{", "}", "{}", "{batch}", "{a,b}", '{"a":1}', "[1]", "(1,2)", "$1", ":a", "?",
    "null", "NULL", "None", "NaN", "inf", "-infinity", "infinity", "now", "today", "epoch", "true", "TRUE", "t", "yes",
    "on", "1", "0", "-1", "2", "tru", "0x10", "1_000", "1e3", "1e999", "9" * 40, "1.0", "\u0662\u0660\u0662\u0667",
    "2027", "02027", "+2027", "1899", "2101", "2026-02-29", "2024-02-29", "2026-13-01", "2026-1-1", "20260101",
    "01/02/2026", "13/13/2026", "0000-00-00", "0001-01-01 BC", "2026-01-01T00:00:00Z", "2026-01-01 ", " 2026-01-01",
    "2026-01-01\n", "4714-01-01", "9999-12-31", "294277-01-01", "\uff12\uff10\uff12\uff16-\uff10\uff11-\uff10\uff11",
    "2026-\u0660\u0661-\u0660\u0661", "J2451187", "allballs", "'; drop schema roster cascade; --", "') or 1=1 --",
    "$$; select 1; $$", "select pg_sleep(9)", "</td><script>", "Student", "STUDENT ", "teacher,student", "tobedeleted",
    "ToBeDeleted", "inactive", "active", "D", "994", "994,995", ",994,,", " 994 ", "994_1000", "x" * 255, "x" * 256,
    "x" * 3000, "é" * 2700, "x" * 100_000, ",".join("ab" * 50), "a," * 2000, "../../etc/passwd", "C:\\x", "\U0010ffff",
)  # fmt: skip
"""Cells that something may stumble over."""

HEADERS = (
    "sourcedID", "SOURCEDID", "sourcedId ", "\u200bsourcedId", "sourced_id", "dataLastModified", "dateLastModifed",
    "metadata.note", "metadata.", "metadata.note", "primary", "is_primary", "_row", "_metadata", "password", "name",
    "", "status", "orgSourcedId", "userSourcedId", "userId", "grade", "schoolYearId", "a" * 300, '"', "select", "x\ny",
    "%s", "{batch}", "\ufb01eld",
)  # fmt: skip

ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "cp037", "utf-7")
OTHER_KINDS = (
    b"", b"\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00" * 64, b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18,
    b"<!DOCTYPE html><html><body>Access denied</body></html>", b"\x1f\x8b\x08\x00", b"%PDF-1.7\n", b"{}",
    b",,,,\r\n,,,,", b'"', b"sourcedId", b"sourcedId\r\n", b"sourcedId,sourcedId\r\n1,2\r\n",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"School SIS ID,Name\r\n1,Oak\r\n", b"a" * 70_000,
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Delivery:
    """What a district sends one night.

    Attributes:
        files: What lies in the inbox, by name.
        expected: The files that the district must send.
        lenient: Whether everything may be set aside and removed without a person being asked.
    """

    files: dict[str, bytes]
    expected: tuple[str, ...]
    lenient: bool

    def __repr__(self) -> str:
        return f"Delivery({self.content}, {self.expected}, {self.lenient})"

    @property
    def content(self) -> dict[str, bytes | str]:
        """The files, as far as somebody wants to read them."""
        return {
            name: "as it should be" if content == BASE.get(name) else content if len(content) < 4000 else content[:2000]
            for name, content in self.files.items()
        }


def nasty_cells() -> st.SearchStrategy[str]:
    """A cell as above, most with something personal beside it."""
    anything = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))
    beside = st.sampled_from(("{}", f"{PERSONAL}{{}}", f"{{}}{PERSONAL}", f"{PERSONAL}{{}}{PERSONAL}"))
    return st.builds(lambda cell, frame: frame.replace("{}", cell, 1), anything, beside)


@st.composite
def _cell_put(draw: st.DrawFn, table: Table) -> Table:
    """Some cells replaced, most of them below the header."""
    for _ in range(draw(st.integers(1, 4))):
        header_too = draw(st.integers(0, 9)) == 0 or len(table) == 1
        line = draw(st.integers(0 if header_too else 1, len(table) - 1))
        if table[line]:
            column = draw(st.integers(0, len(table[line]) - 1))
            table[line][column] = draw(st.sampled_from(HEADERS) if line == 0 else nasty_cells())
    return table


@st.composite
def _column_put(draw: st.DrawFn, table: Table) -> Table:
    """One column the same in all records."""
    column, cell = draw(st.integers(0, 20)), draw(nasty_cells())
    for record in table[1:]:
        if column < len(record):
            record[column] = cell
    return table


@st.composite
def _columns_moved(draw: st.DrawFn, table: Table) -> Table:
    """A column dropped, doubled, added or moved, in header and records alike."""
    width = len(table[0])
    at, to = draw(st.integers(0, width - 1)), draw(st.integers(0, width))
    how = draw(st.sampled_from(("drop", "double", "add", "move")))
    name = draw(st.sampled_from(HEADERS))
    for number, record in enumerate(table):
        cell = record[at] if at < len(record) else ""
        if how in ("drop", "move"):
            del record[at : at + 1]
        if how != "drop":
            record.insert(to, cell if how != "add" else name if number == 0 else PERSONAL)
    return table


@st.composite
def _lines_moved(draw: st.DrawFn, table: Table) -> Table:
    """Lines doubled, dropped, blank, out of order; the header among them."""
    how = draw(st.sampled_from(("double", "drop", "cut", "shuffle", "blank", "no header", "twice")))
    at = draw(st.integers(0, len(table) - 1))
    if how == "shuffle":
        return [table[0], *draw(st.permutations(table[1:]))]
    if how == "twice":
        return [*table, *table]
    return {
        "double": [*table[: at + 1], list(table[at]), *table[at + 1 :]],
        "drop": [*table[:at], *table[at + 1 :]],
        "blank": [*table[:at], [], [""], [" "], *table[at:]],
        "no header": table[1:],
        "cut": table[:at],
    }[how]


@st.composite
def _ragged(draw: st.DrawFn, table: Table) -> Table:
    """A record with cells too many or too few."""
    at = draw(st.integers(0, len(table) - 1))
    extra = draw(st.lists(nasty_cells() if at else st.sampled_from(HEADERS), max_size=3))
    keep = draw(st.integers(0, len(table[at])))
    table[at] = [*table[at][:keep], *extra] if draw(st.booleans()) else [*table[at], *extra]
    return table


TABLE_CHANGES: tuple[Callable[[Table], st.SearchStrategy[Table]], ...] = (
    _cell_put, _cell_put, _cell_put, _column_put, _column_put, _columns_moved, _lines_moved, _lines_moved, _ragged,
)  # fmt: skip


Quoting = Literal[0, 1, 2, 3]
"""The csv module's ways of quoting."""


def _written(table: Table, line_end: str, quoting: Quoting | None, delimiter: str) -> str:
    """The table as text; without a way of quoting, cells as they stand."""
    if quoting is None:
        return "".join(delimiter.join(record) + line_end for record in table)
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end, quoting=quoting, delimiter=delimiter).writerows(table)
    return text.getvalue()


@st.composite
def _edited(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes flipped, inserted, deleted or cut off."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        how = draw(st.sampled_from(("insert", "delete", "flip", "cut", "cut", "repeat")))
        some = draw(
            st.one_of(
                st.sampled_from((b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\x80", b"\\")), st.binary(max_size=6)
            )
        )
        length = draw(st.integers(1, 40))
        content = {
            "insert": content[:at] + some + content[at:],
            "delete": content[:at] + content[at + length :],
            "flip": content[:at] + bytes(byte ^ 0x20 for byte in content[at : at + length]) + content[at + length :],
            "cut": content[:at],
            "repeat": content[:at] + content[at : at + length] * 3 + content[at:],
        }[how]
    return content


@st.composite
def spoiled_file(draw: st.DrawFn, good: bytes) -> bytes:
    """A good file with one to three things done to it; sometimes no file at all."""
    how = draw(st.sampled_from((*["table"] * 8, *["bytes"] * 2, "encoding", "other", "random")))
    if how == "other":
        return draw(st.sampled_from((*OTHER_KINDS, *GOOD.values())))
    if how == "random":
        return draw(st.binary(max_size=300))
    if how == "bytes":
        return draw(_edited(good))
    table = list(csv.reader(io.StringIO(good.decode())))
    for change in draw(st.lists(st.sampled_from(TABLE_CHANGES), min_size=how == "table", max_size=2)):
        table = draw(change(table)) if table else table
    line_end = draw(st.sampled_from((*["\r\n"] * 12, "\n", "\n", "\r", "\n\n", "\u2028", "\r\r\n")))
    usual: list[Quoting] = [csv.QUOTE_MINIMAL] * 6
    quoting = draw(st.sampled_from((*usual, csv.QUOTE_ALL, None)))
    delimiter = draw(st.sampled_from((*[","] * 18, ";", "\t")))
    text = _written(table, line_end, quoting, delimiter)
    if how == "encoding":
        return text.encode(draw(st.sampled_from(ENCODINGS)), errors="replace")
    content = text.encode("utf-8", errors="surrogatepass")
    return draw(_edited(content)) if draw(st.integers(0, 9)) == 0 else content


@st.composite
def _packed(draw: st.DrawFn, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files as they are, or as a zip that may be damaged."""
    how = draw(st.sampled_from((*["loose"] * 8, *["zip"] * 3, "folder", "damaged", "random", "nested")))
    if how == "loose":
        return files
    if how == "random":
        return {"oneroster.zip": draw(st.binary(max_size=200))}
    if how == "nested":
        return {"oneroster.zip": _zip({"inner.zip": _zip(files), **files})}
    package = _zip({f"{'export/' if how == 'folder' else ''}{name}": content for name, content in files.items()})
    return {"OneRoster.ZIP": draw(_edited(package)) if how == "damaged" else package}


def _zip(files: dict[str, bytes]) -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return package.getvalue()


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """A night's delivery: one or two spoiled files, with or without the good others."""
    spoiled = draw(st.lists(st.sampled_from(sorted(GOOD)), min_size=1, max_size=2, unique=True))
    files = {name: draw(spoiled_file(GOOD[name])) for name in spoiled}
    whole = draw(st.integers(0, 3)) == 0
    if whole:
        files = BASE | files
    elif not FILE_BY_NAME.keys() & {name.removesuffix(".csv") for name in files}:
        files |= {"orgs.csv": BASE["orgs.csv"]}
    expected = tuple(file for file in FILE_NAMES if f"{file}.csv" in files)
    if draw(st.integers(0, 9)) == 0:
        files[draw(st.sampled_from(("results.csv", "x.csv", "USERS.csv", "orgs.txt", ".hidden.csv", "ümlaut.csv")))] = (
            b"x"
        )
    return Delivery(draw(_packed(files)), expected, draw(st.integers(0, 4)) != 0)
