"""The Great Expectations suites in ``expectations/``: which there are, and where they lie; `make rules` writes them."""

import json
from pathlib import Path
from typing import Any, Literal

from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.settings import settings

DELIVERY_SUITE = "delivery"
"""The suite that looks at several files of a delivery."""
SUITES = (*LANDED_FILE_NAMES, DELIVERY_SUITE)

Scope = Literal["row", "references", "alike", "any_row", "file"]
"""What it hangs on whether a row breaks a rule: on its own cells; on these and on the records that they name; on the
rows that are alike, in what the rule's ``alike`` says; or on anything else. A file breaks a rule of ``any_row`` when
one of its rows does."""

SentAs = Literal["bulk", "delta"]
"""How a file was sent: all its records, or those that changed."""


def suite_path(suite: str) -> Path:
    """Where a suite lies."""
    return settings().expectations_dir / f"{suite}.json"


def expectations_of(suite: str) -> list[dict[str, Any]]:
    """A suite's expectations as Great Expectations reads them, in its order.

    Args:
        suite: The standard's name of a file, or ``delivery``.
    """
    expectations: list[dict[str, Any]] = json.loads(suite_path(suite).read_text(encoding="utf-8"))["expectations"]
    return expectations
