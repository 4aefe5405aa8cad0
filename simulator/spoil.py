"""The ways in which a night goes wrong; each changes a folder of loose files, written by ``write_night``, in place."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, get_args

from simulator.dice import key
from simulator.package import write_csv
from simulator.rows import Row

Record = dict[str, str]
Cut = Literal["record", "cell", "line", "byte"]

_RE_KEYED: Final = "8000"  # as if the SIS now sent another of a person's numbers


def truncate(folder: Path, file: str = "enrollments", keep: float = 0.5, at: Cut = "record") -> None:
    """Cut a file, as an upload does that was lost on the way, or an export that broke off.

    Args:
        folder: The delivery.
        file: The file, named without ``.csv``.
        keep: How much of its bytes to keep, about.
        at: Where to cut, near there: in the middle of a ``record``, so that it is torn; one character before the end of
            its last ``cell``, so that it looks whole; behind the last whole ``line``; or at that very ``byte``.

    Raises:
        ValueError: ``keep`` is not between 0 and 1, or the file has no rows to cut.
    """
    if not 0 <= keep < 1:
        raise ValueError(f"keep must be at least 0 and less than 1, not {keep}.")
    if at not in get_args(Cut):
        raise ValueError(f"A file is cut at a {', '.join(get_args(Cut))}, not at a {at!r}.")
    path = _path(folder, file)
    content = path.read_bytes()
    here = int(len(content) * keep)
    start = content.rfind(b"\n", 0, here) + 1
    end = content.find(b"\r", start)
    if end - start < 2:
        raise ValueError(f"{path.name} is too short to be cut in the middle of a line.")
    path.write_bytes(
        content[: {"record": start + (end - start) // 2, "cell": end - 1, "line": start, "byte": here}[at]]
    )


def drop_line_end(folder: Path, file: str) -> None:
    """Leave the last line end of a file out, as some systems never write it.

    Args:
        folder: The delivery.
        file: The file, named without ``.csv``.
    """
    path = _path(folder, file)
    path.write_bytes(path.read_bytes().removesuffix(b"\r\n"))


def remove(folder: Path, file: str) -> None:
    """Leave a file out; a manifest, if there is one, still announces it.

    Args:
        folder: The delivery.
        file: The file, named without ``.csv``.
    """
    _path(folder, file).unlink()


def header_only(folder: Path, file: str) -> None:
    """Leave only the header of a file.

    Args:
        folder: The delivery.
        file: The file, named without ``.csv``.
    """
    path = _path(folder, file)
    with path.open("rb") as stream:
        header = stream.readline()
    path.write_bytes(header)


def drop_school(folder: Path, school_source_id: str | None = None) -> str:
    """Leave a school out of all files, as if it were not ticked in the SIS.

    Its people stay if they are also at another school, without their classes at this one.

    Args:
        folder: The delivery.
        school_source_id: The school; by default the first one in orgs.csv.

    Returns:
        The school that was dropped.

    Raises:
        ValueError: There is no such school.
    """
    schools = [org["sourcedId"] for org in _records(folder, "orgs") if org["type"] == "school"]
    school = school_source_id or next(iter(schools), "")
    if school not in schools:
        raise ValueError(f"There is no school {school or 'at all'} in {folder}: {', '.join(schools[:10]) or 'none'}.")
    _change(folder, "orgs", lambda org: None if org["sourcedId"] == school else org)
    _change(folder, "academicSessions", lambda term: None if term["sourcedId"].rpartition("_")[0] == school else term)
    _change(folder, "courses", lambda course: None if course["orgSourcedId"] == school else course)
    for file in ("classes", "enrollments"):
        _change(folder, file, lambda record: None if record["schoolSourcedId"] == school else record)
    _change(folder, "users", lambda user: _without_org(user, school))
    _keep_people_of_users(folder)
    return school


def rekey_users(folder: Path, share: float = 1.0) -> None:
    """Give people other sourcedIds, the same in all files, as one changed setting of the SIS does.

    Args:
        folder: The delivery.
        share: Which share of the people; who they are depends on nothing but their ids.

    Raises:
        ValueError: ``share`` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, not {share}.")
    for file, column in (("users", "sourcedId"), ("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
        _change(folder, file, lambda record, at=column: record | {at: _new_key(record[at], share)})  # type: ignore[misc]


def spoil(folder: Path, how: str) -> None:
    """Spoil a night as a text says: the name of a function above, and what it takes, separated by colons.

    Args:
        folder: The delivery.
        how: For instance ``truncate:enrollments:0.3``, ``remove:orgs``, ``drop_school`` or ``rekey_users:0.4``.

    Raises:
        ValueError: The text does not say how, or what it says cannot be done.
    """
    name, *given = how.replace("-", "_").split(":") if how else [""]
    if name not in _WAYS:
        raise ValueError(f"There is no way to spoil a night called {name!r}; there are {', '.join(_WAYS)}.")
    action, fewest, most = _WAYS[name]
    if not fewest <= len(given) <= most:
        raise ValueError(f"{name} takes {_range(fewest, most)} separated by colons, as in {_EXAMPLES[name]}.")
    action(folder, *given)


def _truncate(folder: Path, file: str = "enrollments", keep: str = "0.5", at: str = "record") -> None:
    truncate(folder, file, _number(keep), at)  # type: ignore[arg-type]  # looked at there


def _rekey_users(folder: Path, share: str = "1") -> None:
    rekey_users(folder, _number(share))


_WAYS: Final[dict[str, tuple[Callable[..., object], int, int]]] = {
    "truncate": (_truncate, 0, 3),
    "drop_line_end": (drop_line_end, 1, 1),
    "remove": (remove, 1, 1),
    "header_only": (header_only, 1, 1),
    "drop_school": (drop_school, 0, 1),
    "rekey_users": (_rekey_users, 0, 1),
}
_EXAMPLES: Final = {
    "truncate": "truncate:enrollments:0.3:line",
    "drop_line_end": "drop_line_end:users",
    "remove": "remove:orgs",
    "header_only": "header_only:demographics",
    "drop_school": "drop_school:101",
    "rekey_users": "rekey_users:0.4",
}


def _range(fewest: int, most: int) -> str:
    noun = "value" if most == 1 else "values"
    return f"{most} {noun}" if fewest == most else f"{fewest} to {most} {noun}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number.") from None


def _path(folder: Path, file: str) -> Path:
    path = folder / f"{file.removesuffix('.csv')}.csv"
    if not path.is_file():
        raise ValueError(f"There is no {path.name} in {folder}; only a night of loose files can be spoiled.")
    return path


def _records(folder: Path, file: str) -> Iterator[Record]:
    with _path(folder, file).open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def _change(folder: Path, file: str, change: Callable[[Record], Record | None]) -> None:
    """Write a file again, record by record, without those for which ``change`` returns nothing."""
    path = _path(folder, file)
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        header: Row = tuple(reader.fieldnames or ())
        kept = (record for record in map(change, reader) if record is not None)
        beside = path.with_suffix(".tmp")
        write_csv(beside, header, (tuple(record[column] for column in header) for record in kept))
    beside.replace(path)


def _without_org(user: Record, school: str) -> Record | None:
    others = [org for org in user["orgSourcedIds"].split(",") if org != school]
    return user | {"orgSourcedIds": ",".join(others)} if others else None


def _keep_people_of_users(folder: Path) -> None:
    """Drop demographics and enrollments of people who are not in users."""
    people = {user["sourcedId"] for user in _records(folder, "users")}
    for file, column in (("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
        _change(folder, file, lambda record, at=column: record if record[at] in people else None)  # type: ignore[misc]


def _new_key(source_id: str, share: float) -> str:
    """Return another id for some ids, and never the same for two: the digits get a prefix that no id begins with."""
    if key("rekey", source_id) >= share * 2**64:
        return source_id
    return f"TCH_{_RE_KEYED}{source_id[4:]}" if source_id.startswith("TCH_") else f"{_RE_KEYED}{source_id}"
