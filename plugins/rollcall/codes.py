"""Every code that Rollcall can print, with what a district's data manager needs to know about it.

A code is stable: receipts, the ledger, ``rollcall check`` and ``docs/rules/`` all speak of a finding by its code. The
codes of the gate stand in its suites (``expectations/``), the others in the ``codes`` module of their stage.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

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
        fix: How to mend it in Aeries, or whichever system sends.
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
    """Every code by its name."""
    from rollcall.archive.codes import ARRIVAL
    from rollcall.decision.codes import SAFEGUARDS
    from rollcall.gate.rules import rule_codes
    from rollcall.landing.codes import READING

    return {code.code: code for code in (*ARRIVAL, *READING, *rule_codes(), *SAFEGUARDS)}


def message_of(code: str, detail: str | None = None) -> str:
    """What a finding says: its code's message, and what the code alone does not say.

    Args:
        code: A code of the catalog; of any other only the detail is known.
        detail: As in the ledger.
    """
    known = catalog().get(code)
    return " ".join(part for part in (known.message if known else "", detail or "") if part)
