"""What the marts show after a few nights, against counts made from the same rows in Python."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import psycopg
import pytest
from helpers.deliveries import FIRST_NIGHT, accept, query, reland_nothing
from helpers.schools import Rows, record, school_district, without

from rollcall.conform import conform
from rollcall.conform.dbt_build import run_dbt
from rollcall.pointer import move_effective_date

HABITS = {"inc": "inclusive", "exc": "exclusive"}
SECOND, THIRD, FOURTH, FIFTH = (FIRST_NIGHT + timedelta(days=days) for days in (1, 4, 5, 6))


def _second_night(rows: Rows) -> Rows:
    """One student leaves, one changes school, one comes and belongs to both; a school is renamed; enrollments end."""
    leaver, mover, visitor = "994_1000_S0", "994_1000_S1", "NEW"
    night = without(rows, "users", leaver)
    night["enrollments"] = [row for row in night["enrollments"] if row["user_sourced_id"] != leaver]
    night = without(night, "demographics", leaver)
    record(night, "users", mover)["org_sourced_ids"] = "995"
    night["users"].append({**record(night, "users", mover), "sourced_id": visitor, "org_sourced_ids": "D, 995,994,995"})
    record(night, "orgs", "994")["name"] = "Oak School"
    record(night, "enrollments", "994_1001:994_1001_S0")["end_date"] = SECOND.isoformat()
    record(night, "enrollments", "994_1001:994_1001_S1")["end_date"] = THIRD.isoformat()
    record(night, "enrollments", "995_1000:995_1000_S0")["begin_date"] = THIRD.isoformat()
    return night


def _nights() -> dict[date, Rows]:
    """What each night's publication holds; the third is unchanged, the fifth holds what the first did."""
    first = school_district()
    second = _second_night(first)
    fourth = deepcopy(second)
    fourth["users"].append({**record(second, "users", "NEW"), "sourced_id": "NEWER", "org_sourced_ids": "994"})
    return {FIRST_NIGHT: first, SECOND: second, THIRD: second, FOURTH: fourth, FIFTH: first}


@pytest.fixture(scope="module")
def published_url(postgres: Any, warehouse_template: str) -> Iterator[str]:
    """A warehouse with five nights of two districts that differ in what their end dates mean."""
    nights = _nights()
    passing = without(nights[FOURTH], "users", "995_1001_S0")  # overtaken by another publication of the same date
    passing["enrollments"] = [row for row in passing["enrollments"] if row["user_sourced_id"] != "995_1001_S0"]
    with postgres.worked_on(warehouse_template) as url:
        for sequence, night in enumerate((FIRST_NIGHT, SECOND), start=1):
            _publish(url, sequence, night, nights[night])
        with psycopg.connect(url) as connection:
            for district, delivery_id in query(url, "select district_id, delivery_id from rollcall.publication"):
                assert move_effective_date(connection, district, delivery_id, THIRD)
        for sequence, (night, rows) in enumerate(
            [(FOURTH, passing), (FOURTH, nights[FOURTH]), (FIFTH, nights[FIFTH])], start=3
        ):
            _publish(url, sequence, night, rows)
        yield url


def _publish(url: str, sequence: int, night: date, rows: Rows) -> None:
    for district, habit in HABITS.items():
        accept(url, district, sequence, rows, service_date=night, enrollment_end_date=habit)
    (outcome,) = conform(reland=reland_nothing)
    assert outcome.published == sorted(HABITS)
    assert {node.kind for node in outcome.nodes if node.kind != "operation"} == {"model", "test"}, "no unit test"


def _schools(rows: Rows, user: dict[str, Any]) -> set[str]:
    """The schools that a person belongs to."""
    schools = {org["sourced_id"] for org in rows["orgs"] if org["type"] == "school"}
    return schools & {org.strip() for org in user["org_sourced_ids"].split(",")}


def _members(rows: Rows, school: str, role: str) -> set[str]:
    return {user["sourced_id"] for user in rows["users"] if user["role"] == role and school in _schools(rows, user)}


