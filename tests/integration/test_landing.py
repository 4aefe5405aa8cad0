"""The step ``land``: files as they are sent, through the archive, into the delivery's own schema."""

import asyncio
import csv
import gzip
import os
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from helpers.deliveries import FIRST_NIGHT, execute, query
from helpers.gating import gate_file
from helpers.inbox import district

from rollcall import ledger
from rollcall.archive.content import record_delivered
from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive
from rollcall.arrival.listing import InboxFile
from rollcall.codes import message_of
from rollcall.districts import Limit
from rollcall.landing import land_files
from rollcall.landing.encoding import BLOCK_BYTES
from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES
from rollcall.settings import working_on
from rollcall.warehouse import WarehouseError, connect
from simulator.night import write_night
from simulator.profile import Profile

HEADER = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"
ORGS = f"{HEADER}\n1,,,Maple,district,,\n2,,,Zoë's,school,,1\n"
LANDED = [(2, "1", "Maple", None), (3, "2", "Zoë's", "1")]


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path) -> Iterator[None]:
    with working_on(archive_url=(tmp_path / "archive").as_uri()):
        yield


def deliver(files: dict[str, bytes]) -> int:
    """Have files archived and recorded as a delivery."""

    async def blocks(content: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(content), 1 << 20):
            yield content[at : at + (1 << 20)]

    maple = district()
    archive = Archive.of(maple.district_id)
    with connect() as connection:
        ledger.record_district(connection, maple)
        delivery = ledger.open_delivery(connection, maple, FIRST_NIGHT, os.urandom(8).hex(), "inbox")
    taken = [
        TakenFile(name, InboxFile(name, len(content), 0), asyncio.run(archive.keep(blocks(content))))
        for name, content in files.items()
    ]
    record_delivered(archive, maple, delivery, taken)
    return delivery.delivery_id


def landed(url: str, delivery_id: int, columns: str = "_row, sourced_id, name, parent_sourced_id") -> list[object]:
    return list(query(url, f"select {columns} from delivery_{delivery_id}.orgs order by _row"))


def land_orgs(content: str | bytes) -> int:
    delivery_id = deliver({"orgs.csv": content.encode() if isinstance(content, str) else content})
    land(delivery_id, "orgs")
    return delivery_id


def findings(url: str, delivery_id: int) -> dict[str, str]:
    statement = (
        "select code, severity from rollcall.check_result join rollcall.delivery_file using (delivery_id, file)"
        " where delivery_id = %s"
    )
    return dict(query(url, statement, delivery_id))


def details(url: str, delivery_id: int) -> dict[str, str]:
    """What the findings say beyond their codes."""
    told = query(
        url,
        "select code, coalesce(f.detail, c.detail) from rollcall.check_result as c"
        " left join rollcall.row_finding as f using (delivery_id, file, code) where delivery_id = %s",
        delivery_id,
    )
    return {code: detail for code, detail in told if detail}


def columns_found(url: str, delivery_id: int, code: str) -> list[str]:
    statement = "select column_name from rollcall.row_finding where delivery_id = %s and code = %s and row_number = 1"
    return sorted(row[0] for row in query(url, statement, delivery_id, code))


def land(delivery_id: int, file: str) -> int:
    """Land one file; returns how many records it holds."""
    return land_files(delivery_id, [file])[file]


def file_row(url: str, delivery_id: int, columns: str = "rows_landed, rows_ragged, verdict") -> tuple[object, ...]:
    return query(
        url, f"select {columns} from rollcall.delivery_file where delivery_id = %s and file = 'orgs'", delivery_id
    )[0]


def test_a_simulated_night_lands_cell_by_cell(warehouse_url: str, tmp_path: Path) -> None:
    night = write_night(Profile("maple", "Maple", students=60, seed=7), 1, tmp_path / "night")
    delivery_id = deliver({file.name: file.read_bytes() for file in night.files})
    for name in FILE_NAMES:
        assert land(delivery_id, name) == night.expected.rows[name]
        file = FILE_BY_NAME[name]
        columns = [column.column_name for column in file.landed_columns]
        with (night.folder / file.file_name).open(encoding="utf-8", newline="") as source:
            sent = [
                (line, *(record[column.name] or None for column in file.landed_columns))
                for line, record in enumerate(csv.DictReader(source), start=2)
            ]
        table = f"delivery_{delivery_id}.{file.table_name}"
        assert query(warehouse_url, f"select _row, {', '.join(columns)} from {table} order by _row") == sent
    assert findings(warehouse_url, delivery_id) == {}


