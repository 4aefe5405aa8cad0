"""From a file's bytes to lines that COPY takes: each record with the physical line on which it starts.

Lines without quotation marks are passed on as they stand; only the others go through a CSV parser.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollcall.landing.encoding import UNDECODABLE
from rollcall.landing.header import Header

if TYPE_CHECKING:
    import _csv

LONGEST_RECORD_BYTES = 1024 * 1024
"""A roster's record has some hundred bytes; what is longer is held in memory until its end is found."""
RAGGED_ROWS_IN_DOUBT = 100_000
"""So many records that do not fit, and more than those that do, are no roster with mistakes."""
MARK = UNDECODABLE.encode()
LONGEST_ID = 255
"""Of more characters is no sourcedId."""
END_OF_FILE = b"\x1a"
"""With what programs of old end a text; it is no record."""

csv.field_size_limit(LONGEST_RECORD_BYTES)


class LineTooLongError(Exception):
    """A line is longer than any roster's: the file is not lines of text, or its line ends are lost."""


class RaggedFileError(Exception):
    """Most records do not fit the header.

    Attributes:
        first_line: The physical line on which the first of them starts.
    """

    def __init__(self, first_line: int) -> None:
        super().__init__(f"Most records do not fit the header, from line {first_line} on.")
        self.first_line = first_line


@dataclass(frozen=True, slots=True)
class RaggedRow:
    """A record that does not fit the header, or is damaged.

    Attributes:
        line: The physical line on which it starts; the file's first is line 1.
        code: Why it was set aside.
        first_cell: The cell where its sourcedId should stand; never leaves the delivery's schema.
    """

    line: int
    code: str
    first_cell: str


@dataclass(frozen=True, slots=True)
class FileEnd:
    """How a file of records ends.

    Attributes:
        with_line_end: Whether a line end follows the last record.
        torn_row: The line on which the last record starts, where it breaks off.
        last_id: The sourcedId of the last record that fits the header; None where it cannot be one.
    """

    with_line_end: bool
    torn_row: int | None
    last_id: str | None


def first_line(blocks: Iterator[bytes]) -> tuple[bytes, int, bytes]:
    """The first line that is not blank, its number, and what of the blocks read so far follows it.

    Raises:
        LineTooLongError: there is no line end where one should be.
    """
    data, number = b"", 1
    for block in blocks:
        data += block
        while b"\n" in data:
            line, _, data = data.partition(b"\n")
            if line.strip():
                return line, number, data
            number += 1
        if len(data) > LONGEST_RECORD_BYTES:
            raise LineTooLongError
    return data, number, b""


