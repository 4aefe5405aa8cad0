"""What conform works out for the marts equals their definition, on every night, whatever changed and went back."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from helpers.defined import differences
from helpers.deliveries import FIRST_NIGHT, accept, execute, query, reland_nothing
from helpers.schools import Rows, record, school_district, without

from rollcall.conform import BuildImpossibleError, conform, deploy, roll_back
from rollcall.conform.history import WORKED_OUT_TABLES
from rollcall.pointer import move_effective_date
from rollcall.who import Person

ENROLLMENT = "994_1000:994_1000_S0"
DISTRICTS = {"lake": "inclusive", "oak": "exclusive"}


def _school_is_renamed(rows: Rows) -> None:
    record(rows, "orgs", "994")["name"] = "Oak School"


def _course_is_renamed(rows: Rows) -> None:
    record(rows, "courses", "MATH")["title"] = "Algebra"
    record(rows, "classes", "994_1000")["title"] = None


def _teacher_is_renamed(rows: Rows) -> None:
    record(rows, "users", "TCH_994_1000")["family_name"] = "Noether"
    record(rows, "users", "TCH_995_1000")["email"] = "noether@example.org"


def _term_moves(rows: Rows) -> None:
    record(rows, "academicSessions", "994_F")["end_date"] = "2026-10-03"
    record(rows, "academicSessions", "994_S")["start_date"] = "2026-10-05"


def _class_is_co_taught(rows: Rows) -> None:
    for number, end in enumerate(("2026-10-06", None)):
        teaching = record(rows, "enrollments", "994_1000:TCH_994_1000")
        rows["enrollments"].append({
            **teaching, "sourced_id": f"A{number}", "user_sourced_id": f"TCH_995_100{number}", "end_date": end,
        })  # fmt: skip


def _teacher_of_record_leaves(rows: Rows) -> None:
    record(rows, "enrollments", "994_1000:TCH_994_1000")["end_date"] = "2026-10-05"


def _students_are_enrolled_twice(rows: Rows) -> None:
    rows["enrollments"].append({**record(rows, "enrollments", ENROLLMENT), "sourced_id": "0", "end_date": "2026-10-07"})
    rows["enrollments"].append({**record(rows, "enrollments", ENROLLMENT), "sourced_id": "Z"})


def _one_of_the_enrollments_moves(rows: Rows) -> None:
    record(rows, "enrollments", "0")["begin_date"] = "2026-10-07"
    record(rows, "enrollments", "Z")["class_sourced_id"] = "994_1001"


def _class_goes(rows: Rows) -> None:
    rows.update(without(rows, "classes", "994_1001"))
    rows["enrollments"] = [row for row in rows["enrollments"] if row["class_sourced_id"] != "994_1001"]


def _student_goes(rows: Rows) -> None:
    rows.update(without(rows, "users", "995_1000_S0"))
    rows.update(without(rows, "demographics", "995_1000_S0"))
    rows["enrollments"] = [row for row in rows["enrollments"] if row["user_sourced_id"] != "995_1000_S0"]


def _all_is_as_on_the_first_night(rows: Rows) -> None:
    rows.update(school_district())


NIGHTS: tuple[tuple[Callable[[Rows], None], ...], ...] = (
    (),
    (_school_is_renamed,),
    (_course_is_renamed, _teacher_is_renamed),
    (_term_moves, _class_is_co_taught),
    (_teacher_of_record_leaves, _students_are_enrolled_twice),
    (_one_of_the_enrollments_moves, _class_goes),
    (_student_goes,),
    (_all_is_as_on_the_first_night,),
)


KILL_IN_THE_FOURTH_NIGHT = """
    create function rollcall.kill() returns trigger language plpgsql security definer as
    'begin perform pg_terminate_backend(pg_backend_pid()); return old; end';
    create trigger kill before delete on rollcall.history_to_fill
    for each row when (old.sequence = 4) execute function rollcall.kill();
"""


def build() -> None:
    (outcome,) = conform(reland=reland_nothing)
    assert outcome.published == sorted(DISTRICTS)


@pytest.fixture(scope="module")
def published_url(postgres: Any, warehouse_template: str) -> Iterator[str]:
    """Two districts with different habits; each night something is otherwise, and one goes back in the end."""
    with postgres.worked_on(warehouse_template) as url:
        rows = school_district()
        for sequence, changes in enumerate(NIGHTS, start=1):
            rows = deepcopy(rows)
            for change in changes:
                change(rows)
            for district, habit in DISTRICTS.items():
                night = FIRST_NIGHT + timedelta(days=sequence - 1)
                accept(url, district, sequence, rows, service_date=night, enrollment_end_date=habit)
            build()
        roll_back("lake", to=5, by=Person("Jo", "jo"), why="wrong files")
        with psycopg.connect(url) as connection:
            for district, delivery in query(url, "select district_id, delivery_id from rollcall.publication"):
                assert move_effective_date(connection, district, delivery, date(2026, 11, 1))
        yield url


def test_the_marts_show_on_every_night_what_their_definition_says(published_url: str) -> None:
    with psycopg.connect(published_url) as connection:
        assert differences(connection) == {}
    habits = "select distinct enrollment_end_date from history.hist_class_details where valid_to_seq is null order by 1"
    assert query(published_url, habits) == [("any",), ("exclusive",), ("inclusive",)]
    restored = "select count(*) from history.hist_doubles where valid_to_seq is null and district_id = 'lake'"
    assert query(published_url, restored) != [(0,)]


def test_a_night_writes_what_it_changes(published_url: str) -> None:
    """A school's new name is of its two classes, a student who leaves of none."""
    classes = "select count(distinct source_id) from history.hist_class_details"
    written = f"{classes} where district_id = 'oak' and valid_from_seq = %s"
    assert [query(published_url, written, sequence) for sequence in (2, 7)] == [[(2,)], [(0,)]]


def test_law_04_a_deploy_that_is_killed_making_up_for_older_nights_goes_on_where_it_was(
    published_url: str, state_dir: Any
) -> None:
    before = {table: _content(published_url, table) for table in WORKED_OUT_TABLES}
    for table in WORKED_OUT_TABLES:
        execute(published_url, f"truncate {table}")
        execute(
            published_url,
            "insert into rollcall.history_to_fill"
            " select distinct %s, district_id, sequence from rollcall.publication_event",
            table.removeprefix("history."),
        )
    execute(published_url, KILL_IN_THE_FOURTH_NIGHT)
    with pytest.raises(BuildImpossibleError):
        deploy()
    execute(published_url, "drop function rollcall.kill() cascade")
    left = "select model, district_id, min(sequence) from rollcall.history_to_fill group by 1, 2 order by 1, 2"
    assert query(published_url, left)[:2] == [("hist_class_details", "lake", 4), ("hist_class_details", "oak", 4)]
    deploy()
    assert query(published_url, left) == []
    assert {table: _content(published_url, table) for table in WORKED_OUT_TABLES} == before


def _content(url: str, table: str) -> list[Any]:
    """A table's rows, but for why they ended: a rollback says so, its making up does not."""
    return query(url, f"select to_jsonb(version) - 'end_reason' from {table} as version order by 1")