@pytest.mark.parametrize(
    ("encoding", "recorded"),
    [
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("cp1252", "windows-1252"),
        ("utf-8", "utf-8"),
    ],
)
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_encodings_and_line_ends_land_alike(warehouse_url: str, encoding: str, recorded: str, line_end: str) -> None:
    delivery_id = land_orgs(ORGS.replace("\n", line_end).encode(encoding))
    assert landed(warehouse_url, delivery_id) == LANDED
    assert file_row(warehouse_url, delivery_id, "encoding") == (recorded,)
    told = {} if recorded == "utf-8" else {"encoding_not_utf8": "warning"}
    assert findings(warehouse_url, delivery_id) == told
    if told:
        name = "It is Windows-1252." if encoding == "cp1252" else "It is UTF-16."
        assert details(warehouse_url, delivery_id) == {"encoding_not_utf8": name}


def test_a_record_that_cannot_be_decoded_is_set_aside_by_its_row(warehouse_url: str) -> None:
    content = ORGS.encode() + b"3,,,Jos\xe9,school,,1\n4,,,Elm,school,,1\n"
    delivery_id = land_orgs(content)
    assert landed(warehouse_url, delivery_id, "_row, sourced_id") == [(2, "1"), (3, "2"), (5, "4")]
    assert query(warehouse_url, f"select _row, code, first_cell from delivery_{delivery_id}.ragged_row") == [
        (4, "row_undecodable", "3")
    ]
    assert file_row(warehouse_url, delivery_id, "encoding, rows_landed, rows_ragged") == ("utf-8", 4, 1)


def test_blank_cells_are_null_quoted_or_not(warehouse_url: str) -> None:
    delivery_id = land_orgs(f'{HEADER}\n1,"",,"Maple","district",,""\n')
    assert landed(warehouse_url, delivery_id, "sourced_id, status, date_last_modified, parent_sourced_id") == [
        ("1", None, None, None)
    ]


def test_law_7_passwords_never_land(warehouse_url: str) -> None:
    content = b"sourcedId,username,password,role\n7,ann,open sesame,student\n"
    delivery_id = deliver({"users.csv": content})
    land(delivery_id, "users")
    (row,) = query(warehouse_url, f"select u::text from delivery_{delivery_id}.users as u")
    assert "ann" in row[0]
    assert "sesame" not in row[0]
    everywhere = "select count(*) from information_schema.columns where column_name like 'pass%%' and table_schema = %s"
    assert query(warehouse_url, everywhere, f"delivery_{delivery_id}") == [(0,)]


def test_what_is_landed_again_has_to_go_through_the_gate_again(warehouse_url: str) -> None:
    delivery_id = land_orgs(f"{HEADER}\n1,,,Maple,district,,\n")
    execute(warehouse_url, "update rollcall.delivery_file set gated = 'together'")
    land(delivery_id, "orgs")
    assert query(warehouse_url, "select gated from rollcall.delivery_file") == [(None,)]


def test_columns_are_landed_by_name_whatever_their_order_and_case(warehouse_url: str) -> None:
    content = "TYPE,extra,Name,parentSourcedId,sourcedID\ndistrict,x,Maple,,1\nschool,x,Zoë's,1,2\n"
    delivery_id = land_orgs(content)
    assert landed(warehouse_url, delivery_id) == LANDED
    assert columns_found(warehouse_url, delivery_id, "column_unknown") == ["extra"]
    assert columns_found(warehouse_url, delivery_id, "column_miscased") == ["name", "sourcedId", "type"]
    assert columns_found(warehouse_url, delivery_id, "column_order") == ["name"]
    assert landed(warehouse_url, delivery_id, "_metadata::jsonb") == [({"extra": "x"},)] * 2


