"""Cut uploads: what of them is seen, by what, and what is ordinary although it looks alike (law 5)."""

import csv
import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpers.csv_files import csv_bytes, manifest_bytes
from helpers.gating import NO_LIMITS
from helpers.inbox import district
from helpers.small_world import Outcome, SmallWorld

from rollcall.conform import roll_back
from rollcall.decision.holds import Answer
from rollcall.decision.settle import settle
from rollcall.ledger import files_behind_publication
from rollcall.oneroster import FILE_NAMES
from rollcall.warehouse import connect
from rollcall.who import Person
from simulator.night import write_night
from simulator.profile import Profile
from simulator.spoil import Cut, header_only, truncate

FIRST_NIGHT = date(2026, 11, 16)
NEXT_NIGHT = FIRST_NIGHT + timedelta(days=2)
LAST_DAY = "2026-11-18"
"""Of some enrollments: over in the night after the next one."""
KEPT = "rollcall_cut_files"
Files = dict[str, bytes]
Record = dict[str, str]


def files_of_the_simulator() -> Files:
    """The files of a small district: enrollments student by student, teachers first."""
    with tempfile.TemporaryDirectory() as folder:
        profile = Profile("maple", "Maple Unified", 60, 7, levels="elementary", first_night=FIRST_NIGHT)
        night = write_night(profile, 1, Path(folder))
        return {path.name: path.read_bytes() for path in night.files}


def spoiled(files: Files, how: Callable[[Path], object]) -> Files:
    """The files, spoiled in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        how(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def rewritten(files: Files, file: str, change: Callable[[list[Record]], list[Record]]) -> Files:
    """The files, with other records in one of them."""
    records = read(files, file)
    header = list(records[0])
    rows = [[record[name] for name in header] for record in change(records)]
    return files | {f"{file}.csv": csv_bytes([header, *rows])}


def read(files: Files, file: str) -> list[Record]:
    return list(csv.DictReader(io.StringIO(files[f"{file}.csv"].decode(), newline="")))


def without_people(files: Files, people: set[str]) -> Files:
    """As Aeries tells that people left: not a word."""
    for file, column in (("users", "sourcedId"), ("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
        files = rewritten(files, file, lambda rows, at=column: [row for row in rows if row[at] not in people])  # type: ignore[misc]
    return files


def by_class(files: Files) -> Files:
    return rewritten(files, "enrollments", lambda rows: sorted(rows, key=lambda row: row["classSourcedId"]))


def in_no_order(files: Files) -> Files:
    """As a table without order lies on its disk: anyhow, and the same each night."""
    for file in FILE_NAMES:
        files = rewritten(files, file, lambda rows: sorted(rows, key=lambda row: _hash(row["sourcedId"])))
    return files


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ended_last(files: Files) -> Files:
    """Enrollments that end soon at the end: every other one."""

    def sort(rows: list[Record]) -> list[Record]:
        return rows[::2] + [row | {"endDate": LAST_DAY} for row in rows[1::2]]

    return rewritten(files, "enrollments", sort)


def without_line_ends(files: Files) -> Files:
    return {name: content.removesuffix(b"\r\n") for name, content in files.items()}


def users_without_line_end(files: Files) -> Files:
    return files | {"users.csv": files["users.csv"].removesuffix(b"\r\n")}


def in_utf_16(files: Files) -> Files:
    return {name: content.decode().encode("utf-16") for name, content in files.items()}


def of_an_old_mac(files: Files) -> Files:
    return {name: content.replace(b"\r\n", b"\r") for name, content in files.items()}


SENT = files_of_the_simulator()
LAYOUTS: dict[str, Callable[[Files], Files]] = {
    "by-student": lambda files: files,
    "by-class": by_class,
    "in-no-order": in_no_order,
    "ended-last": ended_last,
    "unended": without_line_ends,
    "users-unended": users_without_line_end,
    "utf-16": in_utf_16,
    "old-mac": of_an_old_mac,
    "taken-back": lambda files: files,
}
"""Districts, and how each writes its files."""
STUDENTS = [user["sourcedId"] for user in read(SENT, "users") if user["role"] == "student"]


@pytest.fixture(scope="module")
def built(postgres: Any, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorld]:
    """Every district's first night, published; that of one taken back to after a second one."""
    world = SmallWorld(postgres, warehouse_template, tmp_path_factory.mktemp("archive"))
    with world.worked_on():
        world.begin()
        for name, layout in LAYOUTS.items():
            outcome = deliver(world, name, layout(SENT), FIRST_NIGHT)
            assert (outcome.state == "held") == (name == "users-unended"), outcome
            if outcome.state == "held":
                approve(outcome)
        world.conform()
        files = without_people(SENT, {STUDENTS[0], STUDENTS[-1]})
        deliver(world, "taken-back", files, FIRST_NIGHT + timedelta(days=1))
        world.conform()
        roll_back("taken-back", to=1, by=Person("Jo", "jo"), why="a mistake")
        world.keep(KEPT)
        yield world


