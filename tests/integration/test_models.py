"""The dbt project's own promises: its unit tests, who has one, and where personal data may come out."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import yaml
from helpers.deliveries import FIRST_NIGHT, accept, reland_nothing
from helpers.schools import Rows, record, school_district, without

from rollcall.conform import conform
from rollcall.conform.dbt_build import run_dbt
from rollcall.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models"

ENTITIES = ("orgs", "academic_sessions", "courses", "users", "classes", "enrollments", "demographics")
WITHOUT_LOGIC = {"dim_district", "qc_district", "qc_finding", "time_spine_day"} | {
    f"{layer}_{entity}" for layer in ("stg_oneroster_", "hist") for entity in ENTITIES
}
"""Models that only name another relation: what is typed and what changes is Python's to say (test_typed, test_changes),
what writes the history is its materialization, tested on nights, and the ledger's views have test_marts."""

PLACES = {
    "roster.dim_district": {"none"},
    "roster.dim_school": {"none"},
    "roster.dim_organization": {"none"},
    "roster.dim_term": {"none"},
    "roster.dim_course": {"none", "name"},
    "roster.dim_class": {"none", "name", "identifier"},
    "roster.dim_student": {"none", "name", "identifier", "contact"},
    "roster.dim_staff": {"none", "name", "identifier", "contact"},
    "roster.dim_guardian": {"none", "name", "identifier", "contact"},
    "roster.fct_student_agent": {"none", "name", "identifier"},
    "roster.fct_enrollment": {"none", "identifier"},
    "roster.fct_teaching": {"none", "identifier"},
    "roster.fct_school_membership": {"none", "identifier"},
    "roster.fct_school_move": {"none", "identifier"},
    "roster.fct_membership_spell": {"none", "identifier"},
    "roster.fct_roster_change": {"none", "name", "identifier"},
    "roster.fct_class_change": {"none", "name", "identifier"},
    "roster.qc_district": {"none"},
    "roster.qc_finding": {"none"},
    "roster.agg_school_daily": {"none"},
    "roster.agg_grade_daily": {"none"},
    "roster.roster": {"none", "name", "identifier", "contact"},
    "roster_restricted.dim_student_demographics": {"none", "identifier", "birth", "demographics"},
    "roster_restricted.rpt_assessment_roster": {"none", "name", "identifier", "contact", "birth", "demographics"},
    "roster_restricted.agg_subgroup_daily": {"none", "demographics"},
    "roster_restricted.fct_extension_value": {"none", "identifier", "any"},
}
"""The kinds of personal data that each mart may show; `any` (all that the standard does not know) has one place."""


def documented(kind: str) -> Iterator[dict[str, Any]]:
    """Everything of a kind (`models`, `unit_tests`) in the project's yml files."""
    for path in sorted(MODELS.rglob("*.yml")):
        yield from yaml.safe_load(path.read_text()).get(kind, [])


def test_the_unit_tests_of_the_models_hold(warehouse_url: str) -> None:
    nodes = run_dbt(("test", "--select", "test_type:unit"))
    ran = {node.name for node in nodes if node.kind == "unit_test"}
    assert ran == {test["name"] for test in documented("unit_tests")}
    assert {node.name: node.message for node in nodes if node.failed} == {}


def test_every_model_with_logic_has_a_unit_test() -> None:
    models = {path.stem for path in MODELS.rglob("*.sql")}
    tested = {test["model"] for test in documented("unit_tests")}
    assert models - tested == WITHOUT_LOGIC


def test_every_singular_test_is_an_audit() -> None:
    """The nightly build takes them by that kind: another one among them would hold districts back."""
    tests = PROJECT_ROOT / "dbt_project" / "tests"
    assert {path.parent.name for path in tests.rglob("*.sql")} == {"audits", "generic"}


def kinds(schema: str) -> dict[str, dict[str, str | None]]:
    """Per table of a schema and column, the kind of personal data that its yml says; None where it says nothing."""
    folders = {"history": "history", "roster": "marts", "roster_restricted": "marts/restricted"}
    found: dict[str, dict[str, str | None]] = {}
    for path in (MODELS / folders[schema]).glob("*.yml"):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            found[f"{schema}.{model['name']}"] = {
                column["name"]: column.get("config", {}).get("meta", {}).get("personal_data")
                for column in model["columns"]
            }
    return found


