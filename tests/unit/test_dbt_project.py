"""The dbt project keeps the house rules, and its pages in docs/ are what its files say. No warehouse is needed."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from helpers import house_rules
from helpers.house_rules import RULES

from rollcall.conform.dbt_build import read_project
from rollcall.pages import data_dictionary
from rollcall.settings import PROJECT_ROOT

Manifest = dict[str, Any]
Tamper = Callable[[Manifest], object]


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_project()


def model(manifest: Manifest, name: str) -> Any:
    return manifest["nodes"][f"model.rollcall.{name}"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps(manifest: Manifest, rule: Callable[[Manifest], Any]) -> None:
    assert list(rule(manifest)) == []


def renamed(manifest: Manifest) -> None:
    model(manifest, "dim_class")["name"] = "classes"


def audit_renamed(manifest: Manifest) -> None:
    manifest["nodes"]["test.rollcall.audit_removals_are_evident"]["name"] = "removals"


def without_unit_tests_of_its_own(manifest: Manifest) -> None:
    for test in list(manifest["nodes"].values()):
        if test["resource_type"] == "test":
            test["depends_on"]["nodes"] = [name for name in test["depends_on"]["nodes"] if "hist_orgs" not in name]


def without_a_test_of(name: str) -> Tamper:
    """A mart without its data tests of one kind."""

    def tamper(manifest: Manifest) -> None:
        for unique_id, test in list(manifest["nodes"].items()):
            if test.get("attached_node") == "model.rollcall.dim_term" and test["test_metadata"]["name"] == name:
                del manifest["nodes"][unique_id]

    return tamper


def stale(manifest: Manifest) -> None:
    manifest["sources"]["source.rollcall.rollcall.publication_event"]["loaded_at_field"] = None


def metric_without_description(manifest: Manifest) -> None:
    manifest["metrics"]["metric.rollcall.class_size"]["description"] = ""


def source_without_description(manifest: Manifest) -> None:
    manifest["sources"]["source.rollcall.rollcall.hold"]["description"] = ""


def of(name: str, *path: str, value: object) -> Tamper:
    """A model of which one thing is said otherwise."""

    def tamper(manifest: Manifest) -> None:
        node = model(manifest, name)
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value

    return tamper


def reads(name: str, *others: str) -> Tamper:
    """A model that reads some more."""
    return lambda manifest: model(manifest, name)["depends_on"]["nodes"].extend(others)


def code(name: str, old: str, new: str) -> Tamper:
    """A model whose SQL is another."""

    def tamper(manifest: Manifest) -> None:
        node = model(manifest, name)
        assert old in node["raw_code"]
        node["raw_code"] = node["raw_code"].replace(old, new)

    return tamper


TAMPERED: list[tuple[str, Tamper, str]] = [
    ("models_are_named_after_their_layer", renamed, "classes is no name"),
    ("models_are_named_after_their_layer", audit_renamed, "removals is no name for an audit"),
    ("folders_are_layers", of("dim_class", "schema", value="history"), "dim_class of the folder marts"),
    ("folders_are_layers", of("dim_class", "fqn", value=["rollcall", "marts", "x", "dim_class"]), "folder marts.x"),
    ("each_model_has_its_own_yml", of("dim_class", "patch_path", value="rollcall://models/all.yml"), "dim_class"),
    ("each_model_has_its_own_yml", of("dim_class", "patch_path", value=None), "dim_class"),
    ("everything_is_documented", of("hist_orgs", "description", value=" "), "hist_orgs has no"),
    ("everything_is_documented", metric_without_description, "class_size has no description"),
    ("everything_is_documented", of("roster", "columns", "class_name", "description", value=""), "roster.class_name"),
    ("everything_is_documented", of("stg_oneroster__orgs", "columns", value={}), "names no columns"),
    ("marts_say_what_an_analyst_needs", of("dim_term", "description", value="Terms."), "dim_term"),
    ("every_model_is_tested", without_unit_tests_of_its_own, "hist_orgs has no test"),
    ("keys_are_tested", without_a_test_of("unique_key"), "dim_term has the key []"),
    ("keys_are_tested", without_a_test_of("not_null"), "dim_term.source_id is of the key"),
    ("keys_are_tested", of("hist_orgs", "columns", "source_id", "constraints", value=[]), "hist_orgs.source_id"),
    ("marts_keep_a_contract", of("roster", "config", "contract", "enforced", value=False), "no contract"),
    ("marts_keep_a_contract", of("roster", "config", "materialized", value="view"), "roster is a view"),
    ("marts_keep_a_contract", of("roster", "columns", "class_name", "data_type", value=None), "has no type"),
    ("marts_keep_a_contract", of("roster", "config", "persist_docs", value={}), "no comments"),
    ("marts_are_public_and_everything_has_an_owner", of("roster", "access", value="protected"), "roster of marts is"),
    ("marts_are_public_and_everything_has_an_owner", of("hist_orgs", "access", value="public"), "hist_orgs of history"),
    ("marts_are_public_and_everything_has_an_owner", of("roster", "config", "group", value=None), "has no owner"),
    ("publications_have_a_freshness", stale, "no freshness"),
    ("everything_is_documented", source_without_description, "rollcall.hold has no description"),
    ("layers_read_what_they_may", reads("dim_term", "model.rollcall.stg_oneroster__orgs"), "dim_term reads staging"),
    ("layers_read_what_they_may", reads("dim_term", "source.rollcall.rollcall.delivery"), "reads rollcall.delivery"),
    ("layers_read_what_they_may", reads("hist_orgs", "source.rollcall.rollcall.delivery"), "hist_orgs reads rollcall"),
    ("no_model_joins_too_many", reads("roster", "model.rollcall.hist_demographics", "a", "b", "c"), "roster joins"),
    ("imports_are_named_after_what_they_read", code("dim_class", "class_details as", "sections as"), "as sections"),
    (
        "imports_are_named_after_what_they_read",
        code("dim_class", "from publications", "from {{ ref('hist_orgs') }} as publications"),
        "outside of an import CTE",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "tamper", "complaint"), TAMPERED, ids=lambda value: value if str(value) else None)
def test_a_rule_notices(manifest: Manifest, rule: str, tamper: Tamper, complaint: str) -> None:
    tampered = deepcopy(manifest)
    tamper(tampered)
    assert any(complaint in said for said in getattr(house_rules, rule)(tampered))


def test_every_rule_is_seen_to_notice() -> None:
    assert {rule for rule, _, _ in TAMPERED} == {rule.__name__ for rule in RULES}


def test_the_pages_are_what_the_models_files_say(manifest: Manifest) -> None:
    pages = data_dictionary.render(manifest)
    committed = {name: (PROJECT_ROOT / "docs" / name).read_text(encoding="utf-8") for name in pages}
    assert committed == pages, "run `make docs` and commit docs/"