@pytest.fixture
def world(built: SmallWorld) -> SmallWorld:
    built.begin(KEPT)
    return built


def deliver(world: SmallWorld, name: str, files: Files, night: date = NEXT_NIGHT, **how: Any) -> Outcome:
    """A night of a district without limits."""
    return world.deliver(district(name, files=FILE_NAMES, limits=NO_LIMITS, **how), files, night)


def approve(outcome: Outcome) -> None:
    with connect() as connection:
        settle(connection, outcome.delivery_id, Answer("approved", "ops", "seen", "cli"))


def reasons(world: SmallWorld, outcome: Outcome) -> list[tuple[str, str]]:
    """Why a delivery is held: codes and files."""
    held = world.query("select reasons from rollcall.hold where delivery_id = %s", outcome.delivery_id)
    assert (outcome.state == "held") == bool(held), outcome
    return [(reason["code"], reason["file"]) for (all_reasons,) in held for reason in all_reasons]


def sentence(world: SmallWorld, outcome: Outcome, code: str) -> str:
    held = world.query("select reasons from rollcall.hold where delivery_id = %s", outcome.delivery_id)
    return next(str(reason["sentence"]) for (all_reasons,) in held for reason in all_reasons if reason["code"] == code)


def cut(files: Files, file: str, keep: float, at: Cut) -> Files:
    return spoiled(files, lambda folder: truncate(folder, file, keep, at))


def without_last(files: Files, file: str, count: int) -> Files:
    """Cut between two records, so many before the end."""
    lines = files[f"{file}.csv"].splitlines(keepends=True)
    return files | {f"{file}.csv": b"".join(lines[:-count])}


@pytest.mark.parametrize("file", ["users", "classes", "enrollments", "demographics"])
def test_law_5_a_file_that_breaks_off_in_a_record_is_held(world: SmallWorld, file: str) -> None:
    outcome = deliver(world, "by-student", cut(SENT, file, 0.99, "record"))
    assert ("hold_file_breaks_off", file) in reasons(world, outcome)
    ((row,),) = world.query(
        "select torn_row from rollcall.delivery_file where delivery_id = %s and file = %s", outcome.delivery_id, file
    )
    lines = cut(SENT, file, 0.99, "record")[f"{file}.csv"].count(b"\n") + 1
    assert row == lines
    assert f"row {lines:,}:" in sentence(world, outcome, "hold_file_breaks_off")


def test_law_5_a_first_delivery_that_breaks_off_is_held(world: SmallWorld) -> None:
    outcome = deliver(world, "new", cut(SENT, "enrollments", 0.99, "record"))
    assert reasons(world, outcome) == [("hold_file_breaks_off", "enrollments")]


def test_law_5_a_cut_in_quotation_marks_behind_a_line_end_is_held(world: SmallWorld) -> None:
    """What follows the cut is a whole line: only the quotation marks tell."""
    files = rewritten(SENT, "users", lambda rows: [*rows[:-1], rows[-1] | {"middleName": "Mary\r\nAnn"}])
    name = files["users.csv"].rindex(b"Ann")
    outcome = deliver(world, "by-student", files | {"users.csv": files["users.csv"][:name]})
    assert ("hold_file_breaks_off", "users") in reasons(world, outcome)


@pytest.mark.parametrize("tail", [b"\0" * 500, "é".encode()[:1]])
def test_law_5_a_file_that_ends_in_damage_is_held(world: SmallWorld, tail: bytes) -> None:
    outcome = deliver(world, "by-student", SENT | {"users.csv": SENT["users.csv"] + tail})
    assert reasons(world, outcome) == [("hold_file_breaks_off", "users")]