def test_further_columns_are_kept_as_json_and_legal_when_they_stand_last(warehouse_url: str) -> None:
    content = (
        f'{HEADER},metadata.city,metadata.adminPassword\n1,,,Maple,district,,,"Oak, ""CA""",pw\n2,,,Oak,school,,1,,\n'
    )
    delivery_id = land_orgs(content)
    assert landed(warehouse_url, delivery_id, "_metadata::jsonb") == [({"metadata.city": 'Oak, "CA"'},), (None,)]
    assert findings(warehouse_url, delivery_id) == {}
    delivery_id = land_orgs(HEADER.replace(",name", ",metadata.x,name") + "\n1,,,y,Maple,district,,\n")
    assert findings(warehouse_url, delivery_id) == {"column_unknown": "info"}
    assert details(warehouse_url, delivery_id) == {
        "column_unknown": "Columns that begin with metadata. are to stand last."
    }


def test_a_misspelt_column_gets_a_suggestion(warehouse_url: str) -> None:
    delivery_id = land_orgs(HEADER.replace("dateLast", "dataLast") + "\n1,,,Maple,district,,\n")
    assert details(warehouse_url, delivery_id) == {
        "column_unknown": "`dataLastModified` looks like `dateLastModified`.",
    }
    delivery_id = land_orgs(HEADER.replace("sourcedId,", "sourceId,", 1) + "\n1,,,Maple,district,,\n")
    assert file_row(warehouse_url, delivery_id, "verdict, verdict_reason") == (
        "reject",
        "orgs.csv has no column sourcedId. Export it with all columns of OneRoster 1.1."
        " `sourceId` looks like `sourcedId`.",
    )
    delivery_id = land_orgs("sourcedId,type,names\n1,district,Maple\n")
    assert details(warehouse_url, delivery_id)["column_missing"] == "Cell 3 looks like `name`."


def test_a_column_that_is_there_twice(warehouse_url: str) -> None:
    delivery_id = land_orgs(f"{HEADER},identifier\n1,,,Maple,district,5,,6\n")
    assert findings(warehouse_url, delivery_id) == {"column_optional_duplicate": "warning"}
    assert landed(warehouse_url, delivery_id, "identifier, _metadata") == [("5", None)]
    delivery_id = land_orgs(f"{HEADER},Name\n1,,,Maple,district,5,,Oak\n")
    assert findings(warehouse_url, delivery_id) == {"column_duplicate": "critical"}
    assert file_row(warehouse_url, delivery_id, "verdict") == ("reject",)


def test_invisible_characters_in_a_header_are_passed_over_and_told(warehouse_url: str) -> None:
    delivery_id = land_orgs(ORGS.replace("status", "\u200bsta\u00adtus ").replace(",name", ", name"))
    assert landed(warehouse_url, delivery_id) == LANDED
    assert columns_found(warehouse_url, delivery_id, "column_invisible_characters") == ["name", "status"]


def test_a_header_may_have_empty_cells_at_its_end_and_blank_lines_above(warehouse_url: str) -> None:
    delivery_id = land_orgs(f"\n \n{HEADER},,\n1,,,Maple,district,,,,\n,,,,,,,,\n2,ragged\n")
    assert landed(warehouse_url, delivery_id, "_row, sourced_id") == [(4, "1")]
    assert query(warehouse_url, f"select _row from delivery_{delivery_id}.ragged_row") == [(6,)]
    assert file_row(warehouse_url, delivery_id) == (2, 1, None)


def test_headers_of_1_0_are_read(warehouse_url: str) -> None:
    content = b"userSourcedId,status,dateLastModified,birthdate,sex\n7,,,2012-02-29,female\n"
    sessions = b"sourcedId,status,dateLastModified,title,type,startDate,endDate\nT,,,Fall,term,2026-08-12,2026-12-18\n"
    delivery_id = deliver({"demographics.csv": content, "academicSessions.csv": sessions})
    assert [land(delivery_id, name) for name in ("demographics", "academicSessions")] == [1, 1]
    table = f"delivery_{delivery_id}.demographics"
    assert query(warehouse_url, f"select sourced_id, birth_date from {table}") == [("7", "2012-02-29")]
    told = details(warehouse_url, delivery_id)
    assert told["column_name_of_1_0"] == "It is called userSourcedId."
    assert findings(warehouse_url, delivery_id)["column_new_in_1_1"] == "warning"
    assert (
        query(warehouse_url, "select verdict, format from rollcall.delivery_file where delivery_id = %s", delivery_id)
        == [(None, "OneRoster 1.0")] * 2
    )


