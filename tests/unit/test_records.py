"""Records with the physical line on which they start, however the file is cut into blocks and whatever is ragged."""

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rollcall.landing import records
from rollcall.landing.encoding import UNDECODABLE, detect, utf8_blocks
from rollcall.landing.header import Header, read_header
from rollcall.landing.records import LineTooLongError, RaggedFileError, RaggedRow, RecordReader
from rollcall.oneroster import Column, File

THREE = read_header(b"a,b,c", File("x", (Column("a"), Column("b"), Column("c"))))
SECOND_IS_SECRET = read_header(b"a,password,c", File("x", (Column("a"), Column("password"), Column("c"))))

Records = list[tuple[int, list[str]]]


def read(blocks: list[bytes], header: Header = THREE) -> tuple[Records, list[tuple[int, str, str]]]:
    """What would land, and what is set aside."""
    told: list[RaggedRow] = []
    reader = RecordReader(header, told.append)
    out = b"".join(reader.copy_data(iter(blocks))).decode()
    landed = [(int(row[0]), row[1:]) for row in csv.reader(io.StringIO(out, newline=""))]
    ragged = [(row.line, row.code, row.first_cell) for row in told]
    assert reader.rows == len(landed) + len(ragged)
    assert reader.ragged == len(ragged)
    return landed, ragged


def plainly(text: str) -> Records:
    """The same by the plainest means: one record at a time, line ends counted."""
    found: list[Any] = []
    line, lines = 2, iter(io.StringIO(text, newline=""))

    def counted() -> Iterator[str]:
        nonlocal line
        for one in lines:
            line += one.count("\n")
            yield one

    reader = csv.reader(counted())
    while True:
        start = line
        cells = next(reader, None)
        if cells is None:
            return found
        if any(cells) and (len(cells) > 1 or cells[0].strip()):
            found.append((start, cells))


def blocks_of(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


CELLS = st.lists(st.text(alphabet=st.sampled_from('xé" ,\n'), max_size=6), min_size=3, max_size=3)


def end_of(blocks: list[bytes], header: Header = THREE) -> tuple[bool, int | None, str | None] | None:
    """How a file ends: with a line end or not, in a ragged record or not, and with which id."""
    reader = RecordReader(header, lambda _: None)
    b"".join(reader.copy_data(iter(blocks)))
    end = reader.end
    return None if end is None else (end.with_line_end, end.torn_row, end.last_id)


@given(rows=st.lists(CELLS, max_size=12), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), data=st.data())
@example(rows=[['"', "\n", ","]], quoting=csv.QUOTE_MINIMAL, data=None)
def test_whatever_csv_writes_comes_out_the_same_wherever_blocks_end(
    rows: list[list[str]], quoting: int, data: st.DataObject | None
) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    content = out.getvalue().encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8))) if data else []
    blocks = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    landed, ragged = read(blocks)
    assert ragged == []
    assert landed == plainly(content.decode())
    assert [cells for _, cells in landed] == [cells for cells in rows if any(cells)]


RAGGED = b'''1,Ann,x
2,"B,y
3,"Cid
of two lines",z
4,D"ora,x
5,"Eve,x
6,"F ""the fox""",y

7,G
8,H,x,,
9,I,x,y
10,"J"oe,x
"11",K,"l
m
n"
12,"never closed,x
13,M,x
14,"N, O",x'''


def test_a_ragged_record_costs_no_other_record_wherever_blocks_end() -> None:
    landed = [
        (2, ["1", "Ann", "x"]),
        (4, ["3", "Cid\nof two lines", "z"]),
        (6, ["4", 'D"ora', "x"]),
        (8, ["6", 'F "the fox"', "y"]),
        (11, ["8", "H", "x"]),
        (14, ["11", "K", "l\nm\nn"]),
        (18, ["13", "M", "x"]),
        (19, ["14", "N, O", "x"]),
    ]
    ragged = [(3, "2"), (7, "5"), (10, "7"), (12, "9"), (13, "10"), (17, "12")]
    for size in range(1, len(RAGGED) + 1):
        assert read(blocks_of(RAGGED, size)) == (landed, [(line, "row_ragged", cell) for line, cell in ragged])


def test_a_ragged_record_of_several_lines_costs_its_first_line_only() -> None:
    landed, ragged = read([b'1,b,c\n2,"b\n3,b,c\n4"\n5,b,c\n'])
    assert [line for line, _ in landed] == [2, 4, 6]
    assert [line for line, _, _ in ragged] == [3, 5]


def test_rows_may_have_more_cells_than_the_header_when_they_are_empty() -> None:
    assert read([b"1,2,3,,\n4,5,6\n"]) == ([(2, ["1", "2", "3"]), (3, ["4", "5", "6"])], [])


