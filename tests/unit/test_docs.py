"""The docs explain every code that the program can print, and name every setting."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollcall.codes import Code, catalog
from rollcall.pages import rule_book
from rollcall.settings import PROJECT_ROOT, Settings

DOCS = Path(PROJECT_ROOT, "docs")


def test_the_rule_book_is_what_the_catalog_says() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "rules").iterdir()}
    assert committed == rule_book.render(), "run `make rules` and commit docs/rules/"


@pytest.mark.parametrize("code", catalog().values(), ids=lambda code: code.code)
def test_a_code_is_explained(code: Code) -> None:
    for sentence in (code.message, code.fix, code.why):
        assert sentence.strip() == sentence != ""
        assert sentence.endswith((".", ")", "?"))
    assert code.example.strip()
    assert "\n" not in code.message + code.example + code.fix + code.why


def test_a_page_that_is_no_longer_needed_goes(tmp_path: Path) -> None:
    (tmp_path / "lineItems.md").write_text("gone")
    rule_book.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(rule_book.render())


def test_every_setting_has_its_row() -> None:
    architecture = (DOCS / "architecture.md").read_text(encoding="utf-8")
    names = {field.validation_alias or f"ROLLCALL_{name.upper()}" for name, field in Settings.model_fields.items()}
    assert {name for name in names if f"`{name}`" not in architecture} == set()


PAGES = (*Path(PROJECT_ROOT).glob("*.md"), *DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())
def test_a_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match("[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(page: Path) -> Iterator[str]:
    """What a link to each heading of a page ends with."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
