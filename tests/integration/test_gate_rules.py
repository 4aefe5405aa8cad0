"""Every rule of every suite, on a row that breaks it and on rows that do not."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any
from zlib import crc32

import psycopg
import pytest
import yaml
from helpers.deliveries import execute, query
from helpers.gating import GOOD, NO_LIMIT, NO_LIMITS, deliver, found, gate_file, good, publish

from rollcall import ledger
from rollcall.gate import gate_delivery
from rollcall.gate.rules import suite_rules
from rollcall.landing.typed import make_typed
from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES, LANDED_FILE_NAMES
from rollcall.settings import PROJECT_ROOT
from rollcall.suites import DELIVERY_SUITE
from rollcall.warehouse import connect

Case = tuple[Mapping[str, str | None], set[str]]

NO_DAY = {"2026-02-30", "2026-13-01", "1899-12-31", "2101-01-01", "0000-00-00", "20a6-01-01", "2026-8-32"}
NOT_ISO = {"8/27/2026", "08/27/2026", "27.8.2026", "infinity", "now", "today", "epoch", "20260827", "2026-08-27 00:00"}
NEARLY_ISO = {"2026-8-27", "2026-08-7", " 2026-08-27", "2026-08-27 "}
RACES = (
    "american_indian_or_alaska_native",
    "asian",
    "black_or_african_american",
    "native_hawaiian_or_other_pacific_islander",
    "white",
    "demographic_race_two_or_more_races",
    "hispanic_or_latino_ethnicity",
)


def dates(prefix: str, column: str) -> Iterable[Case]:
    yield from (({column: text}, {f"{prefix}_{column}_invalid"}) for text in sorted(NO_DAY))
    yield from (({column: text}, {f"{prefix}_{column}_format"}) for text in sorted(NOT_ISO))
    yield from (({column: text}, {f"{prefix}_{column}_spelling"}) for text in sorted(NEARLY_ISO))
    yield {column: "  "}, {f"{prefix}_only_spaces"}


def booleans(prefix: str, column: str, code: str) -> Iterable[Case]:
    yield from (({column: text}, {f"{prefix}_{code}_spelling"}) for text in ("False", "NO", "0", "n", " false", "F"))
    yield from (({column: text}, {f"{prefix}_{code}_invalid"}) for text in ("X", "2", "maybe"))
    yield {column: "false"}, set()
    yield {column: " "}, {f"{prefix}_only_spaces"}


def every_file(prefix: str) -> Iterable[Case]:
    """What is asked of the three leading columns of each file."""
    yield {"sourced_id": None}, {f"{prefix}_sourced_id_missing"}
    yield {"sourced_id": "s+1"}, {f"{prefix}_sourced_id_characters"}
    yield {"sourced_id": "9\u200b90"}, {f"{prefix}_sourced_id_characters"}
    yield {"sourced_id": "a" * 255}, set()
    yield {"sourced_id": "b" * 256}, {f"{prefix}_sourced_id_too_long"}
    yield (
        {"sourced_id": "  "},
        {f"{prefix}_required_only_spaces", f"{prefix}_sourced_id_characters", f"{prefix}_sourced_id_spaces"},
    )
    yield {"sourced_id": "twice"}, set()
    yield {"sourced_id": "twice", "date_last_modified": "2026-08-27"}, {f"{prefix}_row_repeated"}
    yield {"sourced_id": "twice "}, {f"{prefix}_row_repeated", f"{prefix}_sourced_id_spaces"}
    yield {"sourced_id": "Twice"}, set()
    yield {"sourced_id": "differs"}, {f"{prefix}_sourced_id_duplicate"}
    yield {"sourced_id": "differs"}, {f"{prefix}_sourced_id_duplicate"}
    yield (
        {"sourced_id": "differs", "status": "tobedeleted"},
        {f"{prefix}_sourced_id_duplicate", f"{prefix}_deleted_in_bulk"},
    )
    yield {"status": "active"}, set()
    yield {"status": " "}, {f"{prefix}_status_invalid", f"{prefix}_only_spaces"}
    yield {"status": "tobedeleted"}, {f"{prefix}_deleted_in_bulk"}
    yield {"status": "toBeDeleted"}, {f"{prefix}_status_invalid", f"{prefix}_deleted_in_bulk"}
    yield {"status": "inactive"}, {f"{prefix}_status_invalid", f"{prefix}_deleted_in_bulk"}
    yield {"date_last_modified": "2026-08-27T18:25:43.511Z"}, set()
    yield {"date_last_modified": "2026-08-27"}, set()
    yield {"date_last_modified": "8/27/2026"}, {f"{prefix}_date_last_modified_format"}


def lists(prefix: str, *columns: str) -> Iterable[Case]:
    """A comma too many, in each of the columns that hold lists."""
    for column in columns:
        yield {column: f"{LISTED[column]}, "}, {f"{prefix}_list_empty_element"}


def subjects(prefix: str) -> Iterable[Case]:
    """The two columns that belong together."""
    yield {"subjects": "Algebra,Mathematics"}, {f"{prefix}_subjects_and_codes_differ"}
    yield {"subjects": "Algebra,Mathematics", "subject_codes": "02052, 02"}, set()
    yield {"subjects": "Algebra,,Mathematics", "subject_codes": "02052, 02, 02"}, {f"{prefix}_list_empty_element"}
    yield {"subjects": "Algebra,A,B", "subject_codes": "02052,02,"}, {f"{prefix}_list_empty_element"}
    yield {"subject_codes": None}, set()
    yield {"subject_codes": "MATH"}, {f"{prefix}_subject_codes_shape"}
    yield {"subject_codes": "02052G1.0011"}, set()


LISTED = {
    "grades": "09",
    "org_sourced_ids": "990",
    "user_ids": "{LDAP:a}",
    "agent_sourced_ids": "P1",
    "term_sourced_ids": "990_F",
    "periods": "1",
}
"""An element for each column that holds a list."""

DISTINCT = {"orgs": ("name",), "users": ("username", "identifier", "email"), "enrollments": ("user_sourced_id",)}
"""Columns in which two good records of a file do not say the same."""

IN_DELTA = ("status_blank_in_delta", "date_last_modified_blank_in_delta")
"""What is asked of a file of changes only."""


def birth_dates() -> Iterable[Case]:
    """As other dates; one of spaces only says as little as none."""
    for changes, expected in dates("demographics", "birth_date"):
        nothing = {"demographics_birth_date_missing"} if not (changes["birth_date"] or "").strip() else set()
        yield changes, expected | nothing


CASES: Mapping[str, list[Case]] = {
    "orgs": [
        ({"name": None}, {"orgs_name_missing"}),
        ({"name": " "}, {"orgs_required_only_spaces"}),
        ({"type": None}, {"orgs_type_missing"}),
        ({"type": "School"}, {"orgs_type_spelling"}),
        ({"type": "campus"}, {"orgs_type_invalid"}),
        ({"type": "district"}, set()),
        ({"type": "ext:campus"}, {"orgs_type_extended"}),
        ({"identifier": "  "}, {"orgs_only_spaces"}),
        ({"sourced_id": "top", "parent_sourced_id": "top "}, {"orgs_parent_is_itself"}),
        ({"name": "Oak School"}, {"orgs_name_repeated"}),
        ({"name": "OAK school "}, {"orgs_name_repeated"}),
        ({"name": "Oak School", "type": "district"}, set()),
    ],
    "academicSessions": [
        ({"title": None}, {"academic_sessions_title_missing"}),
        ({"type": None}, {"academic_sessions_type_missing"}),
        ({"type": "gradingperiod"}, {"academic_sessions_type_spelling"}),
        ({"type": "schoolYear"}, set()),
        ({"type": "quarter"}, {"academic_sessions_type_invalid"}),
        ({"start_date": None}, {"academic_sessions_start_date_missing"}),
        ({"end_date": None}, {"academic_sessions_end_date_missing"}),
        ({"start_date": "2026-12-18"}, set()),
        ({"start_date": "2026-12-19"}, {"academic_sessions_end_date_before_start"}),
        *dates("academic_sessions", "start_date"),
        *dates("academic_sessions", "end_date"),
        ({"type": "ext:trimester"}, {"academic_sessions_type_extended"}),
        ({"sourced_id": "top", "parent_sourced_id": "top"}, {"academic_sessions_parent_is_itself"}),
        ({"school_year": "2026"}, {"academic_sessions_school_year_mismatch"}),
        ({"school_year": "2028"}, {"academic_sessions_school_year_mismatch"}),
        ({"start_date": "2027-06-15", "end_date": "2027-07-30"}, set()),
        ({"start_date": "2027-06-15", "end_date": "2027-07-30", "school_year": "2028"}, set()),
        ({"start_date": "2026-08-12", "end_date": "2027-09-17"}, {"academic_sessions_too_long"}),
        ({"start_date": "2026-08-12", "end_date": "2027-09-16"}, set()),
        ({"school_year": None}, {"academic_sessions_school_year_missing"}),
        ({"school_year": " 2027"}, set()),
        ({"school_year": "  "}, {"academic_sessions_only_spaces"}),
        *(
            ({"school_year": year}, {"academic_sessions_school_year_invalid"})
            for year in ("2026-27", "26", "20271", "2026-2027", "99999999999", "year")
        ),
    ],
    "courses": [
        ({"title": None}, {"courses_title_missing"}),
        ({"org_sourced_id": None}, {"courses_org_sourced_id_missing"}),
        ({"grades": "KG, 01,Other"}, set()),
        ({"grades": "K"}, {"courses_grades_unknown"}),
        *subjects("courses"),
        *lists("courses", "grades"),
        ({"course_code": " "}, {"courses_only_spaces"}),
    ],
    "users": [
        ({"role": None}, {"users_role_missing"}),
        ({"role": "Student"}, {"users_role_spelling"}),
        ({"role": "teacher "}, {"users_role_spelling"}),
        ({"role": "coach"}, {"users_role_invalid"}),
        ({"role": "principal"}, {"users_role_extended"}),
        ({"role": "districtAdministrator"}, {"users_role_extended"}),
        ({"role": "ext:coach"}, {"users_role_extended"}),
        *(({"role": role}, set()) for role in ("administrator", "aide", "guardian", "parent", "proctor", "relative")),
        ({"given_name": None}, {"users_given_name_missing"}),
        ({"family_name": None}, {"users_family_name_missing"}),
        (
            {"given_name": None, "family_name": None},
            {"users_given_name_missing", "users_family_name_missing", "users_name_missing"},
        ),
        ({"given_name": " ", "family_name": "  "}, {"users_name_missing", "users_only_spaces"}),
        ({"enabled_user": None}, {"users_enabled_user_missing"}),
        *booleans("users", "enabled_user", "enabled_user"),
        ({"org_sourced_ids": None}, {"users_org_sourced_ids_missing"}),
        ({"username": None}, {"users_username_missing"}),
        ({"grades": "9"}, {"users_grades_unknown"}),
        ({"grades": None}, {"users_grades_missing"}),
        ({"grades": None, "role": "teacher"}, set()),
        ({"grades": "08, 09"}, {"users_grades_several"}),
        ({"grades": "08,09", "role": "aide"}, set()),
        ({"email": None}, set()),
        ({"email": None, "role": "teacher"}, {"users_email_missing"}),
        *(
            ({"email": email}, {"users_email_shape"})
            for email in ("asmith@maple", "asmith", "a@b.org,c@d.org", "a smith@maple.org", "a@b@c.org", "a@b.org.")
        ),
        ({"email": " a.o'brien+x@sub.maple.org "}, set()),
        ({"user_ids": None}, set()),
        ({"user_ids": "{LDAP:a},{LTI:b/c}, {Fed:d}"}, set()),
        *(({"user_ids": ids}, {"users_user_ids_shape"}) for ids in ("asmith", "{LDAP}", "{LDAP:}", "{LDAP:a}{LTI:b}")),
        ({"username": "same"}, {"users_username_repeated"}),
        ({"username": "SAME ", "role": "teacher"}, {"users_username_repeated"}),
        ({"email": "same@maple.org"}, {"users_email_repeated"}),
        ({"email": "Same@maple.org", "role": "aide"}, {"users_email_repeated"}),
        ({"identifier": "77"}, {"users_identifier_repeated"}),
        ({"identifier": "77"}, {"users_identifier_repeated"}),
        ({"identifier": "77", "role": "teacher"}, set()),
        ({"org_sourced_ids": "990, 991"}, {"users_several_schools"}),
        ({"sourced_id": "self", "agent_sourced_ids": "P1, self"}, {"users_agent_is_itself"}),
        *lists("users", "grades", "user_ids", "agent_sourced_ids", "org_sourced_ids"),
    ],
    "classes": [
        ({"title": None}, {"classes_title_missing"}),
        ({"school_sourced_id": None}, {"classes_school_sourced_id_missing"}),
        ({"course_sourced_id": None}, {"classes_course_sourced_id_missing"}),
        ({"class_type": None}, {"classes_class_type_missing"}),
        ({"class_type": "Scheduled"}, {"classes_class_type_spelling"}),
        ({"class_type": "section"}, {"classes_class_type_invalid"}),
        ({"class_type": "ext:advisory"}, {"classes_class_type_extended"}),
        ({"class_type": "homeroom"}, set()),
        ({"school_sourced_id": "  "}, {"classes_required_only_spaces"}),
        ({"school_sourced_id": "x" * 256}, {"classes_school_sourced_id_too_long"}),
        ({"location": "  "}, {"classes_only_spaces"}),
        *subjects("classes"),
        *lists("classes", "grades", "term_sourced_ids", "periods"),
        ({"term_sourced_ids": None}, {"classes_term_sourced_ids_missing"}),
        ({"grades": "09,10,11,12"}, set()),
        ({"grades": "09,XX"}, {"classes_grades_unknown"}),
    ],
    "enrollments": [
        ({"class_sourced_id": None}, {"enrollments_class_sourced_id_missing"}),
        ({"user_sourced_id": None}, {"enrollments_user_sourced_id_missing"}),
        ({"school_sourced_id": None}, {"enrollments_school_sourced_id_missing"}),
        ({"role": None}, {"enrollments_role_missing"}),
        ({"role": "TEACHER"}, {"enrollments_role_spelling"}),
        ({"role": "aide"}, {"enrollments_role_unusual"}),
        ({"role": "Guardian"}, {"enrollments_role_unusual", "enrollments_role_spelling"}),
        ({"role": "coach"}, {"enrollments_role_invalid"}),
        ({"role": "ext:coach"}, {"enrollments_role_extended"}),
        ({"user_sourced_id": " "}, {"enrollments_required_only_spaces"}),
        ({"class_sourced_id": "x" * 256}, {"enrollments_class_sourced_id_too_long"}),
        ({"user_sourced_id": "x" * 256}, {"enrollments_user_sourced_id_too_long"}),
        ({"school_sourced_id": "x" * 256}, {"enrollments_school_sourced_id_too_long"}),
        ({"user_sourced_id": "x" * 255}, set()),
        ({"is_primary": "true"}, {"enrollments_primary_of_student"}),
        ({"is_primary": "Yes"}, {"enrollments_primary_of_student", "enrollments_primary_spelling"}),
        ({"is_primary": "true", "role": "teacher"}, set()),
        *booleans("enrollments", "is_primary", "primary"),
        ({"user_sourced_id": "same"}, {"enrollments_person_repeated"}),
        ({"user_sourced_id": "same"}, {"enrollments_person_repeated"}),
        ({"user_sourced_id": "same", "class_sourced_id": "990_2"}, set()),
        ({"end_date": "9999-12-31"}, {"enrollments_end_date_placeholder"}),
        ({"begin_date": None, "end_date": None}, set()),
        *dates("enrollments", "begin_date"),
        *dates("enrollments", "end_date"),
        ({"end_date": "2026-08-12"}, set()),
        ({"end_date": "2026-08-11"}, {"enrollments_end_date_before_begin"}),
    ],
    "demographics": [
        ({"birth_date": None, "sex": None}, {"demographics_birth_date_missing"}),
        *birth_dates(),
        ({"birth_date": "2099-12-31"}, {"demographics_birth_date_implausible"}),
        ({"birth_date": "1901-01-01"}, {"demographics_birth_date_implausible"}),
        ({"birth_date": str(datetime.now(UTC).date())}, {"demographics_birth_date_implausible"}),
        ({"sex": "F"}, {"demographics_sex_invalid"}),
        ({"sex": "Female"}, {"demographics_sex_spelling"}),
        *(({"sex": sex}, {"demographics_sex_extended"}) for sex in ("other", "unspecified", "ext:x")),
        ({"country_of_birth_code": "United States"}, {"demographics_country_of_birth_code_shape"}),
        ({"state_of_birth_abbreviation": "Calif."}, {"demographics_state_of_birth_abbreviation_shape"}),
        ({"public_school_residence_status": "R"}, {"demographics_public_school_residence_status_shape"}),
        ({"white": "true"}, set()),
        ({"white": "true", "demographic_race_two_or_more_races": "false"}, {"demographics_races_contradict"}),
        ({"white": "true", "demographic_race_two_or_more_races": "true"}, set()),
        ({"city_of_birth": " "}, {"demographics_only_spaces"}),
        *(case for race in RACES for case in booleans("demographics", race, race)),
    ],
    "roles": [
        ({"user_sourced_id": None}, {"roles_user_sourced_id_missing"}),
        ({"org_sourced_id": None}, {"roles_org_sourced_id_missing"}),
        ({"org_sourced_id": " "}, {"roles_required_only_spaces"}),
        ({"user_profile_sourced_id": " "}, {"roles_only_spaces"}),
        ({"role": None}, {"roles_role_missing"}),
        ({"role": "Principal"}, {"roles_role_spelling"}),
        ({"role": "wizard"}, {"roles_role_invalid"}),
        *(({"role": role}, set()) for role in ("siteAdministrator", "counselor", "ext:coach")),
        ({"role_type": None}, {"roles_role_type_missing"}),
        ({"role_type": "main"}, {"roles_role_type_invalid"}),
        ({"role_type": "secondary"}, set()),
    ],
}


def distinct(file: str, line: int, sourced_id: str | None) -> dict[str, str | None]:
    """A good record of its own: rows of one id are alike, those of different ids are not."""
    own = f"{crc32((sourced_id or str(line)).strip().encode()):x}"
    return good(
        file, sourced_id=sourced_id, **{column: f"{own}{GOOD[file][column]}" for column in DISTINCT.get(file, ())}
    )


def rows_and_expectations(file: str) -> tuple[list[dict[str, str | None]], dict[int, set[str]]]:
    """A good row in line 2, then a row per case."""
    rows, expected = [good(file)], {2: set[str]()}
    for line, (changes, expected_codes) in enumerate([*every_file(FILE_BY_NAME[file].table_name), *CASES[file]], 3):
        rows.append({**distinct(file, line, changes.get("sourced_id", f"row{line}")), **changes})
        expected[line] = expected_codes
    return rows, expected


@pytest.mark.parametrize("file", LANDED_FILE_NAMES)
def test_each_rule_finds_the_rows_that_break_it_and_no_other(warehouse_url: str, file: str) -> None:
    rows, expected = rows_and_expectations(file)
    severities = {rule.code: rule.severity for rule in suite_rules(file)}
    delivery_id = deliver(warehouse_url, {file: rows})

    outcome = gate_file(delivery_id, file, NO_LIMIT)

    got = found(warehouse_url, delivery_id, file)
    order = next((rule.code for rule in suite_rules(file) if "_end_date_before_" in rule.code), "")
    unexpected = {
        line: (rows[line - 2], sorted(got.get(line, {})), sorted(expected.get(line, set())))
        for line in range(2, len(rows) + 2)
        if set(got.get(line, {})) - {order} != expected.get(line, set()) - {order}
    }
    assert not unexpected
    assert got[1] == {"status_filled_in_bulk": "info", "date_last_modified_filled_in_bulk": "info"}
    assert all(severities[code] == severity for findings in got.values() for code, severity in findings.items())
    aside = {line for line, findings in got.items() if "critical" in findings.values()}
    assert outcome.rows_set_aside == len(aside)
    assert outcome.rows_landed == len(rows)
    cases = set().union(*expected.values(), got[1], {"file_header_only"})
    assert cases == {code for code in severities if not code.endswith(IN_DELTA)}, "a rule without a case"


@pytest.mark.parametrize("file", LANDED_FILE_NAMES)
def test_a_file_of_changes_says_of_each_whether_it_stays(warehouse_url: str, file: str) -> None:
    prefix = FILE_BY_NAME[file].table_name
    states = [None, "active", "tobedeleted"]
    rows = [{**distinct(file, line, f"row{line}"), "status": status} for line, status in enumerate(states, 2)]
    delivery_id = deliver(warehouse_url, {file: rows}, modes={file: "delta"})
    gate_file(delivery_id, file, NO_LIMIT)
    assert found(warehouse_url, delivery_id, file) == {
        1: {"date_last_modified_blank_in_delta": "info"},
        2: {f"{prefix}_status_blank_in_delta": "warning"},
    }

    dated = [{**row, "status": "active", "date_last_modified": "2026-08-27T18:25:43.511Z"} for row in rows]
    delivery_id = deliver(warehouse_url, {file: dated}, modes={file: "delta"})
    gate_file(delivery_id, file, NO_LIMIT)
    assert found(warehouse_url, delivery_id, file) == {}


@pytest.mark.parametrize("file", LANDED_FILE_NAMES)
def test_a_full_file_with_the_leading_columns_blank_is_as_the_standard_wants_it(warehouse_url: str, file: str) -> None:
    delivery_id = deliver(warehouse_url, {file: [good(file)]})
    assert gate_file(delivery_id, file, NO_LIMIT).findings == {}


@pytest.mark.parametrize(
    ("file", "begin", "end", "code"),
    [
        ("academicSessions", "start_date", "end_date", "academic_sessions_end_date_before_start"),
        ("enrollments", "begin_date", "end_date", "enrollments_end_date_before_begin"),
    ],
)
def test_an_end_before_the_begin_is_told_and_let_through(
    warehouse_url: str, file: str, begin: str, end: str, code: str
) -> None:
    pairs = [
        ("2026-08-12", "2026-08-12"),
        ("2026-08-12", "2026-08-11"),
        ("2026-10-01", "8/1/2027"),
        (None, "2026-01-01"),
    ]
    rows = [good(file, **{"sourced_id": str(i), begin: b, end: e}) for i, (b, e) in enumerate(pairs)]
    delivery_id = deliver(warehouse_url, {file: rows})
    gate_file(delivery_id, file, NO_LIMIT)
    lines = {line: codes[code] for line, codes in found(warehouse_url, delivery_id, file).items() if code in codes}
    assert lines == {3: "warning"}


CASTS = {
    "academicSessions": {"start_date": "date", "end_date": "date", "school_year": "integer"},
    "users": {"enabled_user": "boolean"},
    "enrollments": {"begin_date": "date", "end_date": "date", "is_primary": "boolean"},
    "demographics": {"birth_date": "date", **dict.fromkeys(RACES, "boolean")},
}
"""The columns that are read as something else than text."""

ODD = sorted(
    {*NO_DAY, *NOT_ISO, *NEARLY_ISO, "-infinity", "yesterday", "allballs", "J2451187", "2026-08-27 BC", "19/8/2026"}
    | {"2026-ja-01", "2-26-08-01", " 2026-08-1", "\uff12026-08-27", "9999-12-31", "2026-08-27 10:00 BC", "\t2026-08-27"}
    | {
        "2026-08-27T",
        "2026-8-27T25",
        "2026-08-27 ....",
        "2026-08-27\n",
        "\u00a0true",
        "true\t",
        " YES ",
        "tru",
        "t",
        "on",
    }
    | {"NaN", "1e3", "2027.0", "0x7E", " 2027 ", "   ", "\t"}
)


@pytest.mark.parametrize("file", CASTS)
def test_what_is_let_through_is_read(warehouse_url: str, file: str) -> None:
    rows = [
        {**distinct(file, 0, f"{column}{index}"), column: text}
        for column in CASTS[file]
        for index, text in enumerate(ODD)
    ]
    delivery_id = deliver(warehouse_url, {file: rows})
    gate_file(delivery_id, file, NO_LIMIT)
    with connect(warehouse_url) as connection:
        make_typed(connection, ledger.delivery(connection, delivery_id), FILE_BY_NAME[file])
    columns = {column.column_name: column.attribute for column in FILE_BY_NAME[file].columns}
    filled = [f"sent_{columns[name]} is null or btrim(sent_{columns[name]}) = ''" for name in CASTS[file]]
    read = " and ".join(
        f"({blank} or {columns[name]} is not null)" for blank, name in zip(filled, CASTS[file], strict=True)
    )
    judged = kept(warehouse_url, delivery_id, f"typed_{FILE_BY_NAME[file].table_name}", read)
    assert 0 < len(judged) < len(rows)
    assert set(judged) == {(True,)}


def kept(url: str, delivery_id: int, table: str, columns: str) -> list[tuple[Any, ...]]:
    """Columns of the rows of a table that are not set aside."""
    return query(
        url,
        f"select {columns} from delivery_{delivery_id}.{table} as landed where not exists"
        f" (select from delivery_{delivery_id}.row_set_aside where row_number = landed._row)",
    )


@pytest.mark.parametrize("file", FILE_NAMES)
def test_what_is_let_through_fits_into_the_indexes_of_history(warehouse_url: str, file: str) -> None:
    """PostgreSQL refuses an entry of more than 2,704 bytes, and one such row would fail the whole build."""
    table = FILE_BY_NAME[file].table_name
    model = yaml.safe_load((PROJECT_ROOT / f"dbt_project/models/history/hist_{table}.yml").read_text())["models"][0]
    meta = model["config"]["meta"]
    indexed = {name for index in (*meta["indexes"], {"columns": meta["key"]}) for name in index["columns"]}
    landed = {name.removesuffix("source_id") + "sourced_id" for name in indexed if name.endswith("source_id")}
    assert {column.column_name for column in FILE_BY_NAME[file].columns} >= landed
    dice = Random(1)
    rows = [
        {
            **distinct(file, line, f"row{line}"),
            column: "".join(chr(0x20000 + dice.randrange(40_000)) for _ in range(length)),
        }
        for line, (column, length) in enumerate(itertools.product(sorted(landed), (254, 255, 256, 5_000)))
    ]
    longest = {column: "".join(chr(0x20000 + dice.randrange(40_000)) for _ in range(255)) for column in landed}
    delivery_id = deliver(warehouse_url, {file: [*rows, {**good(file), **longest}]})
    gate_file(delivery_id, file, NO_LIMIT)
    fitting = kept(warehouse_url, delivery_id, table, ", ".join(sorted(landed)))
    assert len(fitting) == len(landed) * 2 + 1
    district_id = "d" * 63
    for names in (index["columns"] for index in (*meta["indexes"], {"columns": meta["key"]})):
        columns = [name.replace("source_id", "sourced_id") for name in names]
        with psycopg.connect(warehouse_url) as connection:
            connection.execute("create temp table version (district_id text, school_year integer)")
            connection.execute("".join(f"alter table version add {column} text;" for column in sorted(landed)))
            connection.execute(f"create index on version ({', '.join(columns)})")
            for cells in fitting:
                connection.execute(
                    f"insert into version values (%s, 2027{', %s' * len(landed)})", (district_id, *cells)
                )


REFERENCES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("orgs", {"parent_sourced_id": "nowhere"}, {"orgs_parent_unknown"}),
    ("academicSessions", {"parent_sourced_id": "nowhere"}, {"academic_sessions_parent_unknown"}),
    ("courses", {"org_sourced_id": "nowhere"}, {"courses_org_unknown"}),
    ("courses", {"school_year_sourced_id": "nowhere"}, {"courses_school_year_unknown"}),
    ("users", {"org_sourced_ids": "990, nowhere,elsewhere"}, {"users_orgs_unknown"}),
    ("users", {"agent_sourced_ids": "1001, nowhere"}, {"users_agents_unknown"}),
    ("classes", {"school_sourced_id": "nowhere"}, {"classes_school_unknown"}),
    ("classes", {"course_sourced_id": "nowhere"}, {"classes_course_unknown"}),
    ("classes", {"term_sourced_ids": "990_F,990_Y"}, {"classes_terms_unknown"}),
    ("enrollments", {"class_sourced_id": "nowhere"}, {"enrollments_class_unknown"}),
    ("enrollments", {"user_sourced_id": "nowhere"}, {"enrollments_user_unknown"}),
    (
        "enrollments",
        {"school_sourced_id": "nowhere"},
        {"enrollments_school_unknown", "enrollments_school_differs", "enrollments_school_not_of_person"},
    ),
    ("demographics", {"sourced_id": "nowhere"}, {"demographics_user_unknown"}),
    ("roles", {"user_sourced_id": "nowhere"}, {"roles_user_unknown"}),
    ("roles", {"org_sourced_id": "nowhere"}, {"roles_org_unknown"}),
]


def test_each_reference_is_looked_up(warehouse_url: str) -> None:
    rules = {rule.code: rule for rule in suite_rules(DELIVERY_SUITE)}
    files: dict[str, list[dict[str, Any]]] = {name: [good(name)] for name in LANDED_FILE_NAMES}
    expected: dict[tuple[str, int], dict[str, str]] = {}
    for number, (file, changes, codes_expected) in enumerate(REFERENCES):
        files[file].append(good(file, **{"sourced_id": f"row{number}", **changes}))
        expected[file, len(files[file]) + 1] = {code: rules[code].severity for code in codes_expected}
        # The record that a sender deletes may refer to what is gone already.
        files[file].append({**good(file, **{"sourced_id": f"gone{number}", **changes}), "status": "toBeDeleted"})
    delivery_id = deliver(warehouse_url, files)

    outcome = gate_delivery(delivery_id, NO_LIMITS)

    assert found_by_file(warehouse_url, delivery_id) == expected
    assert outcome.findings == Counter(code for codes_found in expected.values() for code in codes_found)
    assert {code for code in rules if code.endswith("_unknown")} <= set(outcome.findings), "a rule without a case"


def found_by_file(url: str, delivery_id: int) -> dict[tuple[str, int], dict[str, str]]:
    """The findings of all files: code and severity, per file and line."""
    return {(file, line): codes for file in LANDED_FILE_NAMES for line, codes in found(url, delivery_id, file).items()}


def term(sourced_id: str, start: str, end: str, **changes: Any) -> dict[str, Any]:
    return good("academicSessions", sourced_id=sourced_id, start_date=start, end_date=end, **changes)


def group(sourced_id: str, **changes: Any) -> dict[str, Any]:
    return good("classes", sourced_id=sourced_id, **changes)


def person(sourced_id: str, role: str = "student", org_sourced_ids: str = "990") -> dict[str, Any]:
    return good("users", sourced_id=sourced_id, role=role, org_sourced_ids=org_sourced_ids)


def place(sourced_id: str, class_id: str, user: str = "1001", role: str = "student", **changes: Any) -> dict[str, Any]:
    """An enrollment, without dates unless they are given."""
    dates = {"begin_date": None, "end_date": None}
    row = good("enrollments", sourced_id=sourced_id, class_sourced_id=class_id, user_sourced_id=user, role=role)
    return {**row, **dates, **changes}


DISTRICT: Mapping[str, list[dict[str, Any]]] = {
    **{name: [dict(row)] for name, row in GOOD.items()},
    "orgs": [
        good("orgs", parent_sourced_id="D"),
        good("orgs", sourced_id="D", type="district", parent_sourced_id="S"),
        good("orgs", sourced_id="S", type="state"),
        good("orgs", sourced_id="991", type="School", parent_sourced_id="D"),
        good("orgs", sourced_id="ART", type="department", parent_sourced_id="990"),
    ],
    "academicSessions": [
        term("Y27", "2026-08-12", "2027-06-04", type="schoolYear"),
        term("990_F", "2026-08-12", "2026-12-18", parent_sourced_id="Y27"),
        term("990_S", "2027-01-05", "2027-06-04", parent_sourced_id="Y27"),
        term("Q1", "2026-08-12", "2026-10-09", type="gradingPeriod", parent_sourced_id="990_F"),
    ],
    "courses": [good("courses", school_year_sourced_id="Y27")],
    "users": [person("1001"), person("T1", "teacher"), person("T2", "teacher", "990,991"), person("A1", "aide")],
    "classes": [group("990_1"), group("990_2", term_sourced_ids="990_F, 990_S")],
    "enrollments": [
        good("enrollments"),
        place("p1", "990_1", "T1", "teacher", is_primary="true", end_date="2026-09-30"),
        place("p2", "990_1", "T2", "teacher", is_primary="true", begin_date="2026-10-01"),
        place("p3", "990_2", "T1", "teacher", is_primary="true"),
        place("p4", "990_2", "T2", "teacher", is_primary="false"),
        place("p5", "990_2", "A1", "aide", begin_date="2026-08-12", end_date="2027-06-04"),
    ],
}
"""A district in which nothing is odd, though it has a bit of everything."""

Odd = tuple[str, list[dict[str, Any]], set[str]]

ODDITIES: list[list[Odd]] = [
    [("orgs", [good("orgs", sourced_id="D2", type="district", parent_sourced_id="990")], {"orgs_parent_type"})],
    [("orgs", [good("orgs", sourced_id="992", type="school", parent_sourced_id="990")], {"orgs_parent_type"})],
    [
        (
            "academicSessions",
            [term("Y28", "2026-09-01", "2026-12-01", type="schoolYear", parent_sourced_id="990_F")],
            {"academic_sessions_parent_type"},
        )
    ],
    [
        (
            "academicSessions",
            [
                term("early", "2026-08-11", "2026-12-18", parent_sourced_id="Y27"),
                term("late", "2027-01-05", "2027-06-05", parent_sourced_id="Y27"),
            ],
            {"academic_sessions_outside_parent"},
        )
    ],
    [("courses", [good("courses", sourced_id="C2", school_year_sourced_id="990_F")], {"courses_school_year_type"})],
    [
        ("classes", [group("office", school_sourced_id="D")], {"classes_school_not_school"}),
        ("enrollments", [place("o1", "office", "T1", "teacher", is_primary="true")], {"enrollments_school_differs"}),
    ],
    [
        ("academicSessions", [term("next", "2027-08-12", "2027-12-18", school_year="2028")], set()),
        ("classes", [group("years", term_sourced_ids="990_F,next")], {"classes_terms_of_several_years"}),
        ("enrollments", [place("o2", "years", "T1", "teacher", is_primary="true")], set()),
    ],
    [("classes", [group("alone")], {"classes_without_teacher"}), ("enrollments", [place("o3", "alone")], set())],
    [
        ("classes", [group("two")], {"classes_several_primary_teachers"}),
        (
            "enrollments",
            [
                place("o4", "two", "T1", "teacher", is_primary="true", end_date="2026-10-01"),
                place("o5", "two", "T2", "teacher", is_primary="TRUE", begin_date="2026-10-01"),
            ],
            set(),
        ),
    ],
    [
        ("classes", [group("none")], {"classes_no_primary_teacher"}),
        ("enrollments", [place("o6", "none", "T1", "teacher"), place("o7", "none", "T2", "teacher")], set()),
    ],
    [
        (
            "enrollments",
            [place("o8", "990_2", school_sourced_id="D")],
            {"enrollments_school_not_school", "enrollments_school_differs", "enrollments_school_not_of_person"},
        )
    ],
    [("enrollments", [place("o9", "990_2", "T2", "aide", school_sourced_id="991")], {"enrollments_school_differs"})],
    [
        ("users", [person("visitor", org_sourced_ids="991 ")], set()),
        ("enrollments", [place("o10", "990_2", "visitor")], {"enrollments_school_not_of_person"}),
    ],
    [("enrollments", [place("o11", "990_2", "1001", "teacher")], {"enrollments_role_differs"})],
    [("enrollments", [place("o12", "990_2", "T1", "student")], {"enrollments_role_differs"})],
    [
        (
            "enrollments",
            [
                place("o13", "990_1", begin_date="2026-12-19"),
                place("o14", "990_1", end_date="2026-08-11"),
                place("o15", "990_1", begin_date="2027-01-05", end_date="2027-06-04"),
            ],
            {"enrollments_outside_terms"},
        )
    ],
    [
        (
            "enrollments",
            [
                place("o16", "990_1", begin_date="2026-08-11", end_date="2026-12-18"),
                place("o17", "990_1", begin_date="2026-08-12", end_date="2027-06-04"),
                place("o18", "990_1", begin_date="2026-08-11"),
            ],
            {"enrollments_beyond_terms"},
        )
    ],
]
"""What goes together with what: rows that are added to the district, and what is found in each of them."""


OF_ROLES = {"users_roles_set_aside", "roles_user_not_sent"}
"""What is said of the roles that came into users; test_fold.py looks at these."""


def test_records_are_compared_with_those_they_name(warehouse_url: str) -> None:
    rules = {rule.code: rule.severity for rule in suite_rules(DELIVERY_SUITE)}
    files = {name: [dict(row) for row in rows] for name, rows in DISTRICT.items()}
    expected: dict[tuple[str, int], dict[str, str]] = {}
    for file, rows, codes_expected in itertools.chain.from_iterable(ODDITIES):
        for row in rows:
            files[file].append(row)
            if codes_expected:
                expected[file, len(files[file]) + 1] = {code: rules[code] for code in codes_expected}
    delivery_id = deliver(warehouse_url, files)

    gate_delivery(delivery_id, NO_LIMITS)

    assert found_by_file(warehouse_url, delivery_id) == expected
    cases = {code for codes_found in expected.values() for code in codes_found}
    assert cases == {code for code in rules if not code.endswith("_unknown")} - OF_ROLES, "a rule without a case"


def test_a_record_is_compared_with_what_it_will_be(warehouse_url: str) -> None:
    """In a file of changes the delivered record counts before the published one, which counts where there is none."""
    publish(warehouse_url, "users", "1001", "1002")
    execute(warehouse_url, "update history.hist_users set role = 'teacher', org_source_ids = '{990,991}'")
    changes = {**DISTRICT, "users": [good("users")], "enrollments": [good("enrollments"), place("e2", "990_1", "1002")]}
    delivery_id = deliver(warehouse_url, changes, modes={"users": "delta"})
    gate_delivery(delivery_id, NO_LIMITS)
    assert found(warehouse_url, delivery_id, "enrollments") == {3: {"enrollments_role_differs": "warning"}}


def test_in_a_district_without_oddities_nothing_is_found(warehouse_url: str) -> None:
    assert gate_delivery(deliver(warehouse_url, DISTRICT), NO_LIMITS).findings == {}


def test_references_are_read_as_the_conform_reads_them(warehouse_url: str) -> None:
    files: dict[str, list[Any]] = {
        **{name: [dict(row)] for name, row in GOOD.items()},
        "users": [good("users", org_sourced_ids=" 990 , ")],
        "enrollments": [good("enrollments", class_sourced_id=" 990_1 ")],
    }
    assert gate_delivery(deliver(warehouse_url, files), NO_LIMITS).findings == {}
