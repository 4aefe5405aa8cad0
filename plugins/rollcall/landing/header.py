"""A file's header row, matched to the standard's columns by name."""

import csv
import difflib
import itertools
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from rollcall.oneroster import COLUMNS_OF_1_2, NAMES_OF_1_0, NEVER_LANDED, Column, File

METADATA = "metadata."
"""With what the standard lets further columns begin; they stand last."""

LOOKS_LIKE = 0.8
"""How alike a cell and a column's name must be for the one to be taken for a misspelling of the other."""

LONGEST_NAME = 60
"""More of a header cell is not quoted."""


@dataclass(frozen=True)
class Header:
    """What a header row says.

    Attributes:
        file: The file that it should be the header of.
        line: The physical line that it stands on.
        cells: Its cells as names: without invisible characters and blanks around them.
        positions: For each column that is landed, the index of its cell.
        further: For each cell that names no column of the standard, what its content is called, and the cell's index.
        missing: Columns that are not there.
        unknown: Indexes of cells that name no column of any version of the standard.
        misplaced: Indexes of ``metadata`` columns that do not stand last.
        miscased: Columns whose cell is not in the standard's case.
        unclean: Indexes of cells with invisible characters, or blanks.
        duplicated: Columns that are named twice; the first counts.
        renamed: Columns under the name that OneRoster 1.0 gave them, with that name.
    """

    file: File
    line: int
    cells: tuple[str, ...]
    positions: tuple[tuple[Column, int], ...]
    further: tuple[tuple[str, int], ...]
    missing: tuple[Column, ...]
    unknown: tuple[int, ...]
    misplaced: tuple[int, ...]
    miscased: tuple[Column, ...]
    unclean: tuple[int, ...]
    duplicated: tuple[Column, ...]
    renamed: tuple[tuple[Column, str], ...]

    @property
    def width(self) -> int:
        """How many cells a record has; empty cells at the header's end do not count."""
        return len(self.cells)

    @cached_property
    def surplus(self) -> int | None:
        """How many cells at a line's end are not landed, while all before them are; None when others are left out."""
        in_front = all(index == place for place, (_, index) in enumerate(self.positions))
        return self.width - len(self.positions) if in_front and not self.further else None

    @cached_property
    def id_index(self) -> int:
        """Where the sourcedId stands; the first cell, when the header does not say."""
        return next((index for column, index in self.positions if column.name == "sourcedId"), 0)

    @property
    def names_id(self) -> bool:
        """Whether there is a column sourcedId."""
        return any(column.name == "sourcedId" for column, _ in self.positions)

    @property
    def out_of_order(self) -> Column | None:
        """The first column that stands behind one that should follow it."""
        places = [self.file.columns.index(column) for column, _ in self.positions]
        out = (after for before, after in itertools.pairwise(places) if after < before)
        return next((self.file.columns[place] for place in out), None)

    @cached_property
    def is_recognised(self) -> bool:
        """Whether this is a header beyond doubt, and its cells may be quoted: without a header they are a student's.

        It names most of the file's columns, and more of them than of others.
        """
        known = len(self.file.columns) - len(self.missing)
        return 2 * known > len(self.file.columns) and known >= len(self.unknown)

    def name_of(self, index: int) -> str:
        """What a finding calls a cell: its name, where it may be quoted, else its place."""
        cell = self.cells[index]
        return cell[:LONGEST_NAME] if cell and self.is_recognised else f"cell {index + 1}"

    def looks_like(self, index: int) -> Column | None:
        """The missing column that a cell is likely to mean."""
        names = {column.name.lower(): column for column in self.missing}
        close = difflib.get_close_matches(_key(self.cells[index])[:LONGEST_NAME], names, n=1, cutoff=LOOKS_LIKE)
        return names[close[0]] if close else None


