"""The receipt as a page: one file without scripts or anything to load, for a browser, a phone or a printer."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rollcall.findings import FIX_ORDER, Finding, Place
from rollcall.report.receipt import Receipt
from rollcall.templates import html_templates
from rollcall.zones import zone_in_words

if TYPE_CHECKING:
    from jinja2 import Template

ROWS_SHOWN = 20
HEADER_ROW = 1
HEADINGS = {
    "critical": ("Critical", "These rows or files do not count until they are fixed."),
    "warning": ("Warnings", "Let through, but worth fixing: other receivers may refuse them."),
    "info": ("Notes", "Nothing to do."),
}


@dataclass(frozen=True)
class Article:
    """What was found under one code, in one file or, with the same words, in several.

    Attributes:
        files: The files' names as sent.
        column: The column that all places share.
        count: How many rows, where rows were counted.
        places: The first places, each with its file where there are several.
        more: How many places are not shown.
    """

    code: str
    message: str
    fix: str
    files: tuple[str, ...]
    column: str | None
    count: int | None
    places: tuple[tuple[str | None, Place], ...]
    more: int


def receipt_html(receipt: Receipt) -> str:
    """The page."""
    reasons = [found for found in receipt.found if found.sentence]
    sections = {severity: articles(receipt.found, severity) for severity in HEADINGS}
    return _template().render(
        receipt=receipt,
        reasons=list(dict.fromkeys(found.fix for found in reasons if found.fix)),
        sections=[(severity, *HEADINGS[severity], found) for severity, found in sections.items() if found],
    )


def articles(found: Iterable[Finding], severity: str) -> list[Article]:
    """The findings of a severity: first what is wrong with whole files, then each in the order of fixing.

    A hold's reasons are told elsewhere on the page.
    """
    together: dict[tuple[str, str], list[Finding]] = {}
    for each in found:
        if each.severity == severity and not each.sentence:
            together.setdefault((each.code, each.message), []).append(each)
    return sorted((_article(same) for same in together.values()), key=lambda article: article.count is not None)


def _article(same: list[Finding]) -> Article:
    columns = {place.column for found in same for place in found.listed}
    rows = [
        (found.file if len(same) > 1 else None, place)
        for found in same
        for place in found.listed
        if place.row is not None
    ]
    counted = any(place.row > HEADER_ROW for _, place in rows if place.row)
    return Article(
        code=same[0].code,
        message=same[0].message,
        fix=same[0].fix,
        files=tuple(f"{found.file}.csv" if found.file in FIX_ORDER else found.file for found in same),
        column=columns.pop() if len(columns) == 1 else None,
        count=sum(found.count for found in same) if counted else None,
        places=tuple(rows[:ROWS_SHOWN]),
        more=max(sum(found.count for found in same) - len(rows[:ROWS_SHOWN]), 0) if rows else 0,
    )


@lru_cache(maxsize=1)
def _template() -> "Template":
    environment = html_templates(Path(__file__).parent)
    environment.filters["zone_in_words"] = zone_in_words
    return environment.get_template("receipt.html.j2")
