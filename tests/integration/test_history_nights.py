"""What night after night leaves in the history: every test loads a first night, then plays some more."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from helpers.deliveries import FIRST_NIGHT, accept, execute, query, reland_nothing
from helpers.postgres import DATABASE, Postgres
from helpers.schools import Rows, record, school_district, without

from rollcall.conform import BuildOutcome, conform
from rollcall.oneroster import FILES

HISTORY = [f"history.hist_{file.table_name}" for file in FILES]
SECOND_NIGHT = FIRST_NIGHT + timedelta(days=1)
PUBLISHED = "rollcall_history_nights"


def build() -> list[BuildOutcome]:
    return conform(reland=reland_nothing)


def changes(url: str, delivery_id: int) -> dict[str, tuple[int, ...]]:
    """Per file that is not all zero: added, changed, removed, kept."""
    rows = query(
        url,
        "select entity, added, changed, removed, kept from rollcall.change_count"
        " where delivery_id = %s and added + changed + removed + kept > 0",
        delivery_id,
    )
    return {row[0]: row[1:] for row in rows}


def versions(url: str, entity: str, source_id: str) -> list[tuple[Any, ...]]:
    return query(
        url,
        f"select valid_from_seq, valid_to_seq, end_reason, ended_on from history.hist_{entity}"
        " where district_id = 'lake' and source_id = %s order by valid_from_seq",
        source_id,
    )


def physical_rows(url: str) -> list[Any]:
    """Where every version lies and who wrote it: differs after any write, an equal one included."""
    return [query(url, f"select ctid::text, xmin::text, xmax::text from {table} order by 1") for table in HISTORY]


@pytest.fixture(scope="module")
def published(postgres: Postgres, warehouse_template: str) -> str:
    """A warehouse to copy, in which the district lake is published once."""
    with postgres.worked_on(warehouse_template) as url:
        accept(url, "lake", 1, school_district())
        (outcome,) = build()
        assert outcome.published == ["lake"]
        postgres.create(PUBLISHED, DATABASE)
    return PUBLISHED


@pytest.fixture
def lake(postgres: Postgres, published: str) -> Iterator[str]:
    """The URL of a warehouse in which the district lake is published once."""
    with postgres.worked_on(published) as url:
        yield url


@pytest.fixture
def first_night() -> Rows:
    """What lake sent on its first night."""
    return school_district()


def test_the_first_night_adds_everything_and_the_same_night_again_writes_nothing(lake: str, first_night: Rows) -> None:
    counted = changes(lake, 1)
    assert counted == {file: (len(rows), 0, 0, 0) for file, rows in first_night.items()}
    before = physical_rows(lake)

    same = accept(lake, "lake", 2, first_night, service_date=SECOND_NIGHT)
    (outcome,) = build()

    assert outcome.published == ["lake"]
    assert changes(lake, same) == {}
    assert physical_rows(lake) == before
    assert query(lake, "select sequence, delivery_id, effective_date from rollcall.publication") == [
        (2, same, SECOND_NIGHT)
    ]
    assert build() == [], "nothing waits, nothing is built"


def test_churn_is_counted_and_dated_exactly(lake: str, first_night: Rows) -> None:
    night = without(first_night, "enrollments", "994_1000:994_1000_S0", "994_1000:994_1000_S1")
    record(night, "users", "994_1000_S2")["given_name"] = "Grace"
    night["courses"].append({"sourced_id": "ART", "title": "Art", "org_sourced_id": "D"})
    record(night, "orgs", "994")["status"] = "ToBeDeleted"
    night = without(
        night, "classes", *[row["sourced_id"] for row in night["classes"] if row["school_sourced_id"] == "994"]
    )
    night["enrollments"] = [row for row in night["enrollments"] if row["school_sourced_id"] != "994"]

    rows = "select ctid::text, xmin::text, xmax::text from {} where valid_from_seq = 1 and valid_to_seq is null"
    before = {table: set(query(lake, rows.format(table))) for table in HISTORY}
    second = accept(lake, "lake", 2, night, service_date=SECOND_NIGHT)
    build()

    after = {table: set(query(lake, rows.format(table))) for table in HISTORY}
    assert all(after[table] <= before[table] for table in HISTORY), "what stays is not written again"
    assert sum(len(before[table] - after[table]) for table in HISTORY) == 1 + 1 + 2 + 8
    assert changes(lake, second) == {
        "courses": (1, 0, 0, 0),
        "users": (0, 1, 0, 0),
        "orgs": (0, 0, 1, 0),
        "classes": (0, 0, 2, 0),
        "enrollments": (0, 0, 8, 0),
    }
    assert versions(lake, "users", "994_1000_S2") == [(1, 2, "changed", SECOND_NIGHT), (2, None, None, None)]
    assert versions(lake, "orgs", "994") == [(1, 2, "tobedeleted", SECOND_NIGHT)]
    assert versions(lake, "classes", "994_1000") == [(1, 2, "missing", SECOND_NIGHT)]
    assert query(lake, "select distinct given_name from roster.dim_student order by 1") == [
        ("Ada",),
        ("Grace",),
    ]
    assert query(lake, "select count(*) from roster.roster") == [(6,)]


def test_what_was_removed_returns_as_a_new_version(lake: str, first_night: Rows) -> None:
    gone = "994_1000:994_1000_S0"
    accept(lake, "lake", 2, without(first_night, "enrollments", gone), service_date=SECOND_NIGHT)
    third = accept(lake, "lake", 3, first_night, service_date=SECOND_NIGHT + timedelta(days=1))

    outcomes = build()

    assert [outcome.published for outcome in outcomes] == [["lake"], ["lake"]], "one delivery after the other"
    assert changes(lake, third) == {"enrollments": (1, 0, 0, 0)}
    assert versions(lake, "enrollments", gone) == [(1, 2, "missing", SECOND_NIGHT), (3, None, None, None)]


def test_absence_is_evidence_only_where_the_ledger_says_so(lake: str, first_night: Rows) -> None:
    """Law 5: a row set aside, an absent file, a header without rows and a delta remove nothing."""
    night = deepcopy(first_night)
    night["demographics"] = []  # only a header
    del night["courses"]  # absent
    night["orgs"] = [{**record(night, "orgs", "995"), "status": "inactive"}]  # a delta
    broken = record(night, "users", "994_1000_S0")
    broken["given_name"], broken["enabled_user"] = "Wrong", "no boolean at all"
    night = without(
        night, "enrollments", *[row["sourced_id"] for row in night["enrollments"] if row["school_sourced_id"] == "995"]
    )
    night = without(night, "classes", "995_1000", "995_1001")

    second = accept(
        lake,
        "lake",
        2,
        night,
        service_date=SECOND_NIGHT,
        no_evidence={"demographics", "orgs"},
        set_aside={("users", 2 + night["users"].index(broken))},
    )
    (outcome,) = build()

    assert outcome.published == ["lake"]
    assert changes(lake, second) == {
        "demographics": (0, 0, 0, 12),
        "courses": (0, 0, 0, 1),
        "orgs": (0, 0, 1, 2),
        "users": (0, 0, 0, 1),
        "classes": (0, 0, 2, 0),
        "enrollments": (0, 0, 8, 0),
    }
    assert query(lake, "select given_name from roster.dim_student where source_id = '994_1000_S0'") == [("Ada",)], (
        "the last good version of a row set aside stays"
    )


def test_the_same_ids_next_year_are_other_classes(warehouse_url: str) -> None:
    """Law 9: Aeries uses term and section ids again every year."""
    accept(warehouse_url, "lake", 1, school_district(end_year=2026), service_date=date(2025, 10, 1))
    build()
    accept(warehouse_url, "lake", 2, school_district(end_year=2027), service_date=date(2026, 8, 20))
    build()

    years = (
        "select school_year, valid_from_seq, valid_to_seq, end_reason from history.hist_{}"
        " where source_id = %s order by 1"
    )
    for entity, source_id in [
        ("academic_sessions", "994_F"),
        ("classes", "994_1000"),
        ("enrollments", "994_1000:994_1000_S0"),
    ]:
        assert query(warehouse_url, years.format(entity), source_id) == [
            (2026, 1, 2, "missing"),
            (2027, 2, None, None),
        ]


def test_a_school_year_is_found_however_little_is_known(warehouse_url: str) -> None:
    """First known term, else the published one, else as first seen, else the night's; never null."""
    night = school_district(end_year=2026)
    by_list_order = record(night, "classes", "994_1000")
    by_list_order["term_sourced_ids"] = "994_Y,OLD,994_F"
    night["academicSessions"].append({**night["academicSessions"][0], "sourced_id": "OLD", "school_year": "2025"})
    record(night, "classes", "994_1001")["term_sourced_ids"] = "994_Y"
    accept(warehouse_url, "lake", 1, night, service_date=date(2025, 10, 1))
    build()
    year = "select school_year from roster.dim_class where source_id = %s"
    assert query(warehouse_url, year, "994_1000") == [(2025,)]
    assert query(warehouse_url, year, "994_1001") == [(2026,)], "the session that contains the night"
    assert query(
        warehouse_url, "select distinct school_year from roster.fct_enrollment where class_source_id = '994_1000'"
    ) == [(2025,)], "an enrollment's year is its class's"

    later = deepcopy(night)
    del later["academicSessions"]
    later["classes"].append({**record(later, "classes", "994_1001"), "sourced_id": "NEW", "term_sourced_ids": None})
    accept(warehouse_url, "lake", 2, later, service_date=date(2026, 7, 1))
    build()
    assert query(warehouse_url, year, "994_1000") == [(2025,)], "the published term"
    assert query(warehouse_url, year, "994_1001") == [(2026,)], "as first seen"
    assert query(warehouse_url, year, "NEW") == [(2027,)], "a school year begins on July 1"