def _is_active(enrollment: dict[str, Any], night: date, habit: str) -> bool:
    begin, end = enrollment["begin_date"], enrollment.get("end_date")
    last = date.fromisoformat(end) - timedelta(days=habit == "exclusive") if end else night
    return date.fromisoformat(begin) <= night <= last


def _counted(district: str) -> set[tuple[Any, ...]]:
    """Every row that agg_school_daily should show of a district."""
    found: set[Any] = set()
    before: Any = None
    for night, rows in _nights().items():
        for school in ("994", "995"):
            students = _members(rows, school, "student")
            earlier = None if before is None else _members(before, school, "student")
            found.add((
                school,
                night,
                len(students),
                len(_members(rows, school, "teacher")),
                sum(row["school_sourced_id"] == school for row in rows["classes"]),
                sum(
                    row["school_sourced_id"] == school and _is_active(row, night, HABITS[district])
                    for row in rows["enrollments"]
                    if row["role"] == "student"
                ),
                None if earlier is None else len(students - earlier),
                None if earlier is None else len(earlier - students),
            ))  # fmt: skip
        before = rows
    return found


COUNTS = (
    "select school_source_id, effective_date, students, staff, classes, enrollments, joiners, leavers"
    " from roster.agg_school_daily where district_id = %s"
)


@pytest.mark.parametrize("district", HABITS)
def test_every_night_of_a_school_is_counted(published_url: str, district: str) -> None:
    counted = _counted(district)
    shown = query(published_url, COUNTS, district)
    assert set(shown) == counted
    assert len(shown) == len(counted) == 10
    assert {row[6:] for row in counted} > {(None, None), (2, 0), (1, 2), (0, 0)}, "both are seen, alone and together"

    for as_of in (SECOND, THIRD - timedelta(days=1)):  # between two nights, the last one counts
        with psycopg.connect(published_url, options=f"-c roster.as_of={as_of}") as reader:
            assert set(reader.execute(COUNTS, [district]).fetchall()) == {row for row in counted if row[1] <= SECOND}
    with psycopg.connect(published_url, options=f"-c roster.as_of={FIRST_NIGHT - timedelta(days=1)}") as reader:
        assert reader.execute(COUNTS, [district]).fetchall() == []


def test_who_belongs_to_a_school_is_the_same_as_the_counts(published_url: str) -> None:
    for as_of, rows in _nights().items():
        with psycopg.connect(published_url, options=f"-c roster.as_of={as_of}") as reader:
            shown = reader.execute(
                "select person_source_id, school_source_id, person_type, is_primary_school"
                " from roster.fct_school_membership where district_id = 'inc'"
            ).fetchall()
        kinds = {"student": "student", "teacher": "staff"}
        expected = {
            (user["sourced_id"], school, kinds[user["role"]])
            for user in rows["users"]
            for school in _schools(rows, user)
        }
        assert {row[:3] for row in shown} == expected
        assert len(shown) == len(expected)
        assert Counter(row[0] for row in shown if row[3]) == Counter({row[0] for row in shown}), "one primary school"


def test_spells_begin_and_end_where_joiners_and_leavers_are_counted(published_url: str) -> None:
    spells = query(
        published_url,
        "select district_id, school_source_id, began_on, begin_reason, ended_on, end_reason, person_source_id"
        " from roster.fct_membership_spell where person_type = 'student'",
    )
    joiners = Counter(spell[:3] for spell in spells if spell[3] != "first_publication")
    leavers = Counter((*spell[:2], spell[4]) for spell in spells if spell[4])
    counted = "select district_id, school_source_id, effective_date, {0} from roster.agg_school_daily where {0} > 0"
    assert joiners == {tuple(row[:3]): row[3] for row in query(published_url, counted.format("joiners"))}
    assert leavers == {tuple(row[:3]): row[3] for row in query(published_url, counted.format("leavers"))}

    of_inc = {(person, *spell[1:]) for *spell, person in spells if spell[0] == "inc"}
    assert {spell for spell in of_inc if spell[0] in ("994_1000_S0", "994_1000_S1", "NEWER")} == {
        ("994_1000_S0", "994", FIRST_NIGHT, "first_publication", SECOND, "missing"),
        ("994_1000_S0", "994", FIFTH, "returned", None, None),
        ("994_1000_S1", "994", FIRST_NIGHT, "first_publication", SECOND, "moved"),
        ("994_1000_S1", "995", SECOND, "moved", FIFTH, "moved"),
        ("994_1000_S1", "994", FIFTH, "moved", None, None),
        ("NEWER", "994", FOURTH, "joined", FIFTH, "missing"),
    }


