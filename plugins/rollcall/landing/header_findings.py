"""What is wrong with a header."""

from collections.abc import Iterable, Iterator

from rollcall.findings import Finding, Place
from rollcall.landing.header import METADATA, Header
from rollcall.oneroster import MOVED_IN_1_2, NEVER_LANDED, NEW_IN_1_1, Column


def header_findings(header: Header, *, has_roles: bool) -> list[Finding]:
    """What is wrong with a header, the worst first.

    Args:
        header: The header.
        has_roles: Whether the delivery holds roles.csv, in which OneRoster 1.2 says what 1.1 says in users.csv.
    """
    moved = MOVED_IN_1_2.get(header.file.name, frozenset())
    fine = moved if has_roles else frozenset()
    new = NEW_IN_1_1.get(header.file.name, frozenset())
    missing = [column for column in header.missing if column.name not in fine | NEVER_LANDED]
    required = [column for column in missing if column.required and column.name not in new]
    lenient = [column for column in missing if column.name in new]
    found = [
        Finding("column_missing", places=tuple(_missing(header, column, moved) for column in required)),
        Finding("column_duplicate", places=_places(column for column in header.duplicated if column.required)),
        Finding("column_new_in_1_1", places=tuple(_missing(header, column, moved) for column in lenient)),
        Finding("column_optional_missing", places=_places(column for column in missing if not column.required)),
        Finding("column_optional_duplicate", places=_places(each for each in header.duplicated if not each.required)),
        Finding("column_name_of_1_0", places=tuple(_renamed(header))),
        Finding("column_invisible_characters", places=tuple(Place(header.name_of(index)) for index in header.unclean)),
        Finding("column_miscased", places=_places(header.miscased)),
        Finding("column_order", places=_places([header.out_of_order] if header.out_of_order else [])),
        Finding("column_unknown", places=tuple(_unknown(header))),
    ]  # fmt: skip
    return [finding for finding in found if finding.places]


def _places(columns: Iterable[Column]) -> tuple[Place, ...]:
    return tuple(Place(column.name) for column in columns)


def _missing(header: Header, column: Column, moved: frozenset[str]) -> Place:
    """A column that is not there, with what may explain it."""
    for index in header.unknown:
        if header.looks_like(index) == column:
            return Place(column.name, f"{_quoted(header, index)} looks like `{column.name}`.")
    if column.name in moved:
        return Place(column.name, "OneRoster 1.2 says it in roles.csv, which the delivery does not hold.")
    return Place(column.name)


def _renamed(header: Header) -> Iterator[Place]:
    """The columns that have the name of an older version."""
    for column, old in header.renamed:
        yield Place(column.name, f"It is called {old}.")


def _unknown(header: Header) -> Iterator[Place]:
    """The cells that name no column, with the column that they may mean."""
    for index in sorted({*header.unknown, *header.misplaced}):
        column = header.looks_like(index)
        detail = f"{_quoted(header, index)} looks like `{column.name}`." if column else None
        if index in header.misplaced:
            detail = f"Columns that begin with {METADATA} are to stand last."
        yield Place(header.name_of(index), detail)


def _quoted(header: Header, index: int) -> str:
    name = header.name_of(index)
    return f"`{name}`" if header.is_recognised else name.capitalize()