def test_law_5_a_last_record_that_only_looks_whole_is_held(world: SmallWorld) -> None:
    """Its last cell says 2027-06-0 instead of 2027-06-04, and the next record is the last one anyway."""
    files = cut(SENT, "enrollments", 0.9999, "cell")
    assert files["enrollments.csv"].count(b"\n") == SENT["enrollments.csv"].count(b"\n") - 1
    outcome = deliver(world, "by-student", files)
    assert reasons(world, outcome) == [("hold_line_end_missing", "enrollments")]
    assert "it had one before" in sentence(world, outcome, "hold_line_end_missing")


def test_law_5_half_a_line_end_is_none(world: SmallWorld) -> None:
    outcome = deliver(world, "by-student", SENT | {"users.csv": SENT["users.csv"].removesuffix(b"\n")})
    assert reasons(world, outcome) == [("hold_line_end_missing", "users")]


def test_law_5_in_a_first_delivery_the_other_files_say_how_files_end(world: SmallWorld) -> None:
    outcome = deliver(world, "new", users_without_line_end(SENT))
    assert reasons(world, outcome) == [("hold_line_end_missing", "users")]
    told = sentence(world, outcome, "hold_line_end_missing")
    assert (
        "orgs.csv, academicSessions.csv, courses.csv, classes.csv, enrollments.csv, demographics.csv have one" in told
    )


@pytest.mark.parametrize("name", ["unended", "users-unended", "old-mac", "utf-16"])
def test_a_district_that_writes_its_files_otherwise_is_not_held(world: SmallWorld, name: str) -> None:
    files = LAYOUTS[name](without_people(SENT, {STUDENTS[3]}))
    assert deliver(world, name, files).state == "accepted"


def test_a_file_of_a_header_alone_is_no_habit(world: SmallWorld) -> None:
    files = spoiled(SENT, lambda folder: header_only(folder, "demographics"))
    unended = without_line_ends(files) | {"demographics.csv": files["demographics.csv"]}
    assert deliver(world, "new", unended).state == "accepted"
    ended = files | {"demographics.csv": files["demographics.csv"].removesuffix(b"\r\n")}
    assert deliver(world, "newer", ended).state == "accepted"


@pytest.mark.parametrize(
    "name", ["by-student", "by-class", "in-no-order", "utf-16", "old-mac", "unended", "taken-back"]
)
def test_law_5_a_cut_between_two_records_is_held_however_small(world: SmallWorld, name: str) -> None:
    """Far below every limit; the files of a rollback are those behind it."""
    plain = LAYOUTS[name](SENT) if name in ("by-class", "in-no-order") else SENT
    outcome = deliver(world, name, LAYOUTS[name](without_last(plain, "enrollments", 3)))
    assert reasons(world, outcome) == [("hold_tail_missing", "enrollments")]
    told = sentence(world, outcome, "hold_tail_missing")
    rows = read(plain, "enrollments")
    students = len({row["userSourcedId"] for row in rows[-3:]})
    assert f"enrollments.csv: 3 records (of {students} students or classes) are gone in one block" in told
    assert f"other files still speak of {students} of them" in told
    assert f"It had {len(rows):,} records, and has {len(rows) - 3:,}" in told
    assert str(FIRST_NIGHT) in told


@pytest.mark.parametrize("file", ["orgs", "academicSessions", "courses", "users", "classes", "demographics"])
def test_law_5_one_record_that_other_files_still_name_is_enough(world: SmallWorld, file: str) -> None:
    outcome = deliver(world, "by-student", without_last(SENT, file, 1))
    assert ("hold_tail_missing", file) in reasons(world, outcome)


def test_law_5_new_records_behind_do_not_hide_a_cut(world: SmallWorld) -> None:
    """Many more have come than are missing: the file is longer than it was."""
    new = [{"sourcedId": f"N{number}", "userSourcedId": STUDENTS[0]} for number in range(30)]
    files = without_last(SENT, "enrollments", 12)
    files = rewritten(files, "enrollments", lambda rows: [*(rows[0] | one for one in new), *rows, rows[-1] | new[0]])
    outcome = deliver(world, "by-student", files)
    assert ("hold_tail_missing", "enrollments") in reasons(world, outcome)


def test_law_5_several_files_cut_alike_are_held(world: SmallWorld) -> None:
    """Nothing speaks of those who are gone, and they are more than go together."""
    outcome = deliver(world, "by-student", without_people(SENT, set(STUDENTS[-8:])))
    assert reasons(world, outcome) == [("hold_tail_missing", file) for file in ("users", "enrollments", "demographics")]


