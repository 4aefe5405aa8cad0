"""From a file's bytes to lines that COPY takes: each record with the physical line on which it starts.

Lines without quotation marks are passed on as they stand; only the others go through a CSV parser.
"""

import csv
import io
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


@dataclass(frozen=True)
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
        rest = b""
        for block in blocks:
            rest += block
            cut = rest.rfind(b"\n") + 1
            cut = self._cut_outside_quotes(rest, cut)
            if cut:
                yield self._chunk(rest[:cut])
                rest = rest[cut:]
            elif len(rest) > LONGEST_RECORD_BYTES:
                if b"\n" not in rest:
                    raise UnreadableFileError("a line is longer than 16 MiB: this is not a CSV file")
                cut = rest.rfind(b"\n") + 1  # a quotation mark was never closed: read line by line
                yield self._chunk(rest[:cut])
                rest = rest[cut:]
        if rest:
            yield self._chunk(rest if rest.endswith(b"\n") else rest + b"\n")

    @staticmethod
    def _cut_outside_quotes(data: bytes, cut: int) -> int:
        """The last line end at or before ``cut`` that lies in no quoted field; 0 when there is none."""
        while cut and data.count(b'"', 0, cut) % 2:
            cut = data.rfind(b"\n", 0, data.rfind(b'"', 0, cut)) + 1
        return cut

    def _chunk(self, chunk: bytes) -> bytes:
        """Whole records in, whole records out."""
        lines = chunk.split(b"\n")
        lines.pop()  # what follows the last line end: nothing
        if self._header.lands_whole_lines and b'"' not in chunk and b"\0" not in chunk:
            return self._plain(lines)
        return self._parsed(lines)

    def _plain(self, lines: list[bytes]) -> bytes:
        """Lines without quotation marks, all of whose cells are landed."""
        commas, start = self._header.width - 1, self._line + 1
        if all(line.count(b",") == commas for line in lines) and all(lines):
            self._line += len(lines)
            self.rows += len(lines)
            return b"".join([b"%d,%s\n" % numbered for numbered in enumerate(lines, start)])
        return self._parsed(lines)

    def _parsed(self, lines: list[bytes]) -> bytes:
        """Lines through the CSV parser; one that swallows its successors without fitting is parsed anew alone."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        base, position = self._line, 0
        texts = [line.decode("utf-8", errors="replace") + "\n" for line in lines]
        while position < len(texts):
            position = self._parse_from(texts, position, base, writer)
        self._line = base + len(lines)
        return out.getvalue().encode()

    def _parse_from(self, texts: list[str], position: int, base: int, writer: "_csv.Writer") -> int:
        """Parse records from a line on; stops behind a ragged one and returns the line to go on with."""
        reader = csv.reader(texts[index] for index in range(position, len(texts)))
        start = 0
        while True:
            try:
                cells = next(reader, None)
            except csv.Error:
                cells = [""]
            if cells is None:
                return len(texts)
            line = base + position + start + 1
            if cells and not self._write(cells, line, writer):
                return position + start + 1
            start = reader.line_num

    def _write(self, cells: list[str], line: int, writer: "_csv.Writer") -> bool:
        """Pass a record on, or note it as ragged; a blank line is neither."""
        if len(cells) == 1 and not cells[0].strip() and self._header.width > 1:
            return True
        self.rows += 1
        width = self._header.width
        fits = len(cells) == width or (len(cells) > width and not any(cells[width:]))
        nul = any("\0" in cell for cell in cells)
        if not fits or nul:
            self.ragged.append(RaggedRow(line, "row_nul_byte" if nul else "row_ragged", cells[0].replace("\0", "")))
            return False
        writer.writerow([line, *(cells[index] for index in self._indexes)])
        return True