def _primary_school(user: dict[str, Any]) -> str:
    return next(org for org in map(str.strip, str(user["org_sourced_ids"]).split(",")) if org != "D")


def _changed(before: Rows, after: Rows) -> set[tuple[Any, ...]]:
    """Who joined, left and moved between two nights."""
    earlier, later = (
        {user["sourced_id"]: _primary_school(user) for user in rows["users"] if user["role"] == "student"}
        for rows in (before, after)
    )
    joined: set[tuple[Any, ...]] = {
        (student, "joined", None, None, later[student]) for student in later.keys() - earlier.keys()
    }
    left: set[tuple[Any, ...]] = {
        (student, "left", "missing", earlier[student], None) for student in earlier.keys() - later.keys()
    }
    moved: set[tuple[Any, ...]] = {
        (student, "moved", None, earlier[student], later[student])
        for student in earlier.keys() & later.keys()
        if earlier[student] != later[student]
    }
    return joined | left | moved


def _places(rows: Rows, night: date, habit: str) -> set[tuple[str, str]]:
    """The classes and students that belong together on a night."""
    return {
        (row["class_sourced_id"], row["user_sourced_id"])
        for row in rows["enrollments"]
        if row["role"] == "student" and _is_active(row, night, habit)
    }


@pytest.mark.parametrize("district", HABITS)
def test_any_two_nights_can_be_compared(published_url: str, district: str) -> None:
    nights = _nights()
    kinds: set[tuple[str, str]] = set()
    with psycopg.connect(published_url) as reader:
        for earlier, later in [*combinations(nights, 2), *((night, night) for night in nights)]:
            reader.execute("select set_config('roster.as_of', %s, true)", [later.isoformat()])
            reader.execute("select set_config('roster.compare_with', %s, true)", [earlier.isoformat()])
            changes = reader.execute(
                "select student_source_id, change, reason, from_school_source_id, to_school_source_id"
                " from roster.fct_roster_change where district_id = %s",
                [district],
            ).fetchall()
            expected = _changed(nights[earlier], nights[later])
            assert (set(changes), len(changes)) == (expected, len(expected)), (earlier, later)
            places = reader.execute(
                "select class_source_id, student_source_id, change from roster.fct_class_change where district_id = %s",
                [district],
            ).fetchall()
            before, after = (_places(nights[night], night, HABITS[district]) for night in (earlier, later))
            there = {(*place, "joined") for place in after - before} | {(*place, "left") for place in before - after}
            assert (set(places), len(places)) == (there, len(there)), (earlier, later)
            kinds |= {("student", change[1]) for change in changes} | {("class", place[2]) for place in places}
        reader.execute("reset roster.compare_with")
        reader.execute("select set_config('roster.as_of', %s, true)", [THIRD.isoformat()])
        compared = reader.execute("select distinct compared_with from roster.fct_class_change").fetchall()
    assert kinds == {("student", kind) for kind in ("joined", "left", "moved")} | {
        ("class", "joined"),
        ("class", "left"),
    }
    assert compared == [(SECOND,)], "with the night of publication before, if nothing else is said"


