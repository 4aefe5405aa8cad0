"""What a check found, or has to tell."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

MOST_NAMED = 3
"""Of many things that are amiss alike."""


@dataclass(frozen=True)
class Diagnosis:
    """What one check found.

    Attributes:
        check: The check's name.
        ok: Whether all is well.
        what: What was found.
        to_do: What to do about it; blank when all is well.
    """

    check: str
    ok: bool
    what: str
    to_do: str = ""

    def as_dict(self) -> dict[str, str | bool]:
        """For JSON."""
        return asdict(self)


class Amiss(Exception):  # noqa: N818 -- no error of Rollcall's: what a check has to tell
    """Something is not as it should be.

    Args:
        what: What was found.
        to_do: What to do about it.
    """

    def __init__(self, what: str, to_do: str) -> None:
        super().__init__(what)
        self.what, self.to_do = what, to_do


def in_short(texts: Sequence[str], between: str = ", ") -> str:
    """The first ones of many, and how many more there are."""
    more = f" and {len(texts) - MOST_NAMED:,} more" if len(texts) > MOST_NAMED else ""
    return between.join(texts[:MOST_NAMED]) + more
