"""The step ``land``: files as they are sent, through the archive, into the delivery's own schema."""

import asyncio
import csv
import os
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from helpers.deliveries import FIRST_NIGHT, execute, query
from helpers.inbox import district

from rollcall import ledger
from rollcall.archive.inbox import TakenFile
from rollcall.archive.receive import record_delivered
from rollcall.archive.store import Archive
from rollcall.arrival.listing import InboxFile
from rollcall.landing import land
from rollcall.landing.encoding import BLOCK_BYTES
from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES
from rollcall.settings import settings
from rollcall.warehouse import WarehouseError, connect
from simulator.night import write_night
from simulator.profile import Profile

HEADER = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"
ORGS = f"{HEADER}\n1,,,Maple,district,,\n2,,,Zoë's,school,,1\n"
LANDED = [(2, "1", "Maple", None), (3, "2", "Zoë's", "1")]


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    monkeypatch.setenv("ROLLCALL_ARCHIVE_URL", (tmp_path / "archive").as_uri())
    settings.cache_clear()
    yield
    settings.cache_clear()


def deliver(files: dict[str, bytes]) -> int:
    """Have files archived and recorded as a delivery."""

    async def blocks(content: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(content), 1 << 20):
            yield content[at : at + (1 << 20)]

    maple = district()
    archive = Archive(settings().archive_root, maple.district_id)
    with connect() as connection:
        ledger.record_district(connection, maple)
        delivery = ledger.open_delivery(connection, maple.district_id, FIRST_NIGHT, os.urandom(8).hex(), "inbox")
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
    land(delivery_id, "orgs", log=print)
    return delivery_id


def findings(url: str, delivery_id: int) -> dict[str, str]:
    statement = "select code, severity from rollcall.check_result where delivery_id = %s and code <> 'file_missing'"
    return dict(query(url, statement, delivery_id))  # type: ignore[arg-type]


def columns_found(url: str, delivery_id: int, code: str) -> list[str]:
    statement = "select column_name from rollcall.row_finding where delivery_id = %s and code = %s and row_number = 1"
    return sorted(row[0] for row in query(url, statement, delivery_id, code))


def file_row(url: str, delivery_id: int, columns: str = "rows_landed, rows_ragged, verdict") -> tuple[object, ...]:
    return query(
        url, f"select {columns} from rollcall.delivery_file where delivery_id = %s and file = 'orgs'", delivery_id
    )[0]


def test_a_simulated_night_lands_cell_by_cell(warehouse_url: str, tmp_path: Path) -> None:
    night = write_night(Profile("maple", "Maple", students=60, seed=7), 1, tmp_path / "night")
    delivery_id = deliver({file.name: file.read_bytes() for file in night.files})
    for name in FILE_NAMES:
        assert land(delivery_id, name, log=print) == night.expected.rows[name]
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
    [("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "windows-1252"), ("utf-8", "utf-8")],
)
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_encodings_and_line_ends_land_alike(warehouse_url: str, encoding: str, recorded: str, line_end: str) -> None:
    delivery_id = land_orgs(ORGS.replace("\n", line_end).encode(encoding))
    assert landed(warehouse_url, delivery_id) == LANDED
    assert file_row(warehouse_url, delivery_id, "encoding") == (recorded,)
    told = {} if recorded == "utf-8" else {"encoding_not_utf8": "warning"}
    assert findings(warehouse_url, delivery_id) == told


def test_blank_cells_are_null_quoted_or_not(warehouse_url: str) -> None:
    delivery_id = land_orgs(f'{HEADER}\n1,"",,"Maple","district",,""\n')
    assert landed(warehouse_url, delivery_id, "sourced_id, status, date_last_modified, parent_sourced_id") == [
        ("1", None, None, None)
    ]


def test_law_7_passwords_never_land(warehouse_url: str) -> None:
    content = b"sourcedId,username,password,role\n7,ann,open sesame,student\n"
    delivery_id = deliver({"users.csv": content})
    land(delivery_id, "users", log=print)
    (row,) = query(warehouse_url, f"select u::text from delivery_{delivery_id}.users as u")
    assert "ann" in row[0]
    assert "sesame" not in row[0]
    everywhere = "select count(*) from information_schema.columns where column_name like 'pass%%' and table_schema = %s"
    assert query(warehouse_url, everywhere, f"delivery_{delivery_id}") == [(0,)]


def test_columns_are_landed_by_name_whatever_their_order_and_case(warehouse_url: str) -> None:
    content = "TYPE,extra,Name,parentSourcedId,sourcedID\ndistrict,x,Maple,,1\nschool,x,Zoë's,1,2\n"
    delivery_id = land_orgs(content)
    assert landed(warehouse_url, delivery_id) == LANDED
    assert columns_found(warehouse_url, delivery_id, "column_unknown") == ["cell 2"]
    assert columns_found(warehouse_url, delivery_id, "column_miscased") == ["name", "sourcedId", "type"]


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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"Ann Alder,ann@example.org,2012-02-29\n",
        b"<html><body>Session expired</body></html>",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        "sourcedId,name\n".encode("utf-16-le"),  # without its mark
        b"x" * (17 << 20),
        f"{HEADER}\n1,,,Maple,district,,\n".encode() + b"x" * (18 << 20),
    ],
    ids=["empty", "blank", "no header", "html", "binary", "utf-16 unmarked", "one long line", "a long line below"],
)
def test_what_is_not_a_roster_rejects_the_file_and_lands_nothing(warehouse_url: str, content: bytes) -> None:
    delivery_id = land_orgs(content)
    assert findings(warehouse_url, delivery_id)["file_unreadable"] == "critical"
    assert file_row(warehouse_url, delivery_id) == (0, 0, "reject")
    assert landed(warehouse_url, delivery_id) == []


