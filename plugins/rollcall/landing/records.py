"""From a file's bytes to lines that COPY takes: each record with the physical line on which it starts.

Lines without quotation marks are passed on as they stand; only the others go through a CSV parser.
"""

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollcall.landing.header import Header

if TYPE_CHECKING:
    import _csv

LONGEST_RECORD_BYTES = 16 * 1024 * 1024

csv.field_size_limit(LONGEST_RECORD_BYTES)


class UnreadableFileError(Exception):
    """The file is not lines of text."""


@dataclass(frozen=True, slots=True)
class RaggedRow:
    """A record that does not fit the header.

    Attributes:
        line: The physical line on which it starts; the header is line 1.
        code: Why it was set aside.
        first_cell: Its first cell, perhaps a sourcedId; never leaves the delivery's schema.
    """

    line: int
    code: str
    first_cell: str


class RecordReader:
    """Reads records below a header.

    Args:
        header: What the columns are.

    Attributes:
        rows: Records read so far, ragged ones included.
        ragged: The ragged ones.
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        self._indexes = [index for _, index in header.positions]
        self._line = 1  # the last physical line that was consumed
        self.rows = 0
        self.ragged: list[RaggedRow] = []

    def copy_data(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """CSV data for COPY: the line number, then the landed cells in the header's order.

        Args:
            blocks: What follows the header line; UTF-8, line ends plain.

        Raises:
            UnreadableFileError: a line is longer than any roster's.
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
                raise UnreadableFileError("a line is longer than 16 MiB: this is not a CSV file")
        if rest:
            out, _ = self._records(rest.removesuffix(b"\n"), more_may_come=False)
            yield out

    def _records(self, whole: bytes, *, more_may_come: bool) -> tuple[bytes, bytes]:
        """Whole lines in; whole records out, and the lines of a last record that may go on below them."""
        lines = whole.split(b"\n")
        if self._header.lands_whole_lines and b'"' not in whole and b"\0" not in whole:
            commas, start = self._header.width - 1, self._line + 1
            if all(line.count(b",") == commas for line in lines) and all(lines):
                self._line += len(lines)
                self.rows += len(lines)
                return b"".join([b"%d,%s\n" % numbered for numbered in enumerate(lines, start)]), b""
        return self._parsed(lines, more_may_come=more_may_come)

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
        """Parse records from a line on, until one does not fit, or is still inside quotation marks at the end.

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
                self._set_aside(texts[start].partition(",")[0].strip('"\n'), line, "row_ragged")
                return start + 1, False
            if not self._write(cells, line, writer):
                return start + 1, False
        return len(texts), False

    def _write(self, cells: list[str], line: int, writer: "_csv.Writer") -> bool:
        """Pass a record on, or note it as ragged; a blank line is neither."""
        if len(cells) < 2 and not "".join(cells).strip():
            return True
        width = self._header.width
        fits = len(cells) >= width and not any(cells[width:])
        nul = any("\0" in cell for cell in cells)
        if nul or not fits:
            self._set_aside(cells[0], line, "row_nul_byte" if nul else "row_ragged")
            return False
        self.rows += 1
        writer.writerow([line, *(cells[index] for index in self._indexes)])
        return True

    def _set_aside(self, first_cell: str, line: int, code: str) -> None:
        self.rows += 1
        self.ragged.append(RaggedRow(line, code, first_cell.replace("\0", "")))


class _Feed:
    """Hands lines to the CSV parser, and knows whether it asked for more than there are."""

    def __init__(self, texts: list[str], position: int) -> None:
        self._texts = itertools.islice(texts, position, None)
        self.is_exhausted = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for text in self._texts:
            return text
        self.is_exhausted = True
        raise StopIteration