def test_a_missing_required_column_rejects_the_file_by_name(warehouse_url: str) -> None:
    delivery_id = land_orgs("sourcedId,status,dateLastModified,identifier,parentSourcedId\n1,,,,\n")
    assert file_row(warehouse_url, delivery_id, "verdict, verdict_reason") == (
        "reject",
        "orgs.csv has no column name, type. Export it with all columns of OneRoster 1.1.",
    )
    assert columns_found(warehouse_url, delivery_id, "column_missing") == ["name", "type"]


def test_a_missing_optional_column_is_a_warning(warehouse_url: str) -> None:
    delivery_id = land_orgs("sourcedId,name,type\n1,Maple,district\n")
    assert file_row(warehouse_url, delivery_id) == (1, 0, None)
    assert findings(warehouse_url, delivery_id) == {"column_optional_missing": "warning"}
    assert columns_found(warehouse_url, delivery_id, "column_optional_missing") == [
        "dateLastModified",
        "identifier",
        "parentSourcedId",
        "status",
    ]


SESSIONS = "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear"


def land_dates(url: str, *rows: tuple[str, str]) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """What becomes of start and end dates, and which columns are told of under which code."""
    content = SESSIONS + "".join(f"\n{n},,,Fall,term,{start},{end},,2027" for n, (start, end) in enumerate(rows))
    delivery_id = deliver({"academicSessions.csv": content.encode()})
    assert land(delivery_id, "academicSessions") == len(rows)
    table = f"delivery_{delivery_id}.academic_sessions"
    found = query(url, f"select start_date, end_date from {table} order by _row")
    told = {code: columns_found(url, delivery_id, code) for code in findings(url, delivery_id)}
    return found, told


def test_american_dates_are_read_where_the_whole_column_is_so(warehouse_url: str) -> None:
    assert land_dates(warehouse_url, ("8/7/2026", "2026-12-18"), ("", ""), ("12/31/2026 0:00", "2027-06-01")) == (
        [("2026-08-07", "2026-12-18"), (None, None), ("2026-12-31", "2027-06-01")],
        {"column_us_dates": ["startDate"]},
    )
    assert land_dates(warehouse_url, ("01/09/2026", "02/30/2026"), ("1/10/2026 12:00:00 AM", "3/1/2026")) == (
        [("2026-01-09", "2026-02-30"), ("2026-01-10", "2026-03-01")],
        {"column_us_dates": ["endDate", "startDate"]},
    )


@pytest.mark.parametrize("other", ["2026-08-07", "13/1/2026", "8/7/26", "soon", "8-7-2026"])
def test_a_column_of_mixed_dates_is_left_as_it_is(warehouse_url: str, other: str) -> None:
    rows = [("8/7/2026", "2026-12-18"), (other, "2026-12-18")]
    assert land_dates(warehouse_url, *rows) == (rows, {})


def test_a_time_behind_a_date_is_left_out(warehouse_url: str) -> None:
    rows = [("2026-08-07 00:00", "2026-12-18"), ("2026-08-08", "2026-12-19T00:00:00Z"), ("soon", "")]
    assert land_dates(warehouse_url, *rows) == (
        [("2026-08-07", "2026-12-18"), ("2026-08-08", "2026-12-19"), ("soon", None)],
        {"column_dates_with_time": ["endDate", "startDate"]},
    )


USERS = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName"


def land_users(url: str, *rows: str) -> tuple[list[tuple[str, str]], list[tuple[int, str]], tuple[object, ...]]:
    """Ids and schools as landed, the rows that are in no table, and the counts of the ledger."""
    delivery_id = deliver({"users.csv": "\n".join([USERS, *rows]).encode()})
    land(delivery_id, "users")
    schema = f"delivery_{delivery_id}"
    counts = "select rows_landed, rows_ragged from rollcall.delivery_file where delivery_id = %s and file = 'users'"
    return (
        query(url, f"select sourced_id, org_sourced_ids from {schema}.users order by _row"),
        query(url, f"select _row, code from {schema}.ragged_row order by _row"),
        query(url, counts, delivery_id)[0],
    )