def test_law_7_a_file_without_a_header_is_not_quoted(warehouse_url: str) -> None:
    delivery_id = land_orgs("Ann Alder,ann@example.org\n")
    statement = "select d::text || coalesce((select string_agg(f::text, ' ') from rollcall.row_finding as f), '')"
    (row,) = query(warehouse_url, f"{statement} from rollcall.delivery_file as d where delivery_id = %s", delivery_id)
    assert "Ann" not in row[0]


def test_rows_are_numbered_by_physical_line_and_torn_ones_kept_apart(warehouse_url: str) -> None:
    content = f'{HEADER}\n1,,,"Maple\nUnited",district,,\n\n2,,,torn\n3,,,Oak,school,,1\n4,,,\0,school,,1\n'
    delivery_id = land_orgs(content)
    assert landed(warehouse_url, delivery_id, "_row, sourced_id") == [(2, "1"), (6, "3")]
    assert query(warehouse_url, f"select _row, file, code, first_cell from delivery_{delivery_id}.ragged_row") == [
        (5, "orgs", "row_ragged", "2"),
        (7, "orgs", "row_nul_byte", "4"),
    ]
    assert file_row(warehouse_url, delivery_id) == (4, 2, None)


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
    delivery_id = land_orgs("sourcedId,name,type,x\n1,Maple,district,\n2,torn\n")
    statement = (
        f"select (select array_agg(o::text) from delivery_{delivery_id}.orgs as o),"
        f" (select array_agg(r::text) from delivery_{delivery_id}.ragged_row as r),"
        " (select array_agg((file, code, severity, rows_failed)::text order by file, code) from rollcall.check_result),"
        " (select array_agg(f::text order by f::text) from rollcall.row_finding as f),"
        " (select array_agg(d::text order by d::text) from rollcall.delivery_file as d)"
    )
    first = query(warehouse_url, statement)
    land(delivery_id, "orgs", log=print)
    assert query(warehouse_url, statement) == first


def test_a_file_that_the_archive_has_lost_is_an_error(warehouse_url: str, tmp_path: Path) -> None:
    delivery_id = deliver({"orgs.csv": ORGS.encode()})
    for path in (tmp_path / "archive" / "maple").glob("??/*"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        land(delivery_id, "orgs", log=print)
    assert file_row(warehouse_url, delivery_id) == (None, None, None)


def test_a_file_or_delivery_that_the_ledger_does_not_know_is_an_error() -> None:
    delivery_id = deliver({"orgs.csv": ORGS.encode()})
    with pytest.raises(ledger.UnknownDeliveryError, match=rf"Delivery {delivery_id} holds no users\.csv"):
        land(delivery_id, "users", log=print)
    with pytest.raises(ledger.UnknownDeliveryError, match="There is no delivery 999"):
        land(999, "users", log=print)


def test_law_7_a_copy_that_fails_never_shows_the_cell(
    warehouse_url: str, postgres: object, capfd: pytest.CaptureFixture[str]
) -> None:
    execute(warehouse_url, "alter table staging.orgs alter column name type integer using null")
    delivery_id = deliver({"orgs.csv": ORGS.replace("Maple", "Ann Alder").encode()})
    with pytest.raises(WarehouseError, match="InvalidTextRepresentation") as caught:
        land(delivery_id, "orgs", log=print)
    shown = "".join(traceback.format_exception(caught.value)) + "".join(capfd.readouterr())
    assert "Ann" not in shown + postgres.log.read_text()  # type: ignore[attr-defined]
    assert landed(warehouse_url, delivery_id) == []