def test_personal_data_is_shown_only_where_it_has_a_place() -> None:
    marts = kinds("roster") | kinds("roster_restricted")
    assert set(marts) == set(PLACES), "a new mart says here what it may show"
    misplaced = {
        f"{mart}.{column}": kind
        for mart, columns in marts.items()
        for column, kind in columns.items()
        if kind not in PLACES[mart]
    }
    assert misplaced == {}
    assert {kind for columns in kinds("history").values() for kind in columns.values()} == {
        "none", "name", "identifier", "contact", "birth", "demographics", "any",
    }  # fmt: skip


KEYS = {"source_id", "user_source_id"}
"""Personal ids by which records find each other: changed alone, they would change which rows there are."""

FILLED = {"text": "coalesce({0}, '{0}@oak.example')", "text[]": "coalesce({0}, '{{x}}')", "date": "{0}",
          "boolean": "coalesce({0}, false)", "jsonb": "'{{\"x\": 0}}'", "uuid": "{0}"}  # fmt: skip
CHANGED = {"text": "{0} || '~'", "text[]": "{0} || '{{~}}'", "date": "{0} + 1",
           "boolean": "not {0}", "jsonb": "'{{\"x\": 1}}'", "uuid": "gen_random_uuid()"}  # fmt: skip
"""How a column of a type is given a value, and another one."""


@pytest.fixture
def reader(warehouse_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session on a published district of which every column of every person is filled in."""
    rows = school_district()
    rows["classes"][0]["title"] = rows["classes"][0]["course_sourced_id"] = None  # named after its teacher
    rows["demographics"][0]["sex"] = "Male"
    student = record(rows, "users", "994_1000_S0")
    student["agent_sourced_ids"] = "mother"
    rows["users"].append({**student, "sourced_id": "mother", "role": "parent", "agent_sourced_ids": None})
    for sequence, night in ((1, rows), (2, _without_a_student(rows))):
        accept(warehouse_url, "lake", sequence, night, service_date=FIRST_NIGHT + timedelta(days=sequence))
        conform(reland=reland_nothing)
    with psycopg.connect(warehouse_url) as connection:
        for kind in ("name", "contact", "identifier", "birth", "demographics", "any"):
            _rewrite(connection, kind, FILLED)
        connection.commit()
        yield connection


def _without_a_student(rows: Rows) -> Rows:
    """The next night's rows: one student has left, and her classes with her."""
    night = without(rows, "users", "994_1000_S2")
    night["enrollments"] = [row for row in night["enrollments"] if row["user_sourced_id"] != "994_1000_S2"]
    return night


def _rewrite(connection: psycopg.Connection[Any], kind: str, values: dict[str, str]) -> None:
    """Set all columns of history that hold a kind of personal data."""
    types: dict[tuple[str, str], str] = {
        (table, column): data_type
        for table, column, data_type in connection.execute(
            "select attrelid::regclass::text, attname, format_type(atttypid, atttypmod) from pg_attribute"
            " inner join pg_class on pg_class.oid = attrelid where relnamespace = 'history'::regnamespace"
        ).fetchall()
    }
    for table, columns in kinds("history").items():
        named = [column for column, told in columns.items() if told == kind and column not in KEYS]
        if named:
            new = ", ".join(f"{column} = {values[types[table, column]].format(column)}" for column in named)
            connection.execute(f"update {table} set {new}")


def _shown(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """What every column of every mart shows."""
    shown: dict[str, list[str]] = defaultdict(list)
    for mart in PLACES:
        for (row,) in connection.execute(f"select to_jsonb(m) from {mart} as m").fetchall():
            for column, value in row.items():
                shown[f"{mart}.{column}"].append(repr(value))
    return {column: sorted(values) for column, values in shown.items()}


def test_what_marts_show_of_people_is_what_their_tags_say(reader: psycopg.Connection[Any]) -> None:
    """Followed through the SQL: other names in history change the columns that are tagged `name`, and no others."""
    tagged: dict[str, set[str]] = defaultdict(set)
    for mart, columns in (kinds("roster") | kinds("roster_restricted")).items():
        for column, kind in columns.items():
            tagged[str(kind)].add(f"{mart}.{column}")
    before = _shown(reader)
    for kind in ("name", "contact", "identifier", "birth", "demographics", "any"):
        with reader.transaction(force_rollback=True):
            _rewrite(reader, kind, CHANGED)
            after = _shown(reader)
        changed = {column for column in before if before[column] != after[column]}
        if kind == "identifier":
            assert changed <= tagged[kind]
            assert {
                "roster.dim_student.student_number",
                "roster_restricted.rpt_assessment_roster.student_id",
            } <= changed
        else:
            assert changed == tagged[kind], kind
