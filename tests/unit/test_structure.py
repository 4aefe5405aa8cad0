"""The house has floors: no module imports in a circle, and no stage one that comes after it in the way of the data."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from rollcall.settings import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "plugins" / "rollcall"
STAGES = ("arrival", "archive", "landing", "gate", "decision", "conform", "report")
"""In the order of the data; what several of them stand on lies beside them, in the package itself."""
AROUND = (
    "airflow",
    "authoring",
    "check",
    "cli",
    "doctor",
    "export",
    "forget",
    "onboarding",
    "pages",
    "recovery",
    "stack",
    "ui",
    "upkeep",
)
"""What uses the stages, or is beside them: none of them needs it."""
BENEATH = ("districts", "ledger", "migrations")
"""What all of them stand on."""
MODULES = {
    ".".join(("rollcall", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported(module: str) -> Iterator[str]:
    """The package's own modules that a module imports, wherever in its code, with the folders that they lie in."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        for name in filter(MODULES.__contains__, names):
            yield from (name, *folders_of(name))


def folders_of(module: str) -> list[str]:
    """The packages that Python imports before a module."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


GRAPH = {module: set(imported(module)) - {module, *folders_of(module)} for module in MODULES}


def reached(module: str) -> set[str]:
    """All that is imported with a module, by itself or by what it imports."""
    found, ahead = set[str](), {module}
    while ahead:
        ahead = {target for each in ahead for target in GRAPH[each]} - found
        found |= ahead
    return found


def room_of(module: str) -> str:
    """The folder of the package that a module lies in; of one beside them, its own name."""
    return module.split(".")[1] if "." in module else ""


def test_nothing_imports_in_a_circle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_needs_one_that_comes_after_it_nor_what_is_around_them(stage: str) -> None:
    later = {*STAGES[STAGES.index(stage) + 1 :], *AROUND}
    upwards = {
        (module, target)
        for module in MODULES
        if room_of(module) == stage
        for target in reached(module)
        if room_of(target) in later
    }
    assert upwards == set()


def test_the_graph_is_the_packages_own() -> None:
    assert {room_of(module) for module, path in MODULES.items() if path.parent != PACKAGE} == {
        *STAGES, *AROUND, *BENEATH
    }  # fmt: skip
    assert "rollcall.warehouse" in GRAPH["rollcall.ledger.deliveries"]
    assert {"rollcall.archive.receive", "rollcall.archive"} <= GRAPH["rollcall.steps"]
    assert "rollcall.settings" in reached("rollcall.ledger")
