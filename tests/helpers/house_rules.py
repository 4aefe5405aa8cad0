"""The house rules of the dbt project, asked of its manifest: each rule yields what breaks it, in words.

dbt-project-evaluator's rules where they fit a project on one PostgreSQL with history; and the project's own.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]
Node = Mapping[str, Any]
Complaints = Iterator[str]

LAYERS = {
    "staging": r"stg_oneroster__\w+",
    "history": r"hist_\w+",
    "marts": r"(dim|fct|agg|rpt|qc)_\w+|roster",
    "semantic": r"time_spine_day",
}
"""The layers and what their models are called."""

SCHEMAS = {
    "staging": "staging",
    "history": "history",
    "marts": "roster",
    "semantic": "staging",
    "marts.restricted": "roster_restricted",
}
"""The folders, from ``models/`` on, and the schemas that their models lie in."""

BUILD = {"rollcall.current_build", "rollcall.publication", "rollcall.delivery_file"}
"""What says what the running build is frozen to."""

MAY_READ = {
    "staging": BUILD,
    "history": {"staging", "history", "rollcall.rekeyed_record", *BUILD},
    "marts": {
        "history", "marts.roster", "rollcall.published", "rollcall.published_night", "rollcall.compared_night",
        "rollcall.district_quality", "rollcall.open_finding",
    },
}  # fmt: skip
"""What a layer may read: layers, sources, and single tables; of the ledger, views of what a reader may see."""

MOST_JOINS = 7

SYNONYMS = {
    "orgs": "organisations",
    "current_build": "deliveries",
    "published": "publications",
    "district_quality": "districts",
}
"""What stands for a name that reads badly in a query."""

EXCEPTIONS = {
    ("imports_are_named_after_what_they_read", "history"): "one line, no CTE",
    ("every_model_is_tested", "semantic"): "a calendar that no database has",
}
"""(rule, model or layer): why it is let off."""


def models_are_named_after_their_layer(manifest: Manifest) -> Complaints:
    """``stg_``, ``hist_``, ``dim_``, ``fct_``, ``agg_``, ``rpt_``, ``qc_``; audits are ``audit_``."""
    for model in models(manifest):
        if not re.fullmatch(LAYERS.get(layer(model), ""), model["name"]):
            yield f"{model['name']} is no name for a model of {layer(model)}"
    for test in _audits(manifest):
        if not test["name"].startswith("audit_"):
            yield f"{test['name']} is no name for an audit"


def folders_are_layers(manifest: Manifest) -> Complaints:
    """A model's schema is that of its folder."""
    for model in models(manifest):
        folder = ".".join(model["fqn"][1:-1])
        if SCHEMAS.get(folder.replace(".oneroster", "")) != model["schema"]:
            yield f"{model['name']} of the folder {folder} lies in the schema {model['schema']}"


def each_model_has_its_own_yml(manifest: Manifest) -> Complaints:
    """The file of a model's description lies beside it and has its name."""
    for model in models(manifest):
        beside = model["original_file_path"].removesuffix(".sql") + ".yml"
        if (model["patch_path"] or "").removeprefix("rollcall://") != beside:
            yield f"{model['name']} is described in {model['patch_path']}, not in {beside}"


def everything_is_documented(manifest: Manifest) -> Complaints:
    """Every model, column, table of a source, exposure, semantic model and metric has a description."""
    kinds = ("exposures", "semantic_models", "metrics")
    for node in (*models(manifest), *(node for kind in kinds for node in manifest[kind].values())):
        if not node["description"].strip():
            yield f"{node['name']} has no description"
    for source in manifest["sources"].values():
        if not source["description"].strip():
            yield f"{source['source_name']}.{source['name']} has no description"
    for model in models(manifest):
        if not model["columns"]:
            yield f"{model['name']} names no columns"
        for column in model["columns"].values():
            if not column["description"].strip():
                yield f"{model['name']}.{column['name']} has no description"


def marts_say_what_an_analyst_needs(manifest: Manifest) -> Complaints:
    """Grain, primary key, rules and an example query."""
    for mart in _of(manifest, "marts"):
        for part in ("**Grain.**", "**Primary key.**", "**Business rules.**", "**Example.**", "```sql"):
            if part not in mart["description"]:
                yield f"{mart['name']} is described without {part}"


def every_model_is_tested(manifest: Manifest) -> Complaints:
    """A data test, a unit test or an audit looks at each model."""
    looked_at = {name for test in _tests(manifest) for name in test["depends_on"]["nodes"]}
    looked_at |= {f"model.rollcall.{test['model']}" for test in manifest["unit_tests"].values()}
    for model in models(manifest):
        if model["unique_id"] not in looked_at and not _is_let_off("every_model_is_tested", model):
            yield f"{model['name']} has no test"


def keys_are_tested(manifest: Manifest) -> Complaints:
    """A mart's key is unique and not null, and is what its description says; a history table's key is not null."""
    for mart in _of(manifest, "marts"):
        key = _key(manifest, mart)
        said = re.search(r"\*\*Primary key\.\*\* ([\w, ]+)\.", mart["description"])
        if not said or said.group(1).split(", ") != key:
            yield f"{mart['name']} has the key {key} and says {said and said.group(1)}"
        tested = {test["column_name"] for test in _tests(manifest, mart) if test["test_metadata"]["name"] == "not_null"}
        for column in set(key) - tested:
            yield f"{mart['name']}.{column} is of the key, and may be null"
    for table in _of(manifest, "history"):
        constrained = {column["name"] for column in table["columns"].values() if column["constraints"]}
        for column in set(table["config"]["meta"]["key"]) - constrained:
            yield f"{table['name']}.{column} is of the key, and may be null"


