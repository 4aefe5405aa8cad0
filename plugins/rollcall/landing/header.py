"""A file's header row, matched to the standard's columns by name."""

import csv
from dataclasses import dataclass

from rollcall.oneroster import NEVER_LANDED, Column, File


@dataclass(frozen=True)
class Header:
    """What a header row says.

    Attributes:
        width: How many cells a record has; empty cells at the header's end do not count.
        positions: For each column that is landed, the index of its cell.
        missing: Required columns that are not there.
        missing_optional: Optional columns that are not there.
        unknown: Indexes of cells that name no column of the standard, or one a second time.
        miscased: Columns whose cell is not in the standard's case.
    """

    width: int
    positions: tuple[tuple[Column, int], ...]
    missing: tuple[Column, ...]
    missing_optional: tuple[Column, ...]
    unknown: tuple[int, ...]
    miscased: tuple[Column, ...]

    @property
    def lands_whole_lines(self) -> bool:
        """Whether a line can be copied as it stands: every cell is landed."""
        return len(self.positions) == self.width


def read_header(line: bytes, file: File) -> Header:
    """Match a header row to the standard's columns, whatever the case, the order and the blanks around the names.

    Args:
        line: The file's first line, in UTF-8, without its line end.
        file: The file that it should be.
    """
    cells = [_cleaned(cell) for cell in next(csv.reader([line.decode("utf-8", errors="replace")]), [])]
    while cells and not cells[-1]:
        cells.pop()
    by_name = {column.name.lower(): column for column in file.columns}
    found: dict[str, int] = {}
    unknown: list[int] = []
    for index, cell in enumerate(cells):
        column = by_name.get(cell.lower())
        if column is None or column.name in found:
            unknown.append(index)
        else:
            found[column.name] = index
    missing = [column for column in file.columns if column.name not in found]
    return Header(
        width=len(cells),
        positions=tuple(
            sorted(((by_name[name.lower()], index) for name, index in found.items() if name not in NEVER_LANDED),
                   key=lambda pair: pair[1])
        ),
        missing=tuple(column for column in missing if column.required),
        missing_optional=tuple(column for column in missing if not column.required),
        unknown=tuple(unknown),
        miscased=tuple(by_name[name.lower()] for name, index in found.items() if cells[index] != name),
    )  # fmt: skip


def _cleaned(cell: str) -> str:
    """A header cell without the invisible characters that exports leave around it."""
    return cell.strip().strip("\ufeff\u200b\u200c\u200d\u2060\xa0").strip()
