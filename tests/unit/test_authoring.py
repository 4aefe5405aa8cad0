"""The rules in expectations/rules/, and the suites that are rendered from them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rollcall.authoring.render import FOLDER, SOURCE, render
from rollcall.authoring.source import RuleError
from rollcall.oneroster import LANDED_FILES


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the rules, to write into."""
    return Path(shutil.copytree(SOURCE, tmp_path / "rules"))


def test_the_suites_are_what_the_rules_say() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert committed == render(), "run `make rules` and commit expectations/ and docs/rules/"


def test_a_rule_of_every_file_is_changed_in_one_place(rules: Path) -> None:
    edit(rules / "every_file.yaml", "Without an id nobody can tell", "Without its id nobody can tell")
    changed = suites(rules)
    for file in LANDED_FILES:
        rule = rule_of(changed[file.name], f"{file.table_name}_sourced_id_missing")
        assert rule["meta"]["why"].startswith("Without its id")


def test_a_column_of_a_kind_is_asked_unless_its_file_leaves_it_out(rules: Path) -> None:
    edit(
        rules / "roles.yaml",
        "    without: [format, invalid, spelling]\n  endDate:",
        "    without: [spelling]\n  endDate:",
    )
    edit(rules / "roles.yaml", 'id: "100234_990_student"', 'id: "100234_990_student"\n  place: "the role"')
    codes = [rule["meta"]["code"] for rule in suites(rules)["roles"]]
    assert [code for code in codes if "_date_" in code and "last_modified" not in code] == [
        "roles_begin_date_format",
        "roles_begin_date_invalid",
    ]


def test_braces_of_sql_reach_the_database_as_they_are_written(rules: Path) -> None:
    shape = "'^[ ,]*([{][^:{},]+:[^{},]+[}] *(,[ ,]*|$))+$'"
    assert shape in rule_of(suites(rules)["users"], "users_user_ids_shape")["kwargs"]["condition"]
    edit(rules / "users.yaml", 'rows: "btrim(user_ids)', 'among_rows: "btrim(user_ids)')
    query = rule_of(suites(rules)["users"], "users_user_ids_shape")["kwargs"]["unexpected_rows_query"]
    assert query.startswith("select _row, sourced_id from {batch} where")
    assert shape in query.format(batch="users")


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("orgs", "    severity: warning\n    column: parent", "    severty: low\n    column: parent", "severty"),
        ("orgs", "  name:\n", "  nmae:\n", "there is no nmae here, only sourcedId, status"),
        ("orgs", "    spelling:", "    speling:", "orgs: type: there is no speling here, only missing, invalid"),
        ("orgs", "every_file:\n", "every_file:\n  every_spaces: {why: So.}\n", "there is no every_spaces here"),
        ("orgs", "  parent_is_itself:\n    severity: warning\n", "  parent_is_itself:\n", "it says no severity"),
        (
            "orgs",
            '    rows: "btrim(parent',
            '    why: "btrim(parent',
            "orgs_parent_is_itself: it says none, where one of expect, rows",
        ),
        ("orgs", "  place: ", "  plaec: ", "orgs_sourced_id_missing: 'place' is undefined"),
        ("orgs", "words:", "words", "orgs.yaml: "),
        ("columns", "  date:\n", "  day:\n", "columns.yaml: kinds.day"),
        ("delivery", "  courses:\n", "  course:\n", "delivery: there is no course here, only orgs"),
        ("delivery", "      names: orgs\n", "      names: org\n", "there is no org here, only orgs"),
    ],
)
def test_a_slip_is_named(rules: Path, file: str, before: str, after: str, said: str) -> None:
    edit(rules / f"{file}.yaml", before, after)
    with pytest.raises(RuleError) as slip:
        render(rules)
    assert said in str(slip.value)


def test_rules_that_are_missing_are_named(rules: Path) -> None:
    (rules / "orgs.yaml").unlink()
    with pytest.raises(RuleError, match=r"orgs\.yaml"):
        render(rules)


def suites(rules: Path) -> dict[str, list[dict[str, Any]]]:
    """The expectations of each suite."""
    return {Path(name).stem: json.loads(text)["expectations"] for name, text in render(rules).items()}


def rule_of(suite: list[dict[str, Any]], code: str) -> dict[str, Any]:
    """One expectation."""
    return next(expectation for expectation in suite if expectation["meta"]["code"] == code)


def edit(path: Path, before: str, after: str) -> None:
    """Replace a passage of a file, which must be there."""
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