def test_blank_lines_are_no_records_but_lines() -> None:
    assert read([b"\n1,2,3\n\n  \n4,5,6\n\n"]) == ([(3, ["1", "2", "3"]), (6, ["4", "5", "6"])], [])


@pytest.mark.parametrize("line", [b",,", b'"",,""', b",,,,"])
def test_a_line_of_empty_cells_is_a_blank_line(line: bytes) -> None:
    assert read([b"1,2,3\n" + line + b"\n4,5,6\n"]) == ([(2, ["1", "2", "3"]), (4, ["4", "5", "6"])], [])


@pytest.mark.parametrize("line", [b"2,\0,c", b'2,"\0",c', b"2,b,c\0"])
def test_a_nul_byte_sets_its_record_aside(line: bytes) -> None:
    landed, ragged = read([b"1,b,c\n" + line + b"\n3,b,c\n"])
    assert [line for line, _ in landed] == [2, 4]
    assert ragged == [(3, "row_nul_byte", "2")]


def test_bytes_that_are_no_character_set_their_record_aside() -> None:
    damaged = f"2,Zo{UNDECODABLE},c".encode()
    landed, ragged = read([b"1,b,c\n" + damaged + b"\n3,b,c\n"])
    assert [line for line, _ in landed] == [2, 4]
    assert ragged == [(3, "row_undecodable", "2")]


def test_the_id_of_a_ragged_record_is_looked_for_where_the_header_puts_it() -> None:
    id_last = read_header(b"name,sourcedId", File("x", (Column("sourcedId"), Column("name"))))
    assert read([b"Oak, 7,990\nOak\n"], id_last)[1] == [(2, "row_ragged", " 7"), (3, "row_ragged", "")]


def test_further_columns_land_as_one_object_without_blank_cells() -> None:
    further = read_header(b"a,metadata.x,b,y,c", File("x", (Column("a"), Column("b"), Column("c"))))
    landed, _ = read([b'1,,2,,3\n1,"o, p",2,\xc3\xab,3\n'], further)
    assert landed[0] == (2, ["1", "2", "3", ""])
    assert landed[1][1][:3] == ["1", "2", "3"]
    assert json.loads(landed[1][1][3]) == {"metadata.x": "o, p", "y": "ë"}


def test_any_number_of_ragged_records_is_told_and_none_is_kept() -> None:
    ragged: list[RaggedRow] = []
    reader = RecordReader(THREE, ragged.append)
    for out in reader.copy_data(iter([b"1,2\n" * 1000] * 3)):
        assert out == b""
        assert len(ragged) % 1000 == 0
        assert ragged
    assert (reader.rows, reader.ragged, len(ragged)) == (3000, 3000, 3000)


@given(content=st.binary(max_size=300), size=st.integers(1, 64), header=st.sampled_from([THREE, SECOND_IS_SECRET]))
def test_any_bytes_end_as_records_or_set_aside(content: bytes, size: int, header: Header) -> None:
    source = io.BytesIO(content)
    encoding = detect(source)
    source.seek(0)
    text = b"".join(utf8_blocks(source, encoding))
    landed, _ = read(blocks_of(text, size), header)
    width = len(header.positions)
    assert all(len(cells) == width and UNDECODABLE not in "".join(cells) for _, cells in landed)
    assert "\0" not in "".join(cell for _, cells in landed for cell in cells)


@pytest.mark.parametrize("columns", ["a,b,password", "a,b,password,Password", "a,password,b", "password,a,b"])
def test_columns_without_a_place_to_land_are_left_out_of_plain_lines(columns: str) -> None:
    header = read_header(columns.encode(), File("x", (Column("a"), Column("b"), Column("password"))))
    lines = [columns.lower().replace("password", f"secret{number}") for number in range(3)]
    landed, ragged = read([("\n".join([*lines, "a,b"]) + "\n").encode()], header)
    assert landed == [(number, ["a", "b"]) for number in (2, 3, 4)]
    assert [line for line, _, _ in ragged] == [5]


def test_columns_without_a_place_to_land_are_left_out() -> None:
    landed, _ = read([b'1,secret,"c\nd"\n2,secret,c\n'], SECOND_IS_SECRET)
    assert landed == [(2, ["1", "c\nd"]), (4, ["2", "c"])]


