"""What every part of a district file has in common."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from rollcall.oneroster import LANDED_FILE_NAMES


class Strict(BaseModel):
    """A part of a district file: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def require_landed(names: Iterable[str]) -> None:
    """Refuse names that are not the standard's names of files that are read.

    Raises:
        ValueError: there is one.
    """
    unknown = sorted(set(names) - set(LANDED_FILE_NAMES))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not among {', '.join(LANDED_FILE_NAMES)}")
