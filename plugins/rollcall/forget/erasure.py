"""A file without a person: their records go, their id goes from the lists that name it, all else stays byte for byte.

The result is what the district would have sent if it did not know the person. What a file is, its header tells. In text
that is none of the standard's files, lines go that name the id.
"""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from rollcall.landing.encoding import CODECS, detect
from rollcall.landing.header import Header, read_header
from rollcall.landing.records import LONGEST_RECORD_BYTES
from rollcall.oneroster import LANDED_FILES
from rollcall.signatures import LONGEST, kind_of

PERSON_IN = {
    "users": "sourcedId",
    "demographics": "sourcedId",
    "enrollments": "userSourcedId",
    "roles": "userSourcedId",
}
"""The files whose records are of a person, and the column that says of whom."""
AGENTS = "agentSourcedIds"
BLOCK_CHARACTERS = 256 * 1024
FEWEST_COLUMNS = 2
"""So many of a file's columns, sourcedId among them, make a header its own."""
_PHYSICAL_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class UnsearchableError(Exception):
    """Nobody can tell whether a file names the person: it is no text."""


@dataclass(frozen=True)
class _Layout:
    """What the columns of a file mean, by their places; None where there is none."""

    file: str
    width: int
    own_id: int
    person: int | None
    agents: int | None

    @classmethod
    def of(cls, header: Header) -> "_Layout":
        places = {column.name: place for column, place in header.positions}
        name = header.file.name
        return cls(name, header.width, header.id_index, places.get(PERSON_IN.get(name, "")), places.get(AGENTS))

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether a record has as many cells as the header, as landing has it."""
        return len(cells) >= self.width and not "".join(cells[self.width :]).strip()


class Eraser:
    """Takes a person out of files, one after the other.

    Args:
        ids: Every id that the person was ever known by.

    Attributes:
        removed: The ids of the records that went, by the standard's file names.
        changes: How many records went or were changed.
        last_id: The sourcedId of the last record of the file at hand that fits its header.
    """

    def __init__(self, ids: Collection[str]) -> None:
        spellings = {spelled for each in ids for spelled in (each, each.replace('"', '""'))}
        self._ids = frozenset(ids)
        self._spellings = sorted(spellings)
        self._naming = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, self._spellings))})(?![\w.-])")
        self._layout: _Layout | None = None
        self.removed: dict[str, set[str]] = {}
        self.changes = 0
        self.last_id: str | None = None

    def may_be_in(self, blocks: Iterable[bytes]) -> bool:
        """Whether a file's bytes hold one of the ids at all; quick, and never wrongly no for text."""
        needles = {
            each.encode(codec, errors="replace")
            for each in self._spellings
            for codec in ("utf-8", "cp1252", "utf-16-le")
        }
        needles |= {each.encode("utf-16-be") for each in self._spellings}
        overlap, tail = max(map(len, needles)), b""
        for block in blocks:
            window = tail + block
            if any(needle in window for needle in needles):
                return True
            tail = window[-overlap:]
        return False

    def without(self, source: IO[bytes]) -> Iterator[bytes]:
        """A file's bytes without the person.

        Args:
            source: The file, at its begin; it can be gone back in.

        Raises:
            UnsearchableError: it is no text.
        """
        if kind_of(source.read(LONGEST)) is not None:
            raise UnsearchableError
        source.seek(0)
        codec, errors = _codec_of(source)
        lines = _lines(source, codec, errors)
        batch, size = [], 0
        try:
            for text in self._kept(lines):
                batch.append(text)
                size += len(text)
                if size > BLOCK_CHARACTERS:
                    yield "".join(batch).encode(codec, errors)
                    batch, size = [], 0
        except UnicodeError:
            raise UnsearchableError from None
        yield "".join(batch).encode(codec, errors)

    def _kept(self, lines: Iterator[str]) -> Iterator[str]:
        """What stays of the lines. A file that had no line end at its end has none when its last record goes."""
        self._layout, self.last_id = None, None
        held_back, ends_bare, is_first = "", False, True
        for raw, cells in _records(lines):
            if is_first and any(cell.strip("\ufeff \t") for cell in cells):
                self._layout, is_first = _layout_of(raw), False
            kept = self._record(raw, cells)
            ends_bare = not raw.endswith(("\r", "\n"))
            if kept:
                yield held_back
                held_back = kept
        yield held_back.rstrip("\r\n") if ends_bare else held_back

    def _record(self, raw: str, cells: list[str]) -> str:
        """What stays of a record; of one that fits no header and spans several lines, each line is looked at alone."""
        layout = self._layout
        if not self._naming.search(raw):
            if layout and layout.fits(cells):
                self.last_id = cells[layout.own_id].strip()
            return raw
        if layout is None:
            return self._lines_that_name_nobody(raw)
        lines = _PHYSICAL_LINES.findall(raw)
        if layout.fits(cells) or len(lines) == 1:
            return self._of_layout(layout, raw, cells)
        return "".join(self._of_layout(layout, line, line.rstrip("\r\n").split(",")) for line in lines)

    def _of_layout(self, layout: _Layout, raw: str, cells: list[str]) -> str:
        fits = layout.fits(cells)
        if layout.person is not None:
            looked_at = [cells[layout.person]] if fits else [cell.strip('"') for cell in cells]
            if any(cell.strip() in self._ids for cell in looked_at):
                own_id = cells[layout.own_id].strip() if layout.own_id < len(cells) else ""
                self.removed.setdefault(layout.file, set()).add(own_id)
                self.changes += 1
                return ""
        if fits:
            self.last_id = cells[layout.own_id].strip()
            if layout.agents is not None:
                return self._with_fewer_agents(raw, cells[layout.agents], layout.agents)
        return raw

    def _with_fewer_agents(self, raw: str, cell: str, place: int) -> str:
        """A record without the person in its list of agents; in quotation marks only if it needs them, or all have."""
        agents = [each.strip() for each in cell.split(",")]
        others = [each for each in agents if each not in self._ids]
        if len(others) == len(agents):
            return raw
        self.changes += 1
        spans = _spans(raw)
        start, end = spans[place]
        told = ",".join(others)
        if raw[start:end].startswith('"') and (raw[slice(*spans[0])].lstrip("\ufeff").startswith('"') or "," in told):
            told = '"' + told.replace('"', '""') + '"'
        return raw[:start] + told + raw[end:]

    def _lines_that_name_nobody(self, raw: str) -> str:
        lines = _PHYSICAL_LINES.findall(raw)
        kept = [line for line in lines if not self._naming.search(line)]
        self.changes += len(lines) - len(kept)
        return "".join(kept)


