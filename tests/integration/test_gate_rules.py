"""Every rule of every suite, on a row that breaks it and on rows that do not."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from helpers.deliveries import query
from helpers.gating import GOOD, NO_LIMIT, NO_LIMITS, deliver, found, good

from rollcall.gate import gate_delivery, gate_file
from rollcall.gate.rules import DELIVERY_SUITE, codes, suite_rules
from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES

Case = tuple[Mapping[str, str | None], set[str]]

OPTIONAL_DATES = {"2026-02-30", "2026-13-01", "1899-12-31", "2101-01-01", "0000-00-00", "20a6-01-01"}
NOT_ISO = {"8/27/2026", "08/27/2026", "2026-8-27", "2026-08-27 00:00", "infinity", "now", "today", "epoch", "20260827"}
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
    yield from (({column: text}, {f"{prefix}_{column}_invalid"}) for text in sorted(OPTIONAL_DATES))
    yield from (({column: text}, {f"{prefix}_{column}_format"}) for text in sorted(NOT_ISO))


def booleans(prefix: str, column: str, code: str) -> Iterable[Case]:
    yield from (({column: text}, {f"{prefix}_{code}_spelling"}) for text in ("TRUE", "False", "1", "y", " true"))
    yield from (({column: text}, {f"{prefix}_{code}_invalid"}) for text in ("X", "2", "maybe", " "))
    yield from (({column: text}, set()) for text in ("true", "false"))


def every_file(prefix: str) -> Iterable[Case]:
    """What is asked of the three leading columns of each file."""
    yield {"sourced_id": None}, {f"{prefix}_sourced_id_missing"}
    yield {"sourced_id": "s+1"}, {f"{prefix}_sourced_id_characters"}
    yield {"sourced_id": "a" * 255}, set()
    yield {"sourced_id": "b" * 256}, {f"{prefix}_sourced_id_too_long"}
    yield {"sourced_id": "  "}, {f"{prefix}_required_only_spaces", f"{prefix}_sourced_id_characters"}
    yield {"sourced_id": "twice"}, {f"{prefix}_sourced_id_duplicate"}
    yield {"sourced_id": "twice"}, {f"{prefix}_sourced_id_duplicate"}
    yield (
        {"sourced_id": "twice "},
        {f"{prefix}_sourced_id_duplicate", f"{prefix}_sourced_id_characters"},
    )
    yield {"sourced_id": "Twice"}, set()
    yield {"status": "active"}, set()
    yield {"status": "tobedeleted"}, set()
    yield {"status": "toBeDeleted"}, {f"{prefix}_status_invalid"}
    yield {"status": "inactive"}, {f"{prefix}_status_invalid"}
    yield {"date_last_modified": "2026-08-27T18:25:43.511Z"}, set()
    yield {"date_last_modified": "2026-08-27"}, set()
    yield {"date_last_modified": "8/27/2026"}, {f"{prefix}_date_last_modified_format"}


CASES: Mapping[str, list[Case]] = {
    "orgs": [
        ({"name": None}, {"orgs_name_missing"}),
        ({"name": " "}, {"orgs_required_only_spaces"}),
        ({"type": None}, {"orgs_type_missing"}),
        ({"type": "School"}, {"orgs_type_spelling"}),
        ({"type": "campus"}, {"orgs_type_invalid"}),
        ({"type": "district"}, set()),
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
        ({"school_year": None}, {"academic_sessions_school_year_missing"}),
        *(
            ({"school_year": year}, {"academic_sessions_school_year_invalid"})
            for year in ("2026-27", "26", "20271", "2026-2027", "99999999999", " 2027", "year")
        ),
    ],
    "courses": [
        ({"title": None}, {"courses_title_missing"}),
        ({"org_sourced_id": None}, {"courses_org_sourced_id_missing"}),
        ({"grades": "KG, 01,Other"}, set()),
        ({"grades": "K"}, {"courses_grades_unknown"}),
    ],
    "users": [
        ({"role": None}, {"users_role_missing"}),
        ({"role": "Student"}, {"users_role_spelling"}),
        ({"role": "teacher "}, {"users_role_spelling"}),
        ({"role": "principal"}, {"users_role_invalid"}),
        *(({"role": role}, set()) for role in ("administrator", "aide", "guardian", "parent", "proctor", "relative")),
        ({"given_name": None}, {"users_given_name_missing"}),
        ({"family_name": None}, {"users_family_name_missing"}),
        (
            {"given_name": None, "family_name": None},
            {"users_given_name_missing", "users_family_name_missing", "users_name_missing"},
        ),
        ({"given_name": " ", "family_name": "  "}, {"users_name_missing"}),
        ({"enabled_user": None}, {"users_enabled_user_missing"}),
        *booleans("users", "enabled_user", "enabled_user"),
        ({"org_sourced_ids": None}, {"users_org_sourced_ids_missing"}),
        ({"username": None}, {"users_username_missing"}),
        ({"grades": "9"}, {"users_grades_unknown"}),
        ({"grades": None}, set()),
    ],
    "classes": [
        ({"title": None}, {"classes_title_missing"}),
        ({"school_sourced_id": None}, {"classes_school_sourced_id_missing"}),
        ({"course_sourced_id": None}, {"classes_course_sourced_id_missing"}),
        ({"class_type": None}, {"classes_class_type_missing"}),
        ({"class_type": "Scheduled"}, {"classes_class_type_invalid"}),
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
        *booleans("enrollments", "is_primary", "primary"),
        ({"begin_date": None, "end_date": None}, set()),
        *dates("enrollments", "begin_date"),
        *dates("enrollments", "end_date"),
        ({"end_date": "2026-08-12"}, set()),
        ({"end_date": "2026-08-11"}, {"enrollments_end_date_before_begin"}),
    ],
    "demographics": [
        ({"birth_date": None, "sex": None}, set()),
        *dates("demographics", "birth_date"),
        ({"sex": "F"}, {"demographics_sex_invalid"}),
        *(case for race in RACES for case in booleans("demographics", race, race)),
    ],
}


def rows_and_expectations(file: str) -> tuple[list[dict[str, str | None]], dict[int, set[str]]]:
    """A good row in line 2, then a row per case."""
    rows, expected = [good(file)], {}
    for line, (changes, expected_codes) in enumerate([*every_file(FILE_BY_NAME[file].table_name), *CASES[file]], 3):
        rows.append(good(file, **{"sourced_id": f"row{line}", **changes}))
        expected[line] = expected_codes
    return rows, expected


@pytest.mark.parametrize("file", FILE_NAMES)
def test_each_rule_finds_the_rows_that_break_it_and_no_other(warehouse_url: str, file: str) -> None:
    rows, expected = rows_and_expectations(file)
    severities = {rule.code: rule.severity for rule in suite_rules(file)}
    delivery_id = deliver(warehouse_url, {file: rows})

    outcome = gate_file(warehouse_url, delivery_id, file, NO_LIMIT)

    got = found(warehouse_url, delivery_id, file)
    order = next((rule.code for rule in suite_rules(file) if "_end_date_before_" in rule.code), "")
    unexpected = {
        line: (rows[line - 2], sorted(got.get(line, {})), sorted(expected.get(line, set())))
        for line in range(2, len(rows) + 2)
        if set(got.get(line, {})) - {order} != expected.get(line, set()) - {order}
    }
    assert not unexpected
    assert all(severities[code] == severity for findings in got.values() for code, severity in findings.items())
    aside = {line for line, findings in got.items() if "critical" in findings.values()}
    assert outcome.rows_set_aside == len(aside)
    assert outcome.rows_landed == len(rows)
    assert set().union(*expected.values()) == set(severities) - {"file_header_only"}, "a rule without a case"


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
    gate_file(warehouse_url, delivery_id, file, NO_LIMIT)
    lines = {line: codes[code] for line, codes in found(warehouse_url, delivery_id, file).items() if code in codes}
    assert lines == {3: "warning"}


CASTS = {
    "academicSessions": "start_date::date, end_date::date, school_year::integer",
    "users": "enabled_user::boolean",
    "enrollments": "begin_date::date, end_date::date, is_primary::boolean",
    "demographics": "birth_date::date, " + ", ".join(f"{race}::boolean" for race in RACES),
}


@pytest.mark.parametrize("file", CASTS)
def test_what_is_let_through_can_be_cast(warehouse_url: str, file: str) -> None:
    odd = sorted(
        {*OPTIONAL_DATES, *NOT_ISO, "-infinity", "yesterday", "allballs", "J2451187", "2026-08-27 BC", "19/8/2026"}
        | {
            "2026-ja-01",
            "2-26-08-01",
            " 2026-08-1",
            "\uff12026-08-27",
            "tru",
            "t",
            "on",
            "NaN",
            "1e3",
            "2027.0",
            "0x7E",
        }
    )
    columns = [part.split("::")[0].strip() for part in CASTS[file].split(",")]
    rows = [
        good(file, **{"sourced_id": f"{column}{index}", column: text})
        for column in columns
        for index, text in enumerate(odd)
    ]
    delivery_id = deliver(warehouse_url, {file: rows})
    gate_file(warehouse_url, delivery_id, file, NO_LIMIT)
    kept = query(
        warehouse_url,
        f"select {CASTS[file]} from delivery_{delivery_id}.{FILE_BY_NAME[file].table_name} as landed where not exists"
        " (select from rollcall.row_finding where delivery_id = %s and row_number = landed._row"
        " and severity = 'critical')",
        delivery_id,
    )
    assert len(kept) < len(rows)


REFERENCES: list[tuple[str, dict[str, Any], str]] = [
    ("orgs", {"parent_sourced_id": "nowhere"}, "orgs_parent_unknown"),
    ("academicSessions", {"parent_sourced_id": "nowhere"}, "academic_sessions_parent_unknown"),
    ("courses", {"org_sourced_id": "nowhere"}, "courses_org_unknown"),
    ("users", {"org_sourced_ids": "990, nowhere,elsewhere"}, "users_orgs_unknown"),
    ("classes", {"school_sourced_id": "nowhere"}, "classes_school_unknown"),
    ("classes", {"course_sourced_id": "nowhere"}, "classes_course_unknown"),
    ("classes", {"term_sourced_ids": "990_F,990_Y"}, "classes_terms_unknown"),
    ("enrollments", {"class_sourced_id": "nowhere"}, "enrollments_class_unknown"),
    ("enrollments", {"user_sourced_id": "nowhere"}, "enrollments_user_unknown"),
    ("enrollments", {"school_sourced_id": "nowhere"}, "enrollments_school_unknown"),
    ("demographics", {"sourced_id": "nowhere"}, "demographics_user_unknown"),
]


def test_each_reference_is_looked_up(warehouse_url: str) -> None:
    rules = {rule.code: rule for rule in suite_rules(DELIVERY_SUITE)}
    files: dict[str, list[dict[str, Any]]] = {name: [dict(row)] for name, row in GOOD.items()}
    expected: dict[tuple[str, int], dict[str, str]] = {}
    for number, (file, changes, code) in enumerate(REFERENCES):
        files[file].append(good(file, **{"sourced_id": f"row{number}", **changes}))
        expected[file, len(files[file]) + 1] = {code: rules[code].severity}
        # The record that a sender deletes may refer to what is gone already.
        files[file].append({**good(file, **{"sourced_id": f"gone{number}", **changes}), "status": "toBeDeleted"})
    delivery_id = deliver(warehouse_url, files)

    outcome = gate_delivery(warehouse_url, delivery_id, NO_LIMITS)

    got = {
        (file, line): codes_found
        for file in FILE_NAMES
        for line, codes_found in found(warehouse_url, delivery_id, file).items()
    }
    assert got == expected
    assert {code for _, _, code in REFERENCES} == set(codes(list(rules.values()))), "a rule without a case"
    assert outcome.findings == {code: 1 for _, _, code in REFERENCES}


def test_references_are_read_as_the_conform_reads_them(warehouse_url: str) -> None:
    files = {
        **{name: [dict(row)] for name, row in GOOD.items()},
        "users": [good("users", org_sourced_ids=" 990 , ")],
        "enrollments": [good("enrollments", class_sourced_id=" 990_1 ")],
    }
    assert gate_delivery(warehouse_url, deliver(warehouse_url, files), NO_LIMITS).findings == {}
