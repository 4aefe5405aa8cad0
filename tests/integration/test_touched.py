"""What a delivery changes is the same, compared by what changed since the former one or with all that is published.

The districts live in one warehouse, so that their nights share the builds.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpers.csv_files import file_bytes
from helpers.gating import NO_LIMITS
from helpers.inbox import district
from helpers.judged_twice import forecast_both_ways
from helpers.schools import Rows, record, school_district, without
from helpers.small_world import Outcome, SmallWorld

from rollcall.oneroster import FILE_NAMES, FILES
from rollcall.upkeep.landed import drop_landed

FIRST_NIGHT = date(2026, 11, 16)
CLASS, STUDENT = "994_1000", "994_1000_S0"
ENROLLMENT = f"{CLASS}:{STUDENT}"
BY_CHANGE = len(FILE_NAMES) - 1  # sessions are always compared whole

Edit = Callable[[Rows], object]


def edit(file: str, sourced_id: str, **cells: Any) -> Edit:
    """Another content of a record."""
    return lambda rows: record(rows, file, sourced_id).update(cells)


def drop(file: str, sourced_id: str) -> Edit:
    """A record that is not sent any more."""
    return lambda rows: rows.update(without(rows, file, sourced_id))


def newcomer(rows: Rows) -> None:
    """A student nobody has seen."""
    rows["users"].append({**record(rows, "users", STUDENT), "sourced_id": "new", "username": "new"})


def unreadable_newcomer(rows: Rows) -> None:
    """A row that may be anybody's: what the file does not name is not gone."""
    rows["enrollments"].append({**rows["enrollments"][-1], "sourced_id": "newcomer", "role": "wizard"})


MARK, BROKEN, SOUND = {"status": "tobedeleted"}, {"role": "wizard"}, {"role": "student"}
STORIES: dict[str, tuple[list[Edit], ...]] = {
    "changed": ([], [edit("enrollments", ENROLLMENT, end_date="2026-12-01")], [newcomer]),
    "gone": ([], [drop("enrollments", ENROLLMENT)], [edit("users", STUDENT, grades="08")]),
    "marked": ([], [edit("enrollments", ENROLLMENT, **MARK)], [edit("users", STUDENT, grades="08")]),
    "aside": (
        [edit("users", STUDENT, **BROKEN)],
        [edit("users", STUDENT, **SOUND)],
        [edit("users", STUDENT, **BROKEN)],
    ),
    "class-moves": ([], [edit("classes", CLASS, term_sourced_ids="NEXT")], [edit("users", STUDENT, grades="08")]),
    "term-moves": ([], [edit("academicSessions", "994_F", school_year="2028")], [edit("users", STUDENT, grades="08")]),
    "not-believed": (
        [],
        [drop("enrollments", ENROLLMENT), unreadable_newcomer],
        [edit("users", STUDENT, grades="08")],
    ),
    "came-back": ([], [drop("classes", CLASS)], [lambda rows: rows["classes"].append(school_district()["classes"][0])]),
}
"""What happens in each of three nights."""
CHANGES = {
    "changed": [{("enrollments", "changed")}, {("users", "added")}],
    "gone": [{("enrollments", "absent")}, {("users", "changed")}],
    "marked": [{("enrollments", "tobedeleted")}, {("users", "changed")}],
    "aside": [
        {("users", "added"), ("enrollments", "added")},
        {("users", "aside"), ("enrollments", "aside")},
    ],
    "class-moves": [
        {("classes", "added"), ("classes", "absent"), ("enrollments", "added"), ("enrollments", "absent")},
        {("users", "changed")},
    ],
    "term-moves": [
        {
            ("academicSessions", "added"),
            ("academicSessions", "absent"),
            ("classes", "added"),
            ("classes", "absent"),
            ("enrollments", "added"),
            ("enrollments", "absent"),
        },
        {("users", "changed")},
    ],
    "not-believed": [{("enrollments", "absent")}, {("enrollments", "absent"), ("users", "changed")}],
    "came-back": [
        {("classes", "absent"), ("enrollments", "aside")},
        {("classes", "added")},
    ],
}
"""What the second night and the third change."""


def nights(story: tuple[list[Edit], ...]) -> list[dict[str, bytes]]:
    """The files of each night."""
    rows = school_district()
    rows["academicSessions"].append({**rows["academicSessions"][0], "sourced_id": "NEXT", "school_year": "2028"})
    sent = []
    for edits in story:
        rows = deepcopy(rows)
        for each in edits:
            each(rows)
        sent.append({f"{file}.csv": file_bytes(file, rows[file]) for file in FILE_NAMES})
    return sent


@pytest.fixture
def world(postgres: Any, warehouse_template: str, tmp_path: Path) -> Iterator[SmallWorld]:
    world = SmallWorld(postgres, warehouse_template, tmp_path)
    with world.worked_on():
        world.begin()
        yield world


def test_a_delivery_compared_by_what_changed_changes_what_it_changes_in_full(world: SmallWorld) -> None:
    sent = {name: nights(story) for name, story in STORIES.items()}
    found: dict[str, list[set[tuple[str, str]]]] = {}
    for number in range(3):
        for name, files in sent.items():
            outcome, compared = deliver(world, name, files[number], number)
            assert outcome.state == "accepted", outcome
            assert compared == (BY_CHANGE if number else 0), name
            if number:
                found.setdefault(name, []).append(changes(world, outcome.delivery_id))
        (build,) = world.conform()
        assert len(build.published) == len(STORIES), build
        drop_landed(timedelta(0))
    assert found == CHANGES


def deliver(world: SmallWorld, name: str, files: dict[str, bytes], number: int) -> tuple[Outcome, int]:
    """A night; what became of it, and how many files were compared by what changed."""
    compared: list[int] = []
    outcome = world.deliver(
        district(name, files=FILE_NAMES, limits=NO_LIMITS),
        files,
        FIRST_NIGHT + timedelta(days=number),
        lambda delivery_id: compared.append(forecast_both_ways(world.url, delivery_id)),
    )
    return outcome, compared[0]


def changes(world: SmallWorld, delivery_id: int) -> set[tuple[str, str]]:
    """Which kinds of changes a delivery brings, by file."""
    kinds = f"select kind from delivery_{delivery_id}.change_{{}}"
    return {(file.name, kind) for file in FILES for (kind,) in world.query(kinds.format(file.table_name))}
