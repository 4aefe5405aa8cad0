"""Every code that Rollcall can print, with what a district's data manager needs to know about it.

A code is stable: receipts, the ledger, ``rollcall check`` and ``docs/rules/`` all speak of a finding by its code. The
codes of the gate stand in its suites (``expectations/``), the others in ``codes.yaml``.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from rollcall.suites import SUITES, expectations_of
from rollcall.yaml_text import read_yaml

Severity = Literal["critical", "warning", "info"]
"""critical: the row is set aside, or the file or delivery does not count. The others are recorded and let through."""


@dataclass(frozen=True)
class Code:
    """One code.

    Attributes:
        code: The stable name.
        page: Where ``docs/rules/`` explains it: a file's standard name, or ``arrival``, ``reading``, ``safeguards``.
        severity: What it means for the row, the file or the delivery.
        message: What is wrong and what became of it, in a sentence or two; the next step included.
        example: A cell, a row or a file that breaks it. Made up.
        fix: How to fix it in Aeries, or whichever system sends.
        why: Why it has this severity.
        column: The column to look at, in the standard's spelling; None when it is not one column.
    """

    code: str
    page: str
    severity: Severity
    message: str
    example: str = ""
    fix: str = ""
    why: str = ""
    column: str | None = None


@lru_cache(maxsize=1)
def catalog() -> dict[str, Code]:
    """Every code by its name; one that several suites share appears once."""
    judged = [_of_expectation(suite, each) for suite in SUITES for each in expectations_of(suite)]
    return codes_on("arrival") | codes_on("reading") | {code.code: code for code in judged} | codes_on("safeguards")


def codes_on(page: str) -> dict[str, Code]:
    """The codes of ``codes.yaml`` that one page of ``docs/rules/`` explains, by their names."""
    return {code: Code(code, page, **told) for code, told in _written()[page].items()}


def message_of(code: str, detail: str | None = None) -> str:
    """What a finding says: its code's message, and what the code alone does not say.

    Args:
        code: A code of the catalog; of any other only the detail is known.
        detail: As in the ledger.
    """
    known = catalog().get(code)
    return " ".join(part for part in (known.message if known else "", detail or "") if part)


@lru_cache(maxsize=1)
def _written() -> dict[str, dict[str, dict[str, Any]]]:
    """What ``codes.yaml`` says, by page and code."""
    text = resources.files("rollcall").joinpath("codes.yaml").read_text(encoding="utf-8")
    written: dict[str, dict[str, dict[str, Any]]] = read_yaml(text)
    return written


def _of_expectation(suite: str, expectation: dict[str, Any]) -> Code:
    """The code that an expectation of a suite carries in its ``meta``."""
    meta = expectation["meta"]
    return Code(
        code=meta["code"],
        page=meta.get("page", meta.get("file", suite)),
        severity=expectation["severity"],
        message=meta["message"],
        example=meta.get("example", ""),
        fix=meta.get("fix", ""),
        why=meta.get("why", ""),
        column=meta.get("column"),
    )
