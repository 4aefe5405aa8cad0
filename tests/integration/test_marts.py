"""What the marts show after a few nights, against counts made from the same rows in Python."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
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
    url = postgres.create("rollcall_test", warehouse_template)
    nights = _nights()
    passing = without(nights[FOURTH], "users", "995_1001_S0")  # overtaken by another publication of the same date
    passing["enrollments"] = [row for row in passing["enrollments"] if row["user_sourced_id"] != "995_1001_S0"]
    deliveries = [(FIRST_NIGHT, nights[FIRST_NIGHT]), (SECOND, nights[SECOND])]
    for sequence, (night, rows) in enumerate(deliveries, start=1):
        _publish(url, sequence, night, rows)
    with psycopg.connect(url) as connection:
        for district, delivery_id in query(url, "select district_id, delivery_id from rollcall.publication"):
            assert move_effective_date(connection, district, delivery_id, THIRD)
    for sequence, (night, rows) in enumerate(
        [(FOURTH, passing), (FOURTH, nights[FOURTH]), (FIFTH, nights[FIFTH])], start=3
    ):
        _publish(url, sequence, night, rows)
    yield url
    postgres.drop("rollcall_test")


def _publish(url: str, sequence: int, night: date, rows: Rows) -> None:
    for district, habit in HABITS.items():
        accept(url, district, sequence, rows, service_date=night, enrollment_end_date=habit)
    (outcome,) = conform(url, reland=reland_nothing)
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
    tests = [
        node
        for node in run_dbt(published_url, ("test", "--select", "path:models/marts,test_type:data"))
        if node.kind == "test"
    ]
    assert len(tests) > 100
    assert {(node.name, node.message) for node in tests if node.status != "pass"} == set()