def test_law_9_a_record_that_is_to_be_deleted_ends_in_whatever_school_year(warehouse_url: str) -> None:
    """The id of its class is used again this year; the row cannot say that it means last year's enrollment."""
    accept(warehouse_url, "lake", 1, school_district(end_year=2026), service_date=date(2025, 10, 1))
    build()
    sessions_and_classes = {
        name: rows for name, rows in school_district(end_year=2027).items() if name in ("academicSessions", "classes")
    }
    accept(warehouse_url, "lake", 2, sessions_and_classes, no_evidence=sessions_and_classes, service_date=FIRST_NIGHT)
    build()
    gone = {**record(school_district(), "enrollments", "994_1000:994_1000_S0"), "status": "tobedeleted"}
    accept(warehouse_url, "lake", 3, {"enrollments": [gone]}, no_evidence=["enrollments"], service_date=SECOND_NIGHT)
    build()
    ended = "select school_year, end_reason from history.hist_enrollments where source_id = %s"
    assert query(warehouse_url, ended, "994_1000:994_1000_S0") == [(2026, "tobedeleted")]


def test_columns_that_the_standard_does_not_know_are_kept_and_count_as_content(lake: str, first_night: Rows) -> None:
    hashes = query(lake, "select row_hash from history.hist_orgs order by source_id")
    later = deepcopy(first_night)
    school = later["orgs"][-1]
    school["_metadata"] = '{"metadata.city":   "Oak"}'
    delivery_id = accept(lake, "lake", 2, later, service_date=SECOND_NIGHT)
    build()
    assert changes(lake, delivery_id) == {"orgs": (0, 1, 0, 0)}
    assert query(lake, "select source_id, metadata from history.hist_orgs where metadata is not null") == [
        (school["sourced_id"], {"metadata.city": "Oak"})
    ]

    same = accept(lake, "lake", 3, {**later, "orgs": [*later["orgs"][:-1], {**school, "_metadata": None}]})
    build()
    assert changes(lake, same) == {"orgs": (0, 1, 0, 0)}
    open_ones = "select row_hash from history.hist_orgs where valid_to_seq is null order by source_id"
    assert query(lake, open_ones) == hashes, "without them a row is what it was before"


