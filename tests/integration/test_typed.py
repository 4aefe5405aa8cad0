"""How landed cells are read: one typed relation per file, and what counts as the same."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import psycopg
import pytest
from helpers.deliveries import land, query

from rollcall import ledger
from rollcall.decision.school_years import school_year_of
from rollcall.landing.typed import make_typed
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import connect

NIGHT = date(2026, 10, 1)
Row = Mapping[str, Any]


def read(url: str, file: str, rows: Sequence[Row], *attributes: str) -> list[tuple[Any, ...]]:
    """Some attributes of rows as they are read."""
    with psycopg.connect(url) as connection:
        connection.execute("insert into rollcall.district values ('lake', 'Lake') on conflict do nothing")
        row = connection.execute(
            "insert into rollcall.delivery (district_id, service_date, run_id, state)"
            " values ('lake', %s, gen_random_uuid(), 'received') returning delivery_id",
            [NIGHT],
        ).fetchone()
        assert row
        land(connection, row[0], {file: rows})
    with connect(url) as connection:
        delivery = ledger.delivery(connection, row[0])
        make_typed(connection, delivery, FILE_BY_NAME[file])
    schema, table = delivery.landing_schema, FILE_BY_NAME[file].table_name
    fingerprints = f"(select _row, fingerprint from {schema}.fingerprint_{table}) as cells"
    rows_read = f"{schema}.typed_{table} inner join {fingerprints} using (_row)"
    return query(url, f"select {', '.join(attributes)} from {rows_read} order by _row")


def test_text_is_trimmed_and_the_deletion_mark_understood(warehouse_url: str) -> None:
    rows = [
        {"sourced_id": " 0994 ", "name": " Oak School ", "type": "SCHOOL", "identifier": "  "},
        {"sourced_id": "D", "status": "ToBeDeleted", "name": "Office", "type": " District"},
        {"sourced_id": "E", "status": "inactive ", "name": "Annex", "type": "ext:Annex "},
        {"sourced_id": "F", "status": "active", "name": "Hall", "type": "Castle"},
    ]
    assert read(warehouse_url, "orgs", rows, "source_id", "is_to_be_deleted", "name", "type", "identifier") == [
        ("0994", False, "Oak School", "school", None),
        ("D", True, "Office", "district", None),
        ("E", True, "Annex", "ext:Annex", None),
        ("F", False, "Hall", "castle", None),
    ]


@pytest.mark.parametrize(
    ("file", "column"),
    [("orgs", "type"), ("academicSessions", "type"), ("users", "role"), ("classes", "class_type"),
     ("enrollments", "role"), ("demographics", "sex")],
)  # fmt: skip
def test_what_a_district_adds_to_a_list_keeps_its_case_everywhere(warehouse_url: str, file: str, column: str) -> None:
    rows = [{"sourced_id": "1", column: "ext:HeadCoach"}, {"sourced_id": "2", column: " EXT:HeadCoach "}]
    assert read(warehouse_url, file, rows, column) == [("ext:HeadCoach",), ("EXT:HeadCoach",)]


def test_people(warehouse_url: str) -> None:
    rows = [
        {"sourced_id": "007", "enabled_user": "TRUE", "role": "Student", "org_sourced_ids": "994,995", "grades": "07"},
        {"sourced_id": "8", "enabled_user": "no", "role": "districtadministrator", "org_sourced_ids": "D "},
        {"sourced_id": "9", "enabled_user": "perhaps", "org_sourced_ids": ",D,"},
    ]  # fmt: skip
    attributes = ("source_id", "is_enabled", "role", "org_source_ids", "grades", "sent_is_enabled")
    assert read(warehouse_url, "users", rows, *attributes) == [
        ("007", True, "student", ["994", "995"], ["07"], "TRUE"),
        ("8", False, "districtAdministrator", ["D"], None, "no"),
        ("9", None, None, ["D"], None, "perhaps"),
    ]


def test_lists_become_arrays(warehouse_url: str) -> None:
    rows = [{"sourced_id": "M", "grades": "10,,09", "subjects": " Algebra , Number theory,", "subject_codes": None}]
    assert read(warehouse_url, "courses", rows, "grades", "subjects", "subject_codes") == [
        (["10", "09"], ["Algebra", "Number theory"], None)
    ]


def test_what_is_not_stated_is_never_taken_for_a_no(warehouse_url: str) -> None:
    rows = [
        {"sourced_id": "1", "birth_date": "2012-02-29 ", "sex": "Female", "asian": "True", "white": "false"},
        {"sourced_id": "2", "asian": " "},
    ]
    assert read(warehouse_url, "demographics", rows, "birth_date", "sex", "asian", "white") == [
        (date(2012, 2, 29), "female", True, False),
        (None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("cell", "day"),
    [("2026-08-27", date(2026, 8, 27)), (" 2026-8-7 ", date(2026, 8, 7)), ("2026-02-30", None), ("today", None),
     ("20260827", None), ("infinity", None), ("2026-08-27 BC", None), ("08/27/2026", None), ("", None)],
)  # fmt: skip
def test_a_date_is_one_or_null(warehouse_url: str, cell: str, day: date | None) -> None:
    rows = [{"sourced_id": "1", "begin_date": cell}]
    assert read(warehouse_url, "enrollments", rows, "begin_date") == [(day,)]


def test_sessions_have_a_school_year(warehouse_url: str) -> None:
    """As sent, else that of the first day, else that of the night."""
    rows = [
        {"sourced_id": "SENT", "school_year": " 2026 ", "type": "Term", "start_date": "2026-08-12"},
        {"sourced_id": "JUNE", "type": "GRADINGPERIOD", "start_date": "2026-06-30", "end_date": " 2026-07-09 "},
        {"sourced_id": "JULY", "school_year": " ", "type": "schoolyear", "start_date": "2026-07-01"},
        {"sourced_id": "NIGHT", "school_year": "26", "type": "semester"},
    ]
    assert read(warehouse_url, "academicSessions", rows, "source_id", "school_year", "type", "end_date") == [
        ("SENT", 2026, "term", None),
        ("JUNE", 2026, "gradingPeriod", date(2026, 7, 9)),
        ("JULY", 2027, "schoolYear", None),
        ("NIGHT", 2027, "semester", None),
    ]


def test_a_night_without_sessions_is_of_the_school_year_that_begins_on_july_1() -> None:
    assert (school_year_of(date(2026, 6, 30), []), school_year_of(date(2026, 7, 1), [])) == (2026, 2027)


def test_the_fingerprint_is_of_the_cells_and_the_hash_of_what_they_say(warehouse_url: str) -> None:
    said = {"sourced_id": "1", "role": "student", "given_name": "Ada", "date_last_modified": "2026-08-27"}
    rows: list[dict[str, Any]] = [
        said,
        dict(said),
        said | {"role": "Student"},
        said | {"date_last_modified": "2026-08-28"},
        said | {"given_name": "Eve"},
        said | {"given_name": None, "family_name": "Ada"},
        said | {"_metadata": '{"pronouns": "she"}'},
    ]
    cells, hashes = zip(*read(warehouse_url, "users", rows, "fingerprint", "row_hash"), strict=True)
    assert len(set(cells)) == len(rows) - 1 and cells[0] == cells[1]  # noqa: PT018 -- one truth
    assert hashes[0] == hashes[1] == hashes[2] == hashes[3]
    assert len({hashes[0], *hashes[4:]}) == 4