def marts_keep_a_contract(manifest: Manifest) -> Complaints:
    """Names and types are enforced, and documented in the database."""
    for mart in _of(manifest, "marts"):
        if not mart["config"]["contract"]["enforced"]:
            yield f"{mart['name']} keeps no contract"
        if mart["config"]["materialized"] != "published_view":
            yield f"{mart['name']} is a {mart['config']['materialized']}, which readers notice being deployed"
        for column in mart["columns"].values():
            if not column["data_type"]:
                yield f"{mart['name']}.{column['name']} has no type"
    for model in (*_of(manifest, "marts"), *_of(manifest, "history")):
        if model["config"]["persist_docs"] != {"relation": True, "columns": True}:
            yield f"{model['name']} leaves no comments in the database"


def marts_are_public_and_everything_has_an_owner(manifest: Manifest) -> Complaints:
    """Marts may be read by other projects, and no other model; each model belongs to a group, which has an owner."""
    for model in models(manifest):
        if (model["access"] == "public") != (layer(model) == "marts"):
            yield f"{model['name']} of {layer(model)} is {model['access']}"
        if f"group.rollcall.{model['config']['group']}" not in manifest["groups"]:
            yield f"{model['name']} has no owner"


def publications_have_a_freshness(manifest: Manifest) -> Complaints:
    """dbt can say whether anything was published of late."""
    moves = manifest["sources"]["source.rollcall.rollcall.publication_event"]
    if not moves["loaded_at_field"] or not moves["freshness"]["warn_after"]["count"]:
        yield "the moves of the publications have no freshness"


def layers_read_what_they_may(manifest: Manifest) -> Complaints:
    """Marts read history through the pointer, history reads staging, staging what the deliveries' schemas hold."""
    everything = {**manifest["nodes"], **manifest["sources"]}
    for model in models(manifest):
        for name in model["depends_on"]["nodes"]:
            parent = everything[name]
            place = layer(parent)
            if not {place, f"{place}.{parent['name']}"} & MAY_READ.get(layer(model), set()):
                yield f"{model['name']} reads {place}.{parent['name']}"


def no_model_joins_too_many(manifest: Manifest) -> Complaints:
    """At most seven others beside the first."""
    for model in models(manifest):
        joined = len(set(model["depends_on"]["nodes"])) - 1
        if joined > MOST_JOINS and not _is_let_off("imports_are_named_after_what_they_read", model):
            yield f"{model['name']} joins {joined} others"


def imports_are_named_after_what_they_read(manifest: Manifest) -> Complaints:
    """Each ref and source has a CTE of its own, named after it."""
    for model in models(manifest):
        if _is_let_off("imports_are_named_after_what_they_read", model):
            continue
        code = re.sub(r"\{#.*?#\}|--[^\n]*", "", model["raw_code"], flags=re.DOTALL)
        imports = _IMPORT.findall(code)
        if len(imports) != len(re.findall(r"\b(?:ref|source)\(", code)):
            yield f"{model['name']} reads something outside of an import CTE"
        named = {read for name, read in imports if _is_named_after(name, read)}
        for name, read in imports:
            if read not in named:
                yield f"{model['name']} imports {read} as {name}"


_IMPORT = re.compile(
    r"""(\w+)\ as\ (?:not\ materialized\ )?\(\s*
    (?:select\ \*\ from\ )?\{\{\ (?:(?:published|open_versions)\()?
    (?:ref|source)\((?:'\w+',\ )?'(\w+)'\)\)?\ \}\}\s*\)""",
    re.VERBOSE,
)
"""``name as ( select * from {{ ref('…') }} )``, or with a macro that says which versions."""

RULES: tuple[Callable[[Manifest], Complaints], ...] = (
    models_are_named_after_their_layer,
    folders_are_layers,
    each_model_has_its_own_yml,
    everything_is_documented,
    marts_say_what_an_analyst_needs,
    every_model_is_tested,
    keys_are_tested,
    marts_keep_a_contract,
    marts_are_public_and_everything_has_an_owner,
    publications_have_a_freshness,
    layers_read_what_they_may,
    no_model_joins_too_many,
    imports_are_named_after_what_they_read,
)


def models(manifest: Manifest) -> list[Node]:
    """The project's models."""
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def layer(node: Node) -> str:
    """A model's first folder; a source's name."""
    return str(node["source_name"] if node["resource_type"] == "source" else node["fqn"][1])


def _of(manifest: Manifest, name: str) -> list[Node]:
    return [model for model in models(manifest) if layer(model) == name]


def _tests(manifest: Manifest, model: Node | None = None) -> list[Node]:
    """The data tests; those of one model, if it is given."""
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    return [test for test in tests if model is None or test.get("attached_node") == model["unique_id"]]


def _audits(manifest: Manifest) -> list[Node]:
    return [test for test in _tests(manifest) if test["fqn"][1] == "audits"]


def _key(manifest: Manifest, mart: Node) -> list[str]:
    """The columns of a mart's test of uniqueness; none if there is no such test."""
    keys = [
        test["test_metadata"]["kwargs"]["columns"]
        for test in _tests(manifest, mart)
        if test["test_metadata"]["name"] == "unique_key"
    ]
    return list(keys[0]) if keys else []


def _is_let_off(rule: str, model: Node) -> bool:
    return bool({(rule, model["name"]), (rule, layer(model))} & EXCEPTIONS.keys())


def _is_named_after(name: str, read: str) -> bool:
    """Whether a CTE has the name of what it reads, or its last word: sessions, published_sessions."""
    entity = re.sub(r"^(stg_oneroster__|hist_)", "", read).removesuffix("s") + "s"
    last_word = entity.rpartition("_")[2]
    return name in (entity, last_word, SYNONYMS.get(read), SYNONYMS.get(entity)) or name.endswith(f"_{last_word}")
