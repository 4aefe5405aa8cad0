"""The docs name every code that the program can print, and every setting."""

from pathlib import Path

from rollcall.codes import catalog
from rollcall.settings import PROJECT_ROOT, Settings

DOCS = Path(PROJECT_ROOT, "docs")


def test_every_code_has_its_row() -> None:
    rules = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert {code for code in catalog() if f"`{code}`" not in rules} == set()


def test_every_setting_has_its_row() -> None:
    architecture = (DOCS / "architecture.md").read_text(encoding="utf-8")
    names = {f"ROLLCALL_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in names if f"`{name}`" not in architecture} == set()