def test_a_build_that_fails_between_two_history_models_undoes_its_own_half(lake: str, first_night: Rows) -> None:
    """Law 4: what the failed build had closed is open again, what it had begun is gone, and a later one is right."""
    before = [query(lake, f"select t::text from {table} as t order by 1") for table in HISTORY]
    execute(
        lake,
        """
        create function history.refuse() returns trigger language plpgsql as $$
        begin
            for _ in 1..200 loop
                exit when exists (select from history.hist_orgs where valid_from_seq > 1);
                perform pg_sleep(0.05);
            end loop;
            if not exists (select from history.hist_orgs where valid_from_seq > 1) then
                raise exception 'the orgs of this build should be there' using errcode = 'internal_error';
            end if;
            raise exception 'refused' using errcode = 'data_exception';
        end $$;
        create trigger refuse before insert on history.hist_enrollments for each row execute function history.refuse();
        """,
    )
    night = without(first_night, "users", "994_1000_S0")
    night = without(night, "enrollments", "994_1000:994_1000_S0")
    for organisation in night["orgs"]:
        organisation["name"] += " Renamed"
    record(night, "enrollments", "994_1000:994_1000_S1")["begin_date"] = "2026-09-01"
    accept(lake, "lake", 2, night, service_date=SECOND_NIGHT)

    (outcome,) = build()

    assert "hist_enrollments" in outcome.failed["lake"]
    assert "SQLSTATE 22000" in outcome.failed["lake"]
    assert [query(lake, f"select t::text from {table} as t order by 1") for table in HISTORY] == before
    assert query(lake, "select sequence from rollcall.publication") == [(1,)]

    execute(lake, "drop trigger refuse on history.hist_enrollments; drop function history.refuse")
    again = accept(lake, "lake", 3, night, service_date=SECOND_NIGHT)
    build()
    assert changes(lake, again) == {
        "orgs": (0, 3, 0, 0),
        "users": (0, 0, 1, 0),
        "enrollments": (0, 1, 1, 0),
    }


def test_a_reader_in_one_transaction_sees_one_delivery(lake: str, first_night: Rows) -> None:
    """Law 3, under REPEATABLE READ, while the next night is built and published."""
    night = deepcopy(first_night)
    for user in night["users"]:
        user["given_name"] = "Grace"
    accept(lake, "lake", 2, without(night, "demographics", "994_1000_S0"), service_date=SECOND_NIGHT)
    seen = "select count(*), min(student_given_name), max(student_given_name) from roster.roster"
    with psycopg.connect(lake) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert reader.execute(seen).fetchone() == (12, "Ada", "Ada")
        build()
        assert reader.execute(seen).fetchone() == (12, "Ada", "Ada")
        assert reader.execute("select count(*) from roster_restricted.dim_student_demographics").fetchone() == (12,)
    assert query(lake, seen) == [(12, "Grace", "Grace")]
    execute(lake, "drop schema delivery_1 cascade")
