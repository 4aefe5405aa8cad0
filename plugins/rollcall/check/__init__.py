"""``rollcall check``: judge a delivery without a running stack, by the same landing and the same suites."""

from rollcall.check.against import NothingToCompareError
from rollcall.check.check import check_path
from rollcall.check.sent import NotReadableError
from rollcall.check.verdict import CheckVerdict, FileVerdict, Finding, NoVerdict, Trouble

__all__ = [
    "CheckVerdict",
    "FileVerdict",
    "Finding",
    "NoVerdict",
    "NotReadableError",
    "NothingToCompareError",
    "Trouble",
    "check_path",
]