def test_a_family_that_stood_last_may_leave(world: SmallWorld) -> None:
    assert deliver(world, "by-student", without_people(SENT, set(STUDENTS[-7:]))).state == "accepted"


def test_the_last_student_may_leave_a_class(world: SmallWorld) -> None:
    """One student's places are as much as is believed: whoever is cut off alone is not seen."""
    last = [row for row in read(SENT, "enrollments") if row["userSourcedId"] == STUDENTS[-1]]
    assert deliver(world, "by-student", without_last(SENT, "enrollments", len(last))).state == "accepted"


def test_the_last_students_may_change_classes(world: SmallWorld) -> None:
    def with_other_places(rows: list[Record]) -> list[Record]:
        moved = [row for row in rows if row["userSourcedId"] in STUDENTS[-3:]]
        return [row if row not in moved else row | {"sourcedId": f"new {row['sourcedId']}"} for row in rows]

    assert deliver(world, "by-student", rewritten(SENT, "enrollments", with_other_places)).state == "accepted"


def test_what_stood_last_may_stand_elsewhere(world: SmallWorld) -> None:
    """Not the order of tonight counts, but whether all are there."""
    moved = without_people(SENT, set(STUDENTS[-9:-1]))
    files = rewritten(moved, "enrollments", lambda rows: [rows[-1], *rows[:-1]])
    assert ("hold_tail_missing", "enrollments") not in reasons(world, deliver(world, "by-student", files))


def test_what_is_over_may_drop_out_from_the_end(world: SmallWorld) -> None:
    before, after = (without_last(ended_last(SENT), "enrollments", count) for count in (19, 20))
    assert reasons(world, deliver(world, "ended-last", before)) == [("hold_tail_missing", "enrollments")]
    assert deliver(world, "ended-last", after, NEXT_NIGHT + timedelta(days=1)).state == "accepted"


def test_a_delta_is_asked_only_how_it_ends(world: SmallWorld) -> None:
    manifest = {"manifest.csv": manifest_bytes(dict.fromkeys(FILE_NAMES, "bulk") | {"enrollments": "delta"})}
    assert deliver(world, "by-student", without_last(SENT, "enrollments", 30) | manifest).state == "unchanged"
    outcome = deliver(world, "by-class", cut(by_class(SENT), "enrollments", 0.9, "record") | manifest)
    assert reasons(world, outcome) == [("hold_file_breaks_off", "enrollments")]


def test_a_new_school_year_may_leave_the_old_ones_classes_out(world: SmallWorld) -> None:
    def next_year(rows: list[Record]) -> list[Record]:
        def later(day: str) -> str:
            return f"{int(day[:4]) + 1}{day[4:]}"

        return [
            row
            | {"startDate": later(row["startDate"]), "endDate": later(row["endDate"])}
            | {"schoolYear": str(int(row["schoolYear"]) + 1)}
            for row in rows
        ]

    files = without_last(SENT, "enrollments", 60)
    assert ("hold_tail_missing", "enrollments") in reasons(world, deliver(world, "by-student", files))
    rolled = rewritten(files, "academicSessions", next_year)
    outcome = deliver(world, "by-student", rolled, NEXT_NIGHT + timedelta(days=1), roll_over_days=366)
    assert ("hold_tail_missing", "enrollments") not in reasons(world, outcome)


def test_the_earlier_file_is_read_only_where_its_last_record_is_gone(world: SmallWorld) -> None:
    with connect() as connection:
        files_behind = files_behind_publication(connection, "by-student")
    hidden = []
    for name in ("users", "enrollments", "demographics"):
        path = world.archive / files_behind[name].archive_path
        hidden.append((path.rename(path.with_suffix(".away")), path))
    try:
        assert deliver(world, "by-student", without_people(SENT, {STUDENTS[3]})).state == "accepted"
        outcome = deliver(world, "by-student", without_people(SENT, {STUDENTS[-1]}), NEXT_NIGHT + timedelta(days=1))
        assert ("hold_tail_missing", "users") in reasons(world, outcome)
        assert "the archive does not hold that file" in sentence(world, outcome, "hold_tail_missing")
    finally:
        for away, path in hidden:
            away.rename(path)
