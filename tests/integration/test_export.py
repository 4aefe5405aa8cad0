"""``rollcall export``: the published roster as files, by whoever may see it, and back again."""

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from helpers.deliveries import execute, query
from helpers.marts import ALL_MARTS
from helpers.postgres import Postgres
from helpers.small_world import SmallWorld
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from typer.testing import CliRunner

from rollcall.check import check_path
from rollcall.cli import app
from rollcall.cli.errors import exit_code, sentence
from rollcall.districts import District, district_files, load_district
from rollcall.oneroster import FILE_NAMES, FILES
from rollcall.progress import watched
from rollcall.settings import PROJECT_ROOT, working_on
from simulator.night import write_night
from simulator.profile import Profile, Rates

NIGHTS = (date(2025, 10, 6), date(2025, 10, 7))
NEXT_NIGHT = date(2025, 10, 8)
RATES = Rates(joiners=0.05, leavers=0, renames=0.05)
FORMULA = "=SUM(A1)"
COUNSELOR = 'Ms "Lee", room 1'

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def districts_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two districts that send, and one that never has."""
    folder = tmp_path_factory.mktemp("districts")
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", folder)
    for district_id in ("hill", "lake", "moor"):
        (folder / f"{district_id}.yaml").write_text(f"name: {district_id.title()}\nfirst_delivery: accept\n")
    return folder


@pytest.fixture(scope="module")
def districts(districts_dir: Path) -> dict[str, District]:
    return {path.stem: load_district(path) for path in district_files(districts_dir)}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, date], Files]:
    """What the two districts send: lake with a column of its own, a formula for a name, and zips."""
    files = {}
    for district_id in ("hill", "lake"):
        profile = Profile(district_id, district_id.title(), 40, seed=5, rates=RATES, first_night=NIGHTS[0])
        for number, night in enumerate(NIGHTS, start=1):
            folder = tmp_path_factory.mktemp(f"{district_id}_{number}")
            files[district_id, night] = {
                path.name: path.read_bytes() for path in write_night(profile, number, folder).files
            }
            if district_id == "lake":
                files[district_id, night]["users.csv"] = _with_oddities(files[district_id, night]["users.csv"])
    return files


def _with_oddities(users: bytes) -> bytes:
    rows = list(csv.DictReader(io.StringIO(users.decode())))
    rows[0]["familyName"] = FORMULA
    for number, row in enumerate(rows):
        row["metadata.counselor"] = COUNSELOR if number % 2 else ""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


@pytest.fixture(scope="module")
def built(
    postgres: Postgres,
    warehouse_template: str,
    districts: dict[str, District],
    sent: dict[tuple[str, date], Files],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SmallWorld]:
    """Two nights of both districts are published."""
    world = SmallWorld(postgres, warehouse_template, tmp_path_factory.mktemp("archive"))
    with world.worked_on():
        world.begin()
        for night in NIGHTS:
            for district_id in ("hill", "lake"):
                outcome = world.deliver(districts[district_id], sent[district_id, night], night)
                assert outcome.state == "accepted", outcome
            world.conform()
        world.keep("rollcall_exported")
    yield world
    for name in ("rollcall_exported", "rollcall_test"):
        postgres.drop(name)


@pytest.fixture
def world(built: SmallWorld, districts_dir: Path) -> Iterator[SmallWorld]:
    """The warehouse as the two nights left it."""
    with built.worked_on(), working_on(districts_dir=districts_dir):
        built.begin("rollcall_exported")
        yield built


def run(*arguments: object, code: int = 0) -> str:
    """Run the command as ``main`` does; answers what it printed."""
    outcome = CliRunner().invoke(app, ["export", *map(str, arguments)])
    error = outcome.exception
    ended, said = (
        (exit_code(error), sentence(error)) if isinstance(error, Exception) else (outcome.exit_code, outcome.output)
    )
    assert ended == code, said
    return said


def exported(to: Path, *arguments: object) -> list[dict[str, Any]]:
    return list(json.loads(run(*arguments, "--to", to, "--json", "--by", "Jo")))


def members(path: str | Path) -> Files:
    with zipfile.ZipFile(path) as package:
        return {info.filename: package.read(info) for info in package.infolist()}


def records(content: bytes) -> list[dict[str, str]]:
    """By id, without what a row says of itself."""
    rows = [row | {"dateLastModified": ""} for row in csv.DictReader(io.StringIO(content.decode()))]
    return sorted(rows, key=lambda row: row["sourcedId"])


def test_a_oneroster_zip_holds_what_was_sent_and_sent_in_again_it_is_unchanged(
    world: SmallWorld, districts: dict[str, District], sent: dict[tuple[str, date], Files], tmp_path: Path
) -> None:
    (lake,) = exported(tmp_path, "lake", "--format", "oneroster", "--restricted")
    path = tmp_path / "lake" / str(NIGHTS[1]) / "oneroster.zip"
    assert [each["path"] for each in lake["files"]] == [str(path)]
    packed = members(path)
    assert {name: records(packed[f"{name}.csv"]) for name in FILE_NAMES} == {
        name: records(sent["lake", NIGHTS[1]][f"{name}.csv"]) for name in FILE_NAMES
    }
    assert packed["users.csv"].splitlines()[0].endswith(b",grades,password,metadata.counselor")
    assert lake["files"][0]["rows"] == {name: len(records(packed[f"{name}.csv"])) for name in FILE_NAMES}
    told: list[str] = []
    with watched(lambda what, done, of: told.append(what)):
        assert check_path(path, "lake", None).verdict == "accept"
    assert (told[0], "reading users.csv" in told, told[-1]) == ("starting PostgreSQL", True, "deciding")

    versions = _versions(world)
    outcome = world.deliver(districts["lake"], {"oneroster.zip": path.read_bytes()}, NEXT_NIGHT)
    assert outcome.state == "unchanged", outcome
    assert world.state_of(outcome.delivery_id)[1] == "Its records are those of delivery 4, which is published."
    assert world.query("select sequence, effective_date from rollcall.publication where district_id = 'lake'") == [
        (2, NEXT_NIGHT)
    ]
    assert world.conform() == [], "there is nothing to build"
    assert _versions(world) == versions

    again = exported(tmp_path / "again", "lake", "--format", "oneroster", "--restricted")
    assert members(again[0]["files"][0]["path"]) == packed, "the same publication gives the same files"


def _versions(world: SmallWorld) -> list[list[tuple[Any, ...]]]:
    return [world.query(f"select * from history.hist_{file.table_name} order by 1, 2, 3, 4") for file in FILES]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("users.csv", FORMULA, "=SUM(A2)"),
        ("users.csv", '"Ms ""Lee"", room 1"', "Mr Lu"),
        ("orgs.csv", "\n", "\n4711,,,New School,school,,\n"),
        ("demographics.csv", "male", "female"),
    ],
)
def test_what_differs_in_one_cell_is_not_unchanged(
    world: SmallWorld, districts: dict[str, District], tmp_path: Path, file: str, old: str, new: str
) -> None:
    (lake,) = exported(tmp_path, "lake", "--format", "oneroster", "--restricted")
    files = members(lake["files"][0]["path"])
    files[file] = files[file].decode().replace(old, new, 1).encode()
    assert world.deliver(districts["lake"], files, NEXT_NIGHT).state == "accepted"


def test_a_record_that_is_gone_or_set_aside_is_not_unchanged(
    world: SmallWorld, districts: dict[str, District], tmp_path: Path
) -> None:
    (lake,) = exported(tmp_path, "lake", "--format", "oneroster")
    files = members(lake["files"][0]["path"])
    lines = files["enrollments.csv"].splitlines(keepends=True)
    gone = files | {"enrollments.csv": b"".join(lines[:-1])}
    assert world.deliver(districts["lake"], gone, NEXT_NIGHT).state == "accepted"
    set_aside = files | {
        "enrollments.csv": files["enrollments.csv"] + b"further,,,no-class,no-school,nobody,student,,,\n"
    }
    assert world.deliver(districts["lake"], set_aside, NEXT_NIGHT + timedelta(days=1)).state == "accepted"


def test_demographics_are_for_those_who_may(world: SmallWorld, districts: dict[str, District], tmp_path: Path) -> None:
    (lake,) = exported(tmp_path, "lake", "--format", "oneroster")
    packed = members(lake["files"][0]["path"])
    assert "demographics.csv" not in packed
    assert {b"file.demographics,absent", b"file.users,bulk"} <= set(packed["manifest.csv"].splitlines())
    assert world.deliver(districts["lake"], packed, NEXT_NIGHT).state == "unchanged", "absent says nothing"

    said = run("lake", "--mart", "dim_student_demographics", "--to", tmp_path, code=2)
    assert "--restricted" in said
    for hidden in ("history.hist_demographics", "roster_restricted.dim_student_demographics", "rollcall.delivery"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(make_conninfo(world.url, options="-c role=roster_exporter"), f"select * from {hidden}")
    execute(world.url, "create role clerk login in role roster_exporter")
    try:
        with working_on(warehouse=_as_login(world.url, "clerk")):
            assert len(exported(tmp_path, "--all")) == 2
            assert "may not take on the role roster_restricted_exporter" in run("lake", "--restricted", code=1)
    finally:
        execute(world.url, "drop role clerk")


def _as_login(url: str, login: str) -> str:
    return url.replace("postgresql://postgres:", f"postgresql://{login}:", 1)


def test_every_mart_as_parquet_and_csv_says_what_readers_see_that_night(world: SmallWorld, tmp_path: Path) -> None:
    as_of = ("--all", "--restricted", "--as-of", NIGHTS[0])
    exported(tmp_path, *as_of, "--format", "parquet")
    exported(tmp_path, *as_of, "--format", "csv")
    with psycopg.connect(world.url, row_factory=dict_row) as session:
        session.execute(f"set time zone 'UTC'; set roster.as_of = '{NIGHTS[0]}'")
        for (mart,) in query(world.url, ALL_MARTS):
            for district_id in ("hill", "lake"):
                shown = session.execute(f"select * from {mart} where district_id = %s", [district_id]).fetchall()
                path = tmp_path / district_id / str(NIGHTS[0]) / mart.partition(".")[2]
                read = pq.read_table(path.with_suffix(".parquet")).to_pylist()
                assert _sorted(read) == _sorted(shown), mart
                with path.with_suffix(".csv").open(newline="") as file:
                    cells = list(csv.DictReader(file))
                assert _sorted(cells) == _sorted([{name: _cell(value) for name, value in row.items()} for row in shown])
    assert "'=SUM(A1)" in (tmp_path / "lake" / str(NIGHTS[0]) / "roster.csv").read_text()


def _sorted(rows: list[dict[str, Any]]) -> list[str]:
    """Rows in an order; Arrow and psycopg have each a word of their own for UTC."""
    return sorted(repr(row).replace("zoneinfo.ZoneInfo(key='UTC')", "datetime.timezone.utc") for row in rows)


def _cell(value: Any) -> str:
    """A value as the CSV has it."""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        seconds, _, fraction = str(value.replace(tzinfo=None)).partition(".")
        return f"{seconds}.{fraction}".rstrip("0").rstrip(".") + "+00" if fraction else f"{seconds}+00"
    text = "" if value is None else str(value)
    return f"'{text}" if text == FORMULA else text


def test_law_8_an_export_is_on_record_and_without_the_record_there_is_no_file(
    world: SmallWorld, tmp_path: Path
) -> None:
    exported(tmp_path, "hill", "--mart", "roster", "--mart", "dim_school")
    ((district, sequence, night, file_format, tables, rows, restricted, by),) = world.query(
        "select district_id, sequence, effective_date, format, tables, number_of_rows, with_restricted, exported_by"
        " from rollcall.export"
    )
    assert (district, sequence, night, file_format, restricted, by) == ("hill", 2, NIGHTS[1], "csv", False, "Jo")
    counts = world.query(
        "select (select count(*) from roster.roster where district_id = 'hill')"
        " + (select count(*) from roster.dim_school where district_id = 'hill')"
    )
    assert (tables, [(rows,)]) == (["dim_school", "roster"], counts)
    execute(world.url, "revoke insert on rollcall.export from roster_exporter")
    run("hill", "--to", tmp_path / "refused", code=1)
    assert [*(tmp_path / "refused").rglob("*")] == []


def test_the_files_are_for_their_owner(world: SmallWorld, tmp_path: Path) -> None:
    exported(tmp_path / "new", "hill", "--mart", "dim_school")
    for path in (tmp_path / "new").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


CANNOT = (
    ((), 2, "say --all"),
    (("lake", "--all"), 2, "say --all"),
    (("nowhere",), 2, "no district nowhere"),
    (("moor",), 1, "Nothing was published of moor yet"),
    (("lake", "--as-of", "2024-01-01"), 1, "Nothing was published of lake by the night of 2024-01-01"),
    (("--all", "--as-of", "2024-01-01"), 1, "any district"),
    (("lake", "--as-of", "2199-01-01"), 2, "has not come"),
    (("lake", "--as-of", "yesterday"), 2, "yesterday"),
    (("lake", "--mart", "rooster"), 2, "no mart rooster"),
    (("lake", "--mart", "roster", "--format", "oneroster"), 2, "leave --mart out"),
)


def test_what_cannot_be_exported_is_told(world: SmallWorld, tmp_path: Path) -> None:
    for arguments, code, said in CANNOT:
        assert said in run(*arguments, "--to", tmp_path, code=code), arguments
    assert [*tmp_path.rglob("*")] == []
    assert world.query("select from rollcall.export") == []