def _codec_of(source: IO[bytes]) -> tuple[str, str]:
    """How a text is read and written so that every byte of it stays; the source is at its begin again."""
    encoding = detect(source)
    source.seek(0)
    if encoding == "utf-16":
        encoding = "utf-16-le" if source.read(2) == codecs.BOM_UTF16_LE else "utf-16-be"
        source.seek(0)
    return CODECS.get(encoding, encoding), "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"


def _lines(source: IO[bytes], codec: str, errors: str) -> Iterator[str]:
    """The lines, each with the line end that it has.

    Raises:
        UnsearchableError: one is longer than any roster's.
    """
    text = io.TextIOWrapper(source, encoding=codec, errors=errors, newline="")
    try:
        while line := text.readline(LONGEST_RECORD_BYTES):
            if len(line) == LONGEST_RECORD_BYTES:
                raise UnsearchableError
            yield line
    finally:
        text.detach()


def _records(lines: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
    """The records, as they stand and as cells; none of one that the parser gives up."""
    taken: list[str] = []

    def told() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(told())
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
        yield "".join(taken), cells
        taken.clear()


def _layout_of(raw: str) -> _Layout | None:
    """What the columns mean, if the line is the header of one of the standard's files."""
    line = raw.rstrip("\r\n").encode("utf-8", "replace")
    headers = [read_header(line, file) for file in LANDED_FILES]
    best = max(headers, key=lambda header: (len(header.positions), -len(header.unknown)))
    return _Layout.of(best) if best.names_id and len(best.positions) >= FEWEST_COLUMNS else None


def _spans(raw: str) -> list[tuple[int, int]]:
    """Where the cells of a record stand."""
    spans, start, is_quoted = [], 0, False
    body = raw.rstrip("\r\n")
    for place, character in enumerate(body):
        if character == '"':
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            spans.append((start, place))
            start = place + 1
    return [*spans, (start, len(body))]
