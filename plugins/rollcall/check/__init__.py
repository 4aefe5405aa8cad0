"""``rollcall check``: judge a delivery without a running stack, by the same landing and the same suites."""

from rollcall.check.check import check_path
from rollcall.check.from_disk import NotReadableError
from rollcall.check.published_state import NothingToCompareError
from rollcall.check.verdict import CheckVerdict, FileVerdict, FindingLine, NoVerdict, Trouble

__all__ = [
    "CheckVerdict",
    "FileVerdict",
    "FindingLine",
    "NoVerdict",
    "NotReadableError",
    "NothingToCompareError",
    "Trouble",
    "check_path",
]
