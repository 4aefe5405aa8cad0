"""The house has floors: no module imports in a circle, and no stage one that comes after it in the way of the data."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from rollcall.settings import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "plugins" / "rollcall"
STAGES = ("arrival", "archive", "landing", "gate", "decision", "conform", "report")
"""In the order of the data; what several of them stand on lies beside them, in the package itself."""
MODULES = {
    ".".join(("rollcall", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported(module: str) -> Iterator[str]:
    """The package's own modules that a module imports, wherever in its code."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield from (
                inner if (inner := f"{node.module}.{name.name}") in MODULES else node.module for name in node.names
            )


GRAPH = {module: set(imported(module)) - {module} for module in MODULES}


def test_nothing_imports_in_a_circle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_one_that_comes_after_it(stage: str) -> None:
    later = STAGES[STAGES.index(stage) + 1 :]
    upwards = {
        (module, target)
        for module, targets in GRAPH.items()
        for target in targets
        if module.split(".")[1:2] == [stage] and target.split(".")[1] in later
    }
    assert upwards == set()


def test_the_graph_is_the_packages_own() -> None:
    assert Path(MODULES["rollcall.ledger"]).is_file()
    assert "rollcall.warehouse" in GRAPH["rollcall.ledger"]
    assert "rollcall.archive.receive" in GRAPH["rollcall.steps"]