def test_a_person_with_a_row_per_school_becomes_one_person_of_all_schools(warehouse_url: str) -> None:
    assert land_users(
        warehouse_url,
        "T7,,2026-08-01,true,994,teacher,t7,Ana,Alder",
        "S1,,,true,990,student,s1,Bo,Birch",
        'T7 ,,2026-09-01,true,"990, 994",teacher,t7,Ana,Alder',
        "T7,,,true,991,teacher,t7,Ana,Alder",
    ) == ([("T7", "990,991,994"), ("S1", "990")], [(4, "row_merged"), (5, "row_merged")], (4, 2))


def test_a_merged_row_is_told_and_not_set_aside(warehouse_url: str) -> None:
    rows = ["T7,,,true,990,teacher,t7,Ana,Alder", "T7,,,true,994,teacher,t7,Ana,Alder"]
    delivery_id = deliver({"users.csv": "\n".join([USERS, *rows]).encode()})
    land(delivery_id, "users")
    outcome = gate_file(delivery_id, "users", Limit(percent=0, floor=0))
    assert (outcome.verdict, outcome.rows_landed, outcome.rows_set_aside) == ("accept", 2, 0)
    statement = "select row_number, sourced_id, severity from rollcall.row_finding where code = 'row_merged'"
    assert query(warehouse_url, statement) == [(3, "T7", "warning")]
    assert "users_sourced_id_duplicate" not in outcome.findings


@pytest.mark.parametrize(
    "other",
    [
        "T7,,,true,990,teacher,t7,Anna,Alder",  # another name
        "T7,tobedeleted,,true,990,teacher,t7,Ana,Alder",  # gone from one of the schools, or from all?
        "T7,,,true,994,teacher,t7,Ana,Alder",  # the same row once more
        "T7,,,true,,teacher,t7,Ana,Alder",  # no school
    ],
)
def test_rows_of_one_id_that_differ_in_more_than_the_school_are_left_to_the_gate(
    warehouse_url: str, other: str
) -> None:
    landed_rows, apart, counts = land_users(warehouse_url, "T7,,,true,994,teacher,t7,Ana,Alder", other)
    assert ([row[0] for row in landed_rows], apart, counts) == (["T7", "T7"], [], (2, 0))


USERS_OF_1_2 = (
    b"sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,pronouns\n1,,,true,a,A,B,she\n"
)
ROLES_OF_1_2 = (
    b"sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId\nR1,,,1,primary,student,990\n"
)


def test_users_of_1_2_are_read_when_the_roles_are_there(warehouse_url: str) -> None:
    delivery_id = deliver({"users.csv": USERS_OF_1_2, "roles.csv": ROLES_OF_1_2})
    assert [land(delivery_id, name) for name in ("users", "roles")] == [1, 1]
    told = query(
        warehouse_url,
        "select file, format, verdict from rollcall.delivery_file where delivery_id = %s order by file",
        delivery_id,
    )
    assert told == [("roles", "OneRoster 1.2", None), ("users", "OneRoster 1.2", None)]
    assert "column_missing" not in findings(warehouse_url, delivery_id)
    assert query(warehouse_url, f"select _metadata::jsonb from delivery_{delivery_id}.users") == [
        ({"pronouns": "she"},)
    ]
    table = f"delivery_{delivery_id}.roles"
    assert query(warehouse_url, f"select user_sourced_id, role, org_sourced_id from {table}") == [
        ("1", "student", "990")
    ]


def test_users_of_1_2_without_roles_are_rejected_and_told_why(warehouse_url: str) -> None:
    delivery_id = deliver({"users.csv": USERS_OF_1_2})
    land(delivery_id, "users")
    ((verdict, reason),) = query(
        warehouse_url,
        "select verdict, verdict_reason from rollcall.delivery_file where delivery_id = %s",
        delivery_id,
    )
    assert verdict == "reject"
    assert reason == (
        "users.csv has no column orgSourcedIds, role. Export it with all columns of OneRoster 1.1."
        " OneRoster 1.2 says it in roles.csv, which the delivery does not hold."
    )