class RecordReader:
    """Reads records below a header.

    Args:
        header: What the columns are.
        set_aside: Told of each record that does not fit.

    Attributes:
        rows: Records read so far, ragged ones included.
        ragged: How many of them are.
    """

    def __init__(self, header: Header, set_aside: Callable[[RaggedRow], None]) -> None:
        self._header = header
        self._indexes = [index for _, index in header.positions]
        self._further = header.further
        self._tell = set_aside
        self._line = header.line  # the last physical line that was consumed
        self._blank = b"," * (header.width - 1)
        self._is_suspicious = False  # whether the lines at hand hold a byte that no cell may hold
        self._first_ragged = 0
        self._set_aside_last = 0  # the line of the record read last, if it was set aside
        self._never_closed = 0  # the line whose quotation marks nothing below closes, if no record below it fits
        self.rows = 0
        self.ragged = 0
        self._ends_with_line_end = True
        self._last_id = ""

    @property
    def end(self) -> FileEnd | None:
        """How the file ends, once all is read; None when it holds no record.

        A last record is torn if it does not fit and no line end follows it, or if its quotation marks stay open.
        """
        if not self.rows:
            return None
        torn_row = self._never_closed or (not self._ends_with_line_end and self._set_aside_last) or None
        is_id = self._header.names_id and 0 < len(self._last_id) <= LONGEST_ID
        return FileEnd(self._ends_with_line_end, torn_row, self._last_id if is_id else None)

    def copy_data(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """CSV data for COPY: the line number, the landed cells in the header's order, the further ones as JSON.

        Args:
            blocks: What follows the header line; UTF-8, line ends plain.

        Raises:
            LineTooLongError: a line is longer than any roster's.
            RaggedFileError: most records do not fit; there may be millions more.
        """
        rest, is_open = b"", False
        for block in blocks:
            if is_open and b'"' not in block and len(rest) <= LONGEST_RECORD_BYTES:
                rest += block  # still inside the same quotation marks
                continue
            whole, end, begun = (rest + block).rpartition(b"\n")
            rest = begun
            if end:
                out, open_record = self._records(whole, more_may_come=True)
                yield out
                rest, is_open = open_record + begun, bool(open_record)
            if len(begun) > LONGEST_RECORD_BYTES:
                raise LineTooLongError
        rest = rest.removesuffix(END_OF_FILE)
        begun = rest.rpartition(b"\n")[2]
        self._ends_with_line_end = not (begun.strip() and begun.strip(b","))
        if rest:
            out, _ = self._records(rest.removesuffix(b"\n"), more_may_come=False)
            yield out

    def _records(self, whole: bytes, *, more_may_come: bool) -> tuple[bytes, bytes]:
        """Whole lines in; whole records out, and the lines of a last record that may go on below them."""
        lines = whole.split(b"\n")
        self._is_suspicious = b"\0" in whole or MARK in whole
        if self._header.surplus is not None and not self._is_suspicious and b'"' not in whole:
            return self._plain(lines), b""
        return self._parsed(lines, more_may_come=more_may_come)

    def _plain(self, lines: list[bytes]) -> bytes:
        """Lines without quotation marks: those that fit the header need no parser."""
        commas, start = self._header.width - 1, self._line + 1
        self._line += len(lines)
        if all(line.count(b",") == commas for line in lines) and self._blank not in lines:
            return self._numbered(lines, start)
        parts = []
        for number, line in enumerate(lines, start):
            fits = line.count(b",") == commas and line != self._blank
            parts.append(self._numbered([line], number) if fits else self._odd(line, number))
        return b"".join(parts)

    def _numbered(self, lines: list[bytes], start: int) -> bytes:
        """Lines as they stand, behind their numbers, without the cells at their end that are not landed."""
        self.rows += len(lines)
        place = self._header.id_index
        self._fitted(lines[-1].split(b",", place + 1)[place].decode("utf-8", errors="replace"))
        if self._header.surplus:
            lines = [line.rsplit(b",", self._header.surplus)[0] for line in lines]
        return b"".join([b"%d,%s\n" % numbered for numbered in enumerate(lines, start)])

    def _odd(self, line: bytes, number: int) -> bytes:
        """A line with another number of cells than the header, or a blank one; it holds no quotation mark."""
        out = io.StringIO()
        self._write(line.decode("utf-8", errors="replace").split(","), number, csv.writer(out, lineterminator="\n"))
        return out.getvalue().encode()

    def _parsed(self, lines: list[bytes], *, more_may_come: bool) -> tuple[bytes, bytes]:
        """Lines through the CSV parser; a record that does not fit costs only the line on which it starts."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        texts = [line.decode("utf-8", errors="replace") + "\n" for line in lines]
        position, is_open = 0, False
        while position < len(texts) and not is_open:
            position, is_open = self._parse_from(texts, position, writer, more_may_come=more_may_come)
        self._line += position
        return out.getvalue().encode(), b"".join(line + b"\n" for line in lines[position:])

    def _parse_from(
        self, texts: list[str], position: int, writer: "_csv.Writer", *, more_may_come: bool
    ) -> tuple[int, bool]:
        """Parse records from a line on, until one is ragged, or is still inside quotation marks at the end.

        Returns:
            The line to go on with, and whether it starts a record that may go on below these lines.
        """
        feed = _Feed(texts, position)
        # Strict: a lone quotation mark must not be read as the end of one that an earlier line forgot to close.
        reader = csv.reader(feed, strict=True)
        while (start := position + reader.line_num) < len(texts):
            line = self._line + start + 1
            try:
                cells = next(reader)
            except csv.Error:
                if feed.is_exhausted and more_may_come:
                    return start, True
                if feed.is_exhausted:
                    self._never_closed = self._never_closed or line
                self._set_aside([cell.strip('"\n') for cell in texts[start].split(",")], line)
                return start + 1, False
            fits = self._write(cells, line, writer)
            if not fits and position + reader.line_num > start + 1:
                return start + 1, False  # its further lines may be records of their own
        return len(texts), False

    def _write(self, cells: list[str], line: int, writer: "_csv.Writer") -> bool:
        """Pass a record on, or set it aside; a blank line, and one of commas only, is neither."""
        if not any(cells) or (len(cells) == 1 and not cells[0].strip()):
            return True
        width = self._header.width
        fits = len(cells) >= width and not "".join(cells[width:]).strip()
        if not fits or (self._is_suspicious and any("\0" in cell or UNDECODABLE in cell for cell in cells)):
            self._set_aside(cells, line)
            return fits
        self.rows += 1
        self._fitted(cells[self._header.id_index])
        landed = [cells[index] for index in self._indexes]
        if self._further:
            landed.append(self._metadata(cells))
        writer.writerow([line, *landed])
        return True

    def _metadata(self, cells: list[str]) -> str:
        """The cells of the columns that the standard does not know, as a JSON object; blank when all of them are."""
        filled = {name: cells[index] for name, index in self._further if cells[index].strip()}
        return json.dumps(filled, ensure_ascii=False) if filled else ""

    def _fitted(self, source_id: str) -> None:
        """Note that the record read last fits the header."""
        self._last_id = source_id.strip()
        self._set_aside_last = self._never_closed = 0

    def _set_aside(self, cells: list[str], line: int) -> None:
        self._set_aside_last = line
        code = "row_ragged"
        if self._is_suspicious and any("\0" in cell for cell in cells):
            code = "row_nul_byte"
        elif self._is_suspicious and any(UNDECODABLE in cell for cell in cells):
            code = "row_undecodable"
        place = self._header.id_index
        first_cell = cells[place] if place < len(cells) else ""
        self.rows += 1
        self.ragged += 1
        self._first_ragged = self._first_ragged or line
        if self.ragged > RAGGED_ROWS_IN_DOUBT and self.ragged * 2 > self.rows:
            raise RaggedFileError(self._first_ragged)
        self._tell(RaggedRow(line, code, first_cell.replace("\0", "")))


class _Feed:
    """Hands lines to the CSV parser, and knows whether it asked for more than there are."""

    def __init__(self, texts: list[str], position: int) -> None:
        self._texts = texts
        self._next = position
        self.is_exhausted = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._next == len(self._texts):
            self.is_exhausted = True
            raise StopIteration
        self._next += 1
        return self._texts[self._next - 1]
