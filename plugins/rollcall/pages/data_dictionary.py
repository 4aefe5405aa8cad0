"""``docs/data-dictionary.md`` and ``docs/lineage.md``: the warehouse, from the models' own files; by ``make docs``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rollcall.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs"

Node = Mapping[str, Any]
"""A model, as dbt's manifest has it."""

DICTIONARY = """# Data dictionary

Who this is for: analysts, and whoever wants to know what a column means. It is written by `make docs` from the `.yml`
files beside the models; do not edit it. The database itself says the same, `\\d+ roster.roster` in `psql`, and so does
Airflow under Docs > Warehouse docs. How to ask: [querying.md](querying.md).

**Personal data.** The last column of each table tells what a column says about a person; blank is nothing.
"""

LINEAGE = """# Lineage

Who this is for: engineers, and analysts who wonder where a mart's rows come from. It is written by `make docs` from
dbt's manifest; do not edit it. Columns, code and tests of each model: Docs > Warehouse docs in Airflow.
"""

BUILD = """## Each night: from the files to the history

Rebuilt for the deliveries of the running build; only the history stays.
"""

READ = """## Each query: from the history to the marts

The marts are views. Every one of them also asks `rollcall.published` which sequence of the district counts; that is not
drawn.
"""


def render(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Both pages, by the name of their file.

    Args:
        manifest: What `rollcall.conform.dbt_build.read_project` answers.
    """
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    return {"data-dictionary.md": _dictionary(models), "lineage.md": _lineage(models)}


def layer(node: Node) -> str:
    """The layer of a model: the first folder below ``models/``."""
    return str(node["fqn"][1])


def write(folder: Path = FOLDER) -> None:
    """Write both pages.

    Args:
        folder: Where to.

    Raises:
        BuildImpossibleError: dbt cannot read the project.
    """
    from rollcall.conform.dbt_build import read_project

    for name, text in render(read_project()).items():
        (folder / name).write_text(text, encoding="utf-8")


def _dictionary(models: Iterable[Node]) -> str:
    """Every mart with its columns, then the history below them."""
    by_layer = {name: sorted(_of(models, name), key=_rank) for name in ("marts", "history")}
    contents = [f"- [{_relation(model)}](#{_anchor(model)})" for model in by_layer["marts"]]
    parts = [DICTIONARY, "## Marts\n", *contents, "", *map(_section, by_layer["marts"])]
    parts += ["## History\n\nBelow the marts; engineers read it, analysts cannot.\n"]
    return "\n".join([*parts, *map(_section, by_layer["history"])]).rstrip() + "\n"


def _rank(model: Node) -> tuple[bool, bool, str]:
    """The roster first, restricted marts last."""
    return (model["schema"] == "roster_restricted", model["name"] != "roster", model["name"])


def _section(model: Node) -> str:
    rows = [
        f"| `{column['name']}` | {column['data_type']} | {_in_cell(column['description'])} | {_personal(column)} |"
        for column in model["columns"].values()
    ]
    table = ["| column | type | what it is | personal data |", "|---|---|---|---|", *rows]
    return "\n".join([f"### {_relation(model)}\n", model["description"].strip(), "", *table, ""])


def _personal(column: Node) -> str:
    said = column["config"].get("meta", {}).get("personal_data", "none")
    return "" if said == "none" else str(said)


def _in_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _relation(model: Node) -> str:
    return f"{model['schema']}.{model['name']}"


def _anchor(model: Node) -> str:
    """The link that Markdown makes of the heading."""
    return _relation(model).replace(".", "")


def _lineage(models: Iterable[Node]) -> str:
    by_id = {str(model["unique_id"]): model for model in models}
    return "\n".join(
        [LINEAGE, BUILD, _picture(by_id, ("staging", "history")), READ, _picture(by_id, ("history", "marts"))]
    )


def _picture(models: Mapping[str, Node], layers: tuple[str, str]) -> str:
    """A Mermaid chart of the models of two layers, and of what those of the second one read."""
    lines = ["flowchart LR"]
    for name in layers:
        lines += [
            f"    subgraph {name}",
            *(f"        {model['name']}" for model in _of(models.values(), name)),
            "    end",
        ]
    edges = {
        (models[parent]["name"], model["name"])
        for model in _of(models.values(), layers[1])
        for parent in model["depends_on"]["nodes"]
        if parent in models and layer(models[parent]) in layers
    }
    lines += [f"    {parent} --> {child}" for parent, child in sorted(edges)]
    return "\n".join(["```mermaid", *lines, "```", ""])


def _of(models: Iterable[Node], name: str) -> list[Node]:
    return sorted((model for model in models if layer(model) == name), key=lambda model: str(model["name"]))


if __name__ == "__main__":
    write()
