"""The suites in expectations/: fit for Great Expectations, for the ledger and for the people who read the messages."""

import json
import re

import pytest

from rollcall.gate.references import named_files, names_of
from rollcall.gate.rules import Rule, all_rules, suite_rules
from rollcall.oneroster import FILE_BY_NAME, LANDED_FILE_NAMES
from rollcall.suites import DELIVERY_SUITE, SUITES, suite_path

SHARED_CODES = {
    "file_header_only",
    "status_filled_in_bulk",
    "date_last_modified_filled_in_bulk",
    "date_last_modified_blank_in_delta",
}
"""What is said of a file as a whole, whichever it is."""
OF_SUITES = [(suite, rule) for suite in SUITES for rule in suite_rules(suite)]
RULES = [pytest.param(suite, rule, id=f"{suite}-{rule.code}") for suite, rule in OF_SUITES]


@pytest.mark.parametrize("suite", SUITES)
def test_great_expectations_reads_the_suite(suite: str) -> None:
    from great_expectations.core import ExpectationSuite

    import rollcall.gate.expectations  # noqa: F401 -- so that the library knows them

    document = json.loads(suite_path(suite).read_text(encoding="utf-8"))
    read = ExpectationSuite(**document)
    assert read.name == suite
    assert [(expectation.meta or {})["code"] for expectation in read.expectations] == [
        rule.code for rule in suite_rules(suite)
    ]
    assert all(expectation.severity for expectation in read.expectations)


@pytest.mark.parametrize(("suite", "rule"), RULES)
def test_a_rule_names_its_severity_code_column_and_what_to_do(suite: str, rule: Rule) -> None:
    file = FILE_BY_NAME[rule.file]
    assert suite in (rule.file, DELIVERY_SUITE)
    assert rule.severity in ("critical", "warning", "info")
    assert rule.code in SHARED_CODES or re.fullmatch(rf"{file.table_name}(_[a-z0-9]+)+", rule.code)
    assert rule.column is None or rule.column in [column.name for column in file.landed_columns]
    assert re.fullmatch(r"[A-Z\w].*[a-z0-9]\.", rule.message)
    assert "{" not in rule.message


@pytest.mark.parametrize(("suite", "rule"), RULES)
def test_a_rule_judges_a_column_that_is_landed(suite: str, rule: Rule) -> None:
    column = rule.expectation["kwargs"].get("column")
    landed = {column.column_name: column.name for column in FILE_BY_NAME[rule.file].landed_columns}
    assert column is None or landed[column] == rule.column


@pytest.mark.parametrize(("suite", "rule"), [(suite, rule) for suite, rule in OF_SUITES if rule.own_query])
def test_a_rule_of_its_own_sql_selects_the_line_and_the_id(suite: str, rule: Rule) -> None:
    query = rule.own_query or ""
    assert re.match(r"select (distinct )?(_row, sourced_id|1 as _row, null::text as sourced_id) ", query)
    assert "{batch}" in query
    assert not re.search(r"\bjoin\b", query), "Great Expectations gives {batch} no alias beside a join"


def test_a_code_means_one_thing() -> None:
    by_code: dict[str, list[Rule]] = {}
    for suite in SUITES:
        for rule in suite_rules(suite):
            by_code.setdefault(rule.code, []).append(rule)
    repeated = {code: rules for code, rules in by_code.items() if len(rules) > 1}
    assert set(repeated) == SHARED_CODES
    for rules in repeated.values():
        assert len({(rule.severity, rule.message, rule.column) for rule in rules}) == 1
        assert len({rule.file for rule in rules}) == len(rules)


def test_all_rules_are_found_by_code() -> None:
    assert all_rules()["users_role_invalid"].column == "role"
    shared = len(SHARED_CODES) * (len(LANDED_FILE_NAMES) - 1)
    assert len(all_rules()) == sum(len(suite_rules(suite)) for suite in SUITES) - shared


def test_references_are_judged_in_the_order_in_which_errors_are_best_fixed() -> None:
    files = [rule.file for rule in suite_rules(DELIVERY_SUITE)]
    assert files == sorted(files, key=LANDED_FILE_NAMES.index)


def test_rows_are_set_aside_for_the_references_that_a_roster_needs() -> None:
    critical = {rule.code for rule in suite_rules(DELIVERY_SUITE) if rule.severity == "critical"}
    assert critical == {
        "users_roles_set_aside",
        "classes_school_unknown",
        "enrollments_class_unknown",
        "enrollments_user_unknown",
    }


@pytest.mark.parametrize("file", LANDED_FILE_NAMES)
def test_every_column_that_the_standard_requires_is_asked_for(file: str) -> None:
    asked = {
        rule.column for rule in suite_rules(file) if rule.expectation["type"] == "expect_column_values_to_not_be_null"
    }
    assert asked == {column.name for column in FILE_BY_NAME[file].columns if column.required}


def test_the_gate_knows_every_code_of_a_ragged_record() -> None:
    from rollcall.gate.recording import RAGGED_CODES
    from rollcall.landing.encoding import UNDECODABLE
    from rollcall.landing.header import read_header
    from rollcall.landing.people import MERGED
    from rollcall.landing.records import RaggedRow, RecordReader

    orgs, ragged = FILE_BY_NAME["orgs"], list[RaggedRow]()
    reader = RecordReader(read_header(",".join(column.name for column in orgs.columns).encode(), orgs), ragged.append)
    rows = f"990,,,too short\n991,,,nul\0,school,,\n992,,,Zo{UNDECODABLE},school,,\n"
    list(reader.copy_data(iter([rows.encode()])))
    assert (*(row.code for row in ragged), MERGED) == RAGGED_CODES


@pytest.mark.parametrize(("suite", "rule"), [(suite, rule) for suite, rule in OF_SUITES if rule.scope == "row"])
def test_a_rule_about_a_row_looks_at_nothing_else(suite: str, rule: Rule) -> None:
    condition = str(rule.expectation["kwargs"].get("condition", ""))
    assert rule.own_query is None
    assert not re.search(r"\b(select|current_date|current_timestamp|now)\b", condition)


@pytest.mark.parametrize(("suite", "rule"), [(suite, rule) for suite, rule in OF_SUITES if rule.scope == "references"])
def test_a_rule_about_references_looks_at_what_its_columns_name(suite: str, rule: Rule) -> None:
    query = rule.own_query or ""
    named = {file.table_name for _, file in names_of(FILE_BY_NAME[rule.file])}
    of_classes = {"academic_sessions"} if "classes" in named else set()
    assert set(re.findall(r"\bknown_(\w+)", query)) <= named | of_classes
    looked_at = re.findall(r"\b(?:from|,|join)\s+(\w+) (?:as|where)\b", query)
    assert set(looked_at) <= {f"known_{table}" for table in named | of_classes}
    assert query.count("{batch}") == 1
    assert not re.search(r"\b(current_date|current_timestamp|now|current_setting)\b", query)


def test_what_a_rule_looks_up_is_set_aside_before() -> None:
    """What is known of a file is kept when a rule first asks for it; nothing may be set aside of it afterwards."""
    kept: set[str] = set()
    for rule in suite_rules(DELIVERY_SUITE):
        assert rule.severity != "critical" or rule.file not in kept, f"{rule.code} comes too late"
        kept |= {file.name for file in named_files() if f"known_{file.table_name} " in str(rule.own_query)}
    assert kept == {file.name for file in named_files()}