SDS_USERS = b"sourcedId,orgSourcedIds,givenName,familyName,username,password,role,grade\n1,2,A,B,c,d,Student,6\n"
SDS_2_1_USERS = b"sourcedId,username,givenName,familyName,password,activeDirectoryMatchId,email,phone,sms\n"
SDS_2_1_SESSIONS = b"sourcedId,title,type,schoolYear,startDate,endDate\nS,2027,schoolYear,2027,2026-08-01,2027-07-01\n"
TABLE = b"id,first_name,last_name,school_id,created_at\n1,Ann,Alder,5,2026-01-01 00:00:00\n"
WIDE = ORGS.splitlines()[0].encode() + b"".join(b",extra%d" % number for number in range(10_000)) + b"\n"
NOT_ONEROSTER: dict[str, tuple[str, bytes, str, str | None]] = {
    "empty": ("orgs", b"", "file_empty", None),
    "blank": ("orgs", b"\n\n", "file_empty", None),
    "bom only": ("orgs", b"\xef\xbb\xbf", "file_empty", None),
    "no header": ("orgs", b"Ann Alder,ann@example.org,2012-02-29\n", "file_no_header", None),
    "other columns": ("orgs", b"first,second,third\nx,y,z\n", "file_unreadable", None),
    "html": ("orgs", b"\n<!DOCTYPE html>\n<html><body>Session expired</body></html>", "file_html", None),
    "html, commented": ("orgs", b"<!-- x --> <HTML><body>Session expired</body></html>", "file_html", None),
    "xml": ("orgs", b'<?xml version="1.0"?><orgs/>', "file_xml", None),
    "json": ("orgs", b'{"orgs": [{"sourcedId": "1"}]}', "file_json", None),
    "json list": ("orgs", b'[\n {"sourcedId": "1"}]', "file_json", None),
    "xlsx": ("orgs", b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", "file_excel", None),
    "xls": ("orgs", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "file_excel", None),
    "pdf": ("orgs", b"%PDF-1.7\n%\xe2\xe3", "file_pdf", None),
    "zip": ("orgs", b"PK\x03\x04\x14\0\x06\0orgs.csv", "file_compressed", "It is a zip archive."),
    "gzip": ("orgs", gzip.compress(ORGS.encode()), "file_compressed", "It is compressed with gzip."),
    "7z": ("orgs", b"7z\xbc\xaf\x27\x1c\0\x04", "file_compressed", "It is a 7z archive."),
    "pg_dump": ("orgs", b"--\n-- PostgreSQL database dump\n--\n", "file_database_dump", "It was made by pg_dump."),
    "mysqldump": ("orgs", b"-- MySQL dump 10.13\n", "file_database_dump", "It was made by mysqldump."),
    "sql": ("orgs", b"INSERT INTO orgs VALUES (1, 'Oak');\n", "file_database_dump", "It begins with SQL."),
    "sqlite": ("orgs", b"SQLite format 3\0\x10\0", "file_database_dump", "It is a SQLite database."),
    "database table": ("users", TABLE, "file_database_table", None),
    "sds v1": ("users", b"SIS ID,School SIS ID,Username\n", "file_microsoft_sds", "It is version 1 (Classic)."),
    "sds v2 users": ("users", SDS_USERS, "file_microsoft_sds", "It is version 2."),
    "sds v2 classes": ("classes", b"sourcedId,orgSourcedId,title\n", "file_microsoft_sds", "It is version 2."),
    "sds v2.1 roles": (
        "roles",
        b"userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate\n",
        "file_microsoft_sds",
        "It is version 2.1.",
    ),
    "sds v2.1 courses": (
        "courses",
        b"sourcedId,orgSourcedId,title,code,schoolYearSourcedId,subject,grade\n",
        "file_microsoft_sds",
        "It is version 2.1.",
    ),
    "sds v2.1 demographics": (
        "demographics",
        b"userSourcedId,sex,birthDate,birthCity,birthState,birthCountry,ethnicityCodes,raceCodes\n",
        "file_microsoft_sds",
        "It is version 2.1.",
    ),
    "sds v2.1 users": ("users", SDS_2_1_USERS, "file_microsoft_sds", "It is version 2.1."),
    "sds v2.1 sessions": ("academicSessions", SDS_2_1_SESSIONS, "file_microsoft_sds", "It is version 2.1."),
    "sds enrollments": (
        "enrollments",
        b"classSourcedId,userSourcedId,role\n1,2,Student\n",
        "file_microsoft_sds",
        "It is version 2 or 2.1.",
    ),
    "clever": ("enrollments", b"School_id,Section_id,Student_id\n1,2,3\n", "file_clever", None),
    "semicolons": ("orgs", ORGS.replace(",", ";").encode(), "file_separator", "It is separated by semicolons."),
    "tabs": ("orgs", ORGS.replace(",", "\t").encode("utf-16"), "file_separator", "It is separated by tabs."),
    "binary": ("orgs", b"\x89PNG\r\n\x1a\n\x00\x00", "file_unreadable", None),
    "zeros": ("orgs", bytes(5000), "file_unreadable", None),
    "too many columns": ("orgs", WIDE, "file_too_wide", "It has 10,007; at most 1,000 are read."),
    "all in one line": ("orgs", b"x," * 5000, "file_too_wide", "It has 5,000; at most 1,000 are read."),
    "one long line": ("orgs", b"x" * (2 << 20), "file_line_too_long", None),
    "a long line below": ("orgs", ORGS.encode() + b"5,ragged\n" + b"x" * (3 << 20), "file_line_too_long", None),
}


def test_law_6_a_cell_over_a_million_lines_is_given_up_and_fills_no_table(warehouse_url: str) -> None:
    """Each of its lines is a record that does not fit; what they say is told once."""
    cell = '"' + "abcdefghijk\n" * 1_000_000 + '"'
    delivery_id = land_orgs(ORGS + f"5,{cell},school\n" + "6,Oak,school\n" * 10)
    assert findings(warehouse_url, delivery_id) == {"file_ragged": "critical"}
    assert details(warehouse_url, delivery_id) == {"file_ragged": "The first is on line 4."}
    assert query(warehouse_url, f"select count(*) from delivery_{delivery_id}.ragged_row") == [(0,)]
    outcome = gate_file(delivery_id, "orgs", Limit(percent=100, floor=0))
    assert (outcome.verdict, outcome.rows_set_aside) == ("reject", 0)
    assert query(warehouse_url, "select count(*) from rollcall.row_finding") == [(0,)]


@pytest.mark.parametrize("kind", NOT_ONEROSTER)
def test_what_is_not_a_roster_is_named_and_lands_nothing(warehouse_url: str, kind: str) -> None:
    file, content, code, detail = NOT_ONEROSTER[kind]
    delivery_id = deliver({f"{file}.csv": content})
    assert land(delivery_id, file) == 0
    assert findings(warehouse_url, delivery_id) == {code: "critical"}
    assert details(warehouse_url, delivery_id) == ({code: detail} if detail else {})
    ((rows, ragged, verdict, reason, name),) = query(
        warehouse_url,
        "select rows_landed, rows_ragged, verdict, verdict_reason, format from rollcall.delivery_file"
        " where delivery_id = %s",
        delivery_id,
    )
    assert (rows, ragged, verdict) == (0, 0, "reject")
    assert reason == f"{file}.csv: {message_of(code, detail)}"
    assert not (name or "").startswith("OneRoster")
    schema = f"delivery_{delivery_id}"
    assert query(warehouse_url, f"select count(*) from {schema}.{FILE_BY_NAME[file].table_name}") == [(0,)]
    assert query(warehouse_url, f"select count(*) from {schema}.ragged_row") == [(0,)]


def test_law_7_a_file_without_a_header_is_not_quoted(warehouse_url: str) -> None:
    delivery_id = land_orgs("Ann Alder,ann@example.org\n")
    statement = "select d::text || coalesce((select string_agg(f::text, ' ') from rollcall.row_finding as f), '')"
    (row,) = query(warehouse_url, f"{statement} from rollcall.delivery_file as d where delivery_id = %s", delivery_id)
    assert "Ann" not in row[0]


def test_rows_are_numbered_by_physical_line_and_ragged_ones_kept_apart(warehouse_url: str) -> None:
    content = f'{HEADER}\n1,,,"Maple\nUnited",district,,\n\n2,,,ragged\n3,,,Oak,school,,1\n4,,,\0,school,,1\n'
    delivery_id = land_orgs(content)
    assert landed(warehouse_url, delivery_id, "_row, sourced_id") == [(2, "1"), (6, "3")]
    assert query(warehouse_url, f"select _row, file, code, first_cell from delivery_{delivery_id}.ragged_row") == [
        (5, "orgs", "row_ragged", "2"),
        (7, "orgs", "row_nul_byte", "4"),
    ]
    assert file_row(warehouse_url, delivery_id) == (4, 2, None)


def test_more_torn_rows_than_fit_into_a_batch_are_all_kept_apart(warehouse_url: str) -> None:
    ragged = "".join(f"{number},ragged\n" for number in range(25_000))
    delivery_id = land_orgs(f"{HEADER}\n{ragged}1,,,Maple,district,,\n")
    for _ in range(2):
        assert file_row(warehouse_url, delivery_id) == (25_001, 25_000, None)
        assert query(
            warehouse_url,
            "select count(*), bool_and(_row = first_cell::int + 2 and code = 'row_ragged')"
            f" from delivery_{delivery_id}.ragged_row",
        ) == [(25_000, True)]
        land(delivery_id, "orgs")


def test_a_file_of_many_blocks_keeps_every_row_and_its_line(warehouse_url: str) -> None:
    rows = "".join(f'{number},,,"Oak, {number}",school,,1\r\n' for number in range(2, 60_000))
    assert len(rows) > BLOCK_BYTES
    delivery_id = land_orgs(f"{HEADER}\r\n{rows}")
    assert query(
        warehouse_url,
        f"select count(*), bool_and(_row = sourced_id::int and name = 'Oak, ' || sourced_id)"
        f" from delivery_{delivery_id}.orgs",
    ) == [(59_998, True)]


def test_a_header_alone_is_a_file_of_no_rows(warehouse_url: str) -> None:
    delivery_id = land_orgs(HEADER)
    assert file_row(warehouse_url, delivery_id) == (0, 0, None)
    assert findings(warehouse_url, delivery_id) == {}


def test_law_4_landing_twice_gives_the_same_rows_and_findings(warehouse_url: str) -> None:
    delivery_id = land_orgs("sourcedId,name,type,x\n1,Maple,district,\n2,ragged\n")
    statement = (
        f"select (select array_agg(o::text) from delivery_{delivery_id}.orgs as o),"
        f" (select array_agg(r::text) from delivery_{delivery_id}.ragged_row as r),"
        " (select array_agg((file, code, severity, rows_failed)::text order by file, code) from rollcall.check_result),"
        " (select array_agg(f::text order by f::text) from rollcall.row_finding as f),"
        " (select array_agg(d::text order by d::text) from rollcall.delivery_file as d)"
    )
    first = query(warehouse_url, statement)
    land(delivery_id, "orgs")
    assert query(warehouse_url, statement) == first


def test_a_file_that_the_archive_has_lost_is_an_error(warehouse_url: str, tmp_path: Path) -> None:
    delivery_id = deliver({"orgs.csv": ORGS.encode()})
    for path in (tmp_path / "archive" / "maple").glob("??/*"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        land(delivery_id, "orgs")
    assert file_row(warehouse_url, delivery_id) == (None, None, None)


def test_a_file_or_delivery_that_the_ledger_does_not_know_is_an_error() -> None:
    delivery_id = deliver({"orgs.csv": ORGS.encode()})
    with pytest.raises(ledger.UnknownDeliveryError, match=rf"Delivery {delivery_id} holds no users\.csv"):
        land(delivery_id, "users")
    with pytest.raises(ledger.UnknownDeliveryError, match="There is no delivery 999"):
        land(999, "users")


def test_law_7_a_copy_that_fails_never_shows_the_cell(
    warehouse_url: str, postgres: object, capfd: pytest.CaptureFixture[str]
) -> None:
    execute(warehouse_url, "alter table staging.orgs alter column name type integer using null")
    delivery_id = deliver({"orgs.csv": ORGS.replace("Maple", "Ann Alder").encode()})
    with pytest.raises(WarehouseError, match="InvalidTextRepresentation") as caught:
        land(delivery_id, "orgs")
    shown = "".join(traceback.format_exception(caught.value)) + "".join(capfd.readouterr())
    assert "Ann" not in shown + postgres.log.read_text()  # type: ignore[attr-defined]
    assert landed(warehouse_url, delivery_id) == []