WITH_ID = read_header(b"sourcedId,b,c", File("x", (Column("sourcedId"), Column("b"), Column("c"))))
ENDS: dict[str, tuple[bytes, tuple[bool, int | None, str]]] = {
    "with a line end": (b"1,b,c\n2,b,c\n", (True, None, "2")),
    "with blank lines": (b"1,b,c\n2,b,c\n\n,,\n  ", (True, None, "2")),
    "with the mark of a file's end": (b"1,b,c\n2,b,c\n\x1a", (True, None, "2")),
    "behind the last cell": (b"1,b,c\n2,b,c", (False, None, "2")),
    "before the last cell": (b"1,b,c\n2,b", (False, 3, "1")),
    "within the id": (b"1,b,c\n2", (False, 3, "1")),
    "in a line that is whole and wrong": (b"1,b,c\n2,b\n", (True, None, "1")),
    "behind a quoted cell": (b'1,b,c\n2,b,"c"', (False, None, "2")),
    "in a quoted cell": (b'1,b,c\n2,b,"c', (False, 3, "1")),
    "behind a line end in a quoted cell": (b'1,b,c\n2,b,"c\n', (True, 3, "1")),
    "behind two line ends in a quoted cell": (b'1,b,c\n2,b,"c\nd,e\nf', (False, 3, "1")),
    "behind a quotation mark of long ago": (b'1,b,c\n2,b,"c\n3,b,c\n4,b,c\n', (True, None, "4")),
    "in NUL bytes": (b"1,b,c\n2,b,c\n\0\0\0\0", (False, 4, "2")),
    "in half a character": (b"1,b,c\n2,b," + UNDECODABLE.encode(), (False, 3, "1")),
}
"""Files of one, two or more records that end so, and what is to be seen of that."""


@pytest.mark.parametrize("how", ENDS)
def test_how_a_file_ends_is_seen_wherever_blocks_end(how: str) -> None:
    content, end = ENDS[how]
    for size in range(1, len(content) + 1):
        assert end_of(blocks_of(content, size), WITH_ID) == end


def test_a_file_without_a_record_has_no_end() -> None:
    assert end_of([b"\n,,\n"]) is None


@pytest.mark.parametrize(("header", "line"), [(THREE, b"Ann,b,c"), (WITH_ID, b"x" * 256 + b",b,c")])
def test_law_7_what_cannot_be_an_id_is_not_kept(header: Header, line: bytes) -> None:
    assert end_of([line + b"\n"], header) == (True, None, None)


def test_law_5_a_file_that_is_cut_anywhere_but_at_a_records_end_is_torn_or_has_no_line_end() -> None:
    records = (b"1,Ann,x\n", b'2,"B\nb, ""c""",y\n', b'3,\xc3\xab,"z"\n')
    content = b"".join(records)
    ends = {len(b"".join(records[:count])) for count in range(4)}
    for at in range(len(content) + 1):
        end = end_of([b"".join(utf8_blocks(io.BytesIO(content[:at]), "utf-8"))], WITH_ID)
        assert (end is None or end[:2] == (True, None)) == (at in ends), content[:at]


def test_the_last_line_needs_no_line_end() -> None:
    assert read([b"1,2,3\n4,5,6"]) == ([(2, ["1", "2", "3"]), (3, ["4", "5", "6"])], [])


def test_nothing_below_the_header_is_no_record() -> None:
    assert read([]) == ([], [])


def test_a_line_longer_than_any_rosters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST_RECORD_BYTES", 10)
    with pytest.raises(LineTooLongError):
        read(blocks_of(b"1,2,3\n" + b"x" * 30, 4))


@pytest.mark.parametrize(
    ("good", "ragged", "gives_up"), [(0, 11, True), (11, 11, False), (10, 11, True), (0, 10, False)]
)
def test_reading_is_given_up_where_most_records_are_ragged_and_they_are_many(
    monkeypatch: pytest.MonkeyPatch, good: int, ragged: int, gives_up: bool
) -> None:
    monkeypatch.setattr(records, "RAGGED_ROWS_IN_DOUBT", 10)
    content = b"1,2,3\n" * good + b"ragged\n" * ragged
    if not gives_up:
        assert len(read([content])[1]) == ragged
        return
    with pytest.raises(RaggedFileError) as caught:
        read([content])
    assert caught.value.first_line == 2 + good


def test_one_stray_quotation_mark_does_not_make_reading_slow() -> None:
    quoted = b"".join(b'%d,"Doe, J",x\n' % number for number in range(60_000))
    content = b'a,"b,c\n' + quoted
    began = time.process_time()
    landed, ragged = read(blocks_of(content, 64 * 1024))
    assert (len(landed), [line for line, _, _ in ragged]) == (60_000, [2])
    assert time.process_time() - began < 10


def test_a_quotation_mark_that_nothing_closes_is_given_up_at_the_longest_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "LONGEST_RECORD_BYTES", 10_000)
    before = csv.field_size_limit(10_000)
    lines = b"".join(b"%d,b,c\n" % number for number in range(10_000))
    ragged: list[RaggedRow] = []
    reader = RecordReader(THREE, ragged.append)
    given: list[int] = []
    landed = 0
    for out in reader.copy_data(iter(blocks_of(b'a,b,"c\n' + lines, 1000))):
        landed += out.count(b"\n")
        given.append(landed)
    csv.field_size_limit(before)
    assert landed == 10_000
    assert [row.line for row in ragged] == [2]
    assert given[-10] > 5_000, "the file was kept in memory to its end"