def read_header(line: bytes, file: File, line_number: int = 1) -> Header:
    """Match a header row to the standard's columns, whatever the case, the order and the invisible characters.

    Args:
        line: The file's first line, in UTF-8, without its line end.
        file: The file that it should be.
        line_number: The physical line that it is.
    """
    sent = _cells(line)
    cells = tuple(_cleaned(cell) for cell in sent)
    found, duplicated, others = _matched(cells, file)
    renamed = _renamed(cells, file, found, others)
    last = max(found.values(), default=-1)
    further = [index for index in others if not any(name in _key(cells[index]) for name in NEVER_LANDED)]
    by_name = {column.name: column for column in file.columns}
    landed = [(by_name[name], index) for name, index in found.items() if name not in NEVER_LANDED]
    return Header(
        file=file,
        line=line_number,
        cells=cells,
        positions=tuple(sorted(landed, key=lambda pair: pair[1])),
        further=_named(cells, further),
        missing=tuple(column for column in file.columns if column.name not in found),
        unknown=tuple(index for index in others if not _is_known(cells[index], file)),
        misplaced=tuple(index for index in others if index < last and cells[index].startswith(METADATA)),
        miscased=tuple(
            by_name[name] for name, index in found.items() if name not in renamed and _visible(cells[index]) != name
        ),
        unclean=tuple(
            index for index, cell in enumerate(sent) if cell != (_cleaned(cell) if index in others else _visible(cell))
        ),
        duplicated=tuple(by_name[name] for name in duplicated),
        renamed=tuple((by_name[name], old) for name, old in renamed.items()),
    )


def _cells(line: bytes) -> list[str]:
    """The row's cells, without the empty ones at its end."""
    try:
        cells = next(csv.reader([line.decode("utf-8", errors="replace")]), [])
    except csv.Error:
        return []
    while cells and not _visible(cells[-1]):
        cells.pop()
    return cells


def _matched(cells: tuple[str, ...], file: File) -> tuple[dict[str, int], list[str], list[int]]:
    """Where each column stands, which are named again, and the indexes of the cells that name none."""
    by_key = {column.name.lower(): column.name for column in file.columns}
    found: dict[str, int] = {}
    duplicated: list[str] = []
    others: list[int] = []
    for index, cell in enumerate(cells):
        name = by_key.get(_key(cell))
        if name is None:
            others.append(index)
        elif name in found:
            duplicated.append(name)
        else:
            found[name] = index
    return found, sorted(set(duplicated)), others


def _renamed(cells: tuple[str, ...], file: File, found: dict[str, int], others: list[int]) -> dict[str, str]:
    """Columns under their name of OneRoster 1.0; they are added to the found ones."""
    names = {old.lower(): (old, new) for old, new in NAMES_OF_1_0.get(file.name, {}).items()}
    renamed: dict[str, str] = {}
    for index in list(others):
        old, new = names.get(_key(cells[index]), ("", ""))
        if new and new not in found:
            found[new] = index
            others.remove(index)
            renamed[new] = old
    return renamed


def _named(cells: tuple[str, ...], indexes: list[int]) -> tuple[tuple[str, int], ...]:
    """A name for the content of each cell that names no column; no two the same."""
    named: dict[str, int] = {}
    for index in indexes:
        cell = cells[index]
        named[cell if cell and cell not in named else f"cell {index + 1}"] = index
    return tuple(named.items())


def _is_known(cell: str, file: File) -> bool:
    """Whether a cell names no column of OneRoster 1.1, and yet is nothing to speak of."""
    known = {name.lower() for name in COLUMNS_OF_1_2.get(file.name, ())}
    return cell.startswith(METADATA) or _key(cell) in known


def _key(cell: str) -> str:
    """A cell as it is compared."""
    return _visible(cell).lower()


def _visible(cell: str) -> str:
    """A cell without blanks and invisible characters, wherever they stand."""
    if cell.isascii() and cell.isalnum():
        return cell
    return "".join(character for character in cell if not _is_invisible(character) and not character.isspace())


def _cleaned(cell: str) -> str:
    """A cell without the blanks around it, and without the invisible characters in it."""
    return "".join(" " if c.isspace() else c for c in cell if c.isspace() or not _is_invisible(c)).strip()


def _is_invisible(character: str) -> bool:
    """Whether a character is a control or format character, or none at all."""
    return unicodedata.category(character).startswith("C")