def test_how_each_district_stands_can_be_asked_by_readers(published_url: str) -> None:
    """What is held and rejected now, nights without, rows set aside and kept, findings of what is shown."""
    with psycopg.connect(published_url) as session:
        session.execute(
            "update rollcall.delivery_file set rows_set_aside = 2, rows_ragged = 1 from rollcall.publication"
            " where publication.delivery_id = delivery_file.delivery_id and district_id = 'inc' and file = 'users';"
            " update rollcall.change_count set kept = 2 from rollcall.publication"
            " where publication.delivery_id = change_count.delivery_id and district_id = 'inc' and entity = 'users';"
            " insert into rollcall.check_result select delivery_id, 'users', code, 'warning', 12, failed"
            " from rollcall.publication cross join (values ('a', 3), ('b', 0)) as found (code, failed)"
            " where district_id = 'inc'"
        )
        for day, state in ((1, "rejected"), (2, "held"), (3, None)):
            night, delivery_id = FIFTH + timedelta(days=day), None
            if state:
                (delivery_id,) = session.execute(
                    "insert into rollcall.delivery (district_id, service_date, run_id, state)"
                    " values ('inc', %s, %s, %s) returning delivery_id",
                    [night, state, state],
                ).fetchone() or (None,)
                session.execute(
                    "insert into rollcall.check_result values (%s, 'users', 'c', 'critical', 12, 12)", [delivery_id]
                )
            session.execute(
                "insert into rollcall.night (district_id, service_date, outcome, delivery_id)"
                " values ('inc', %s, %s, %s)",
                [night, state or "missing", delivery_id],
            )
        session.execute(
            "insert into rollcall.hold (delivery_id, reasons) select delivery_id, %s::jsonb from rollcall.delivery"
            " where run_id = 'held'",
            ['[{"code": "hold_removed"}, {"code": "hold_added"}, {"code": "hold_removed"}]'],
        )
        stands = (
            "select last_good_night, latest_night, latest_outcome, nights_without, held_night, held_reasons,"
            " rejected_night, rejected_state, rows_set_aside, rows_kept from roster.qc_district where district_id = %s"
        )
        first, second, third = (FIFTH + timedelta(days=day) for day in (1, 2, 3))
        held = ["hold_added", "hold_removed"]
        assert session.execute(stands, ["inc"]).fetchall() == [
            (FIFTH, third, "missing", 3, second, held, first, "rejected", 3, 2)
        ]
        assert session.execute(stands, ["exc"]).fetchall() == [(FIFTH, None, None, 0, None, [], None, None, 0, 0)]
        found = "select service_date, delivery_state, rule, rows_failed from roster.qc_finding order by 1"
        assert session.execute(found).fetchall() == [
            (FIFTH, "published", "a", 3),
            (first, "rejected", "c", 12),
            (second, "held", "c", 12),
        ]
        session.execute("select set_config('roster.as_of', %s, true)", [first.isoformat()])
        assert session.execute(stands, ["inc"]).fetchall() == [
            (FIFTH, first, "rejected", 1, None, [], first, "rejected", 3, 2)
        ]
        assert [row[2] for row in session.execute(found).fetchall()] == ["a", "c"]
        session.rollback()


def test_grades_and_subgroups_add_up_to_the_schools(published_url: str) -> None:
    students = query(
        published_url,
        "select district_id, school_source_id, effective_date, sequence, students from roster.agg_school_daily",
    )
    parts = "select district_id, school_source_id, effective_date, sequence, sum({})::int from {} group by 1, 2, 3, 4"
    assert set(query(published_url, parts.format("students", "roster.agg_grade_daily"))) == set(students)
    subgroups = "roster_restricted.agg_subgroup_daily"
    with_demographics = {
        (row[0], row[1], row[2]): row[4]
        for row in query(published_url, parts.format("students_with_demographics", subgroups))
    }
    without_them = {row[:3]: row[4] - with_demographics[row[:3]] for row in students}
    assert set(without_them.values()) == {0, 1, 2}, "those who came later have none"
    assert query(published_url, f"select from {subgroups} where female <> students_with_demographics") == []


def test_the_data_tests_of_the_marts_hold(published_url: str) -> None:
    tests = [node for node in run_dbt(("test", "--select", "path:models/marts,test_type:data")) if node.kind == "test"]
    assert len(tests) > 100
    assert {(node.name, node.message) for node in tests if node.status != "pass"} == set()
