"""The marts' tests after a publication: what they find is recorded, and holds nothing up."""

from datetime import timedelta

import psycopg
from helpers.deliveries import FIRST_NIGHT, accept, execute, query, reland_nothing
from helpers.logged import heard_by
from helpers.schools import record, school_district

from rollcall import doctor
from rollcall.conform import MartFinding, check_marts, conform
from rollcall.conform.dbt_build import run_dbt
from rollcall.conform.mart_tests import MART_TESTS_LOCK

FINDINGS = "select district_id, sequence, test, severity, failures from rollcall.mart_finding order by 1, 3"


def of_an_unknown_course(district: str) -> list[tuple[str, str, str, int]]:
    """What the tests say of it: one class, three students in it."""
    return [(district, "relationship_dim_class", "warn", 1), (district, "relationship_roster", "warn", 3)]


def publish(url: str, district: str, sequence: int, unknown_course: bool = False) -> None:
    """A night of a district; with a course that nobody knows, where a test warns."""
    rows = school_district()
    if unknown_course:
        record(rows, "classes", "994_1000")["course_sourced_id"] = "NO SUCH COURSE"
    accept(url, district, sequence, rows, service_date=FIRST_NIGHT + timedelta(days=sequence))
    (outcome,) = conform(reland=reland_nothing)
    assert outcome.published == [district]


def short(findings: list[MartFinding]) -> list[tuple[str, str, str, int]]:
    return [
        (each.district_id, each.test.partition("_district_id")[0], each.severity, each.failures) for each in findings
    ]


def freshness() -> str:
    """What dbt says of how long ago anything was published."""
    (source,) = (node for node in run_dbt(("source", "freshness")) if node.name == "publication_event")
    return source.status


def test_law_02_what_was_published_is_tested_once_and_only_told(warehouse_url: str) -> None:
    assert check_marts() == [], "nothing published, nothing to do"
    publish(warehouse_url, "hill", 1)
    publish(warehouse_url, "lake", 1, unknown_course=True)
    told: list[str] = []

    with heard_by(told.append):
        found = check_marts()

    assert short(found) == of_an_unknown_course("lake")
    recorded = [(row[0], row[1], row[3], row[4]) for row in query(warehouse_url, FINDINGS)]
    assert recorded == [("lake", 1, "warn", 1), ("lake", 1, "warn", 3)]
    tested = "select district_id, sequence, tests > 100 from rollcall.mart_test order by 1, 2"
    assert query(warehouse_url, tested) == [("hill", 1, True), ("lake", 1, True)]
    assert query(warehouse_url, "select district_id from rollcall.publication order by 1") == [("hill",), ("lake",)]
    assert "of 2 districts" in told[-1]
    assert check_marts() == [], "once"

    publish(warehouse_url, "hill", 2, unknown_course=True)
    assert short(check_marts()) == of_an_unknown_course("hill"), "of hill alone"

    assert freshness() == "pass"
    execute(warehouse_url, "update rollcall.publication_event set moved_at = moved_at - interval '37 hours'")
    assert freshness() == "warn", "nobody has published for a night and a half"


def test_a_key_that_stands_there_twice_is_found_and_the_doctor_says_so(warehouse_url: str) -> None:
    publish(warehouse_url, "hill", 1)
    publish(warehouse_url, "lake", 1)
    columns = "district_id, source_id, valid_to_seq, row_hash, role, family_name, org_source_ids"
    execute(
        warehouse_url,
        f"insert into history.hist_users (valid_from_seq, {columns})"
        f" select 0, {columns} from history.hist_users where district_id = 'lake' and source_id = '994_1000_S1'",
    )
    found = short(check_marts())
    assert ("lake", "one_open_version_hist_users", "error", 1) in found
    assert ("lake", "unique_key_dim_student", "error", 1) in found
    assert {district for district, *_ in found} == {"lake"}
    (finding,) = (each for each in doctor.examine() if each.check == "marts")
    assert not finding.ok
    assert "lake fails one_open_version_hist_users 1 times" in finding.what


def test_what_was_worked_out_and_is_not_as_defined_is_found(warehouse_url: str) -> None:
    publish(warehouse_url, "hill", 1)
    publish(warehouse_url, "lake", 1)
    execute(
        warehouse_url,
        "update history.hist_class_details set term_name = 'Another'"
        " where district_id = 'lake' and source_id = '994_1000';"
        " insert into history.hist_doubles (district_id, school_year, source_id, class_source_id, user_source_id,"
        " double_source_id, valid_from_seq, row_hash)"
        " select district_id, school_year, source_id, class_source_id, user_source_id, 'GONE', 1, 0"
        " from history.hist_enrollments"
        " where district_id = 'lake' and source_id = '994_1000:994_1000_S0'",
    )
    found = {(each.district_id, each.test, each.severity, each.failures) for each in check_marts()}
    assert found == {("lake", "class_details_as_defined", "error", 1), ("lake", "doubles_as_defined", "error", 1)}


def test_a_test_that_cannot_be_asked_keeps_no_other_from_asking(warehouse_url: str) -> None:
    publish(warehouse_url, "lake", 1, unknown_course=True)
    execute(warehouse_url, "set role roster_owner; drop view roster.agg_school_daily")
    told: list[str] = []
    with heard_by(told.append):
        assert short(check_marts()) == of_an_unknown_course("lake")
    assert any("agg_school_daily" in line and "was not asked" in line for line in told)


def test_two_do_not_test_at_once(warehouse_url: str) -> None:
    publish(warehouse_url, "lake", 1, unknown_course=True)
    with psycopg.connect(warehouse_url) as other:
        other.execute("select pg_advisory_lock(%s)", [MART_TESTS_LOCK])
        told: list[str] = []
        with heard_by(told.append):
            assert check_marts() == []
    assert told == ["Somebody else is testing."]
    assert len(check_marts()) == 2
