"""Which records get which ids, as a person says it in a CSV file."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rollcall.escaping import from_csv_cell
from rollcall.names import shown
from rollcall.oneroster import FILES

COLUMNS = ("file", "sourced_id", "new_sourced_id")
"""What a map has to have, as the change list of a hold has it."""
KINDS = tuple(file.name for file in FILES if file.owner_of_ids == file.name)
"""The files whose records have ids of their own: demographics have the person's."""
IDS_NAMED = 10
"""How many ids a finding names."""


class CannotRekeyError(Exception):
    """The map cannot be followed, or not now; the message says why, and nothing was done."""


@dataclass(frozen=True)
class NewId:
    """A line of a map: the record of a file, its id, and the one that it gets."""

    file: str
    old_id: str
    new_id: str


def read_map(path: Path) -> list[NewId]:
    """Read a map: a CSV with the columns `COLUMNS`, or the change list of a hold, of which ``rekeyed`` lines count.

    Raises:
        CannotRekeyError: it is none, or says a thing twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise CannotRekeyError(f"{path.name} has no column {', '.join(missing)}. Nothing was done.")
            lines = [(reader.line_num, row) for row in reader if row.get("change", "rekeyed") == "rekeyed"]
    except (csv.Error, UnicodeDecodeError):
        raise CannotRekeyError(f"{path.name} is no CSV file in UTF-8. Nothing was done.") from None
    new_ids = [_new_id(f"{path.name}, line {number}", row) for number, row in lines]
    require_none(finding for file in KINDS for finding in _doubled(file, new_ids))
    return [each for each in new_ids if each.old_id != each.new_id]


def _new_id(place: str, row: dict[str, str | None]) -> NewId:
    file, old_id, new_id = (from_csv_cell((row[name] or "").strip()) for name in COLUMNS)
    file = file.removesuffix(".csv")
    if file not in KINDS:
        raise CannotRekeyError(f"{place}: {shown(file)!r} is none of {', '.join(KINDS)}. Nothing was done.")
    if not (old_id and new_id):
        raise CannotRekeyError(f"{place}: an id is blank. Nothing was done.")
    return NewId(file, old_id, new_id)


def _doubled(file: str, new_ids: Sequence[NewId]) -> Iterator[str]:
    """What a map says twice of a file, or so that nobody can tell what is meant."""
    lines = [each for each in new_ids if each.file == file]
    old = Counter(each.old_id for each in lines)
    new = Counter(each.new_id for each in lines)
    other = [each for each in lines if each.old_id != each.new_id]
    both = {each.old_id for each in other} & {each.new_id for each in other}
    yield from findings(file, "old ids stand in the map more than once", (old - Counter(set(old))).keys())
    yield from findings(file, "new ids are given more than once", (new - Counter(set(new))).keys())
    yield from findings(file, "ids are old and new at once", both)


def findings(file: str, what: str, ids: Iterable[str]) -> Iterator[str]:
    """A sentence about some ids of a file, if there are any."""
    found = sorted(ids)
    if found:
        more = f" and {len(found) - IDS_NAMED:,} more" if len(found) > IDS_NAMED else ""
        yield f"{file}: {len(found):,} {what}: {', '.join(map(shown, found[:IDS_NAMED]))}{more}."


def require_none(found: Iterable[str]) -> None:
    """Refuse a map of which something was found.

    Raises:
        CannotRekeyError: with all of it.
    """
    told = list(found)
    if told:
        raise CannotRekeyError(" ".join([*told, "Nothing was done."]))
