"""Deliveries of other formats, told by their files' names."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from rollcall.oneroster import FILE_NAMES

FORMATS: Mapping[str, frozenset[str]] = {
    "format_sds_v1": frozenset({"school", "section", "student", "teacher", "studentenrollment", "teacherroster"}),
    "format_clever": frozenset({"schools", "sections", "students", "teachers", "staff"}),
}
"""For each code, names that no OneRoster set has: of Microsoft School Data Sync V1, and of Clever's CSV files."""

FEWEST_NAMES = 2
SHARED_NAMES = frozenset({"enrollments"})
"""Names that other formats use as well: they do not speak for OneRoster."""


def foreign_format(sent_names: Iterable[str]) -> str | None:
    """The code of the other format that a set of file names is, or None.

    Args:
        sent_names: As sent, in any case, with or without folders. One file of OneRoster makes it OneRoster.
    """
    stems = {PurePosixPath(name).stem.lower() for name in sent_names if name.lower().endswith(".csv")}
    if stems & ({name.lower() for name in FILE_NAMES} - SHARED_NAMES):
        return None
    return next((code for code, names in FORMATS.items() if len(stems & names) >= FEWEST_NAMES), None)
