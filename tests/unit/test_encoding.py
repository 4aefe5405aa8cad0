"""Encodings and line ends, block by block."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.landing import encoding as encodings
from rollcall.landing.encoding import UNDECODABLE, detect, utf8_blocks

TEXT = "sourcedId,name\n1,Zoë\n2,Łódź\n"


def normalised(content: bytes) -> str:
    encoding = detect(io.BytesIO(content))
    return b"".join(utf8_blocks(io.BytesIO(content), encoding)).decode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_whatever_its_form(encoding: str) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    assert normalised((mark + TEXT).encode(encoding)) == TEXT


def test_windows_1252_is_what_is_not_utf_8() -> None:
    content = "name\nZoë €5 “É”\n".encode("cp1252")
    assert detect(io.BytesIO(content)) == "windows-1252"
    assert normalised(content) == "name\nZoë €5 “É”\n"


def test_bytes_that_windows_1252_does_not_define_are_marked() -> None:
    assert normalised(b"name\nZo\xeb \x81\n") == f"name\nZoë {UNDECODABLE}\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_without_its_mark(encoding: str) -> None:
    assert detect(io.BytesIO(TEXT.encode(encoding))) == encoding
    assert normalised(TEXT.encode(encoding)) == TEXT


def test_zero_bytes_here_and_there_are_not_utf_16() -> None:
    assert detect(io.BytesIO(b"sourcedId,name\n1,\0\0\0\0\n")) == "utf-8"
    assert detect(io.BytesIO(bytes(1000))) == "utf-8"


def test_a_few_bad_bytes_do_not_make_a_utf_8_file_another() -> None:
    content = "Zoë\nÉva\nŁódź\n".encode() + b"Jos\xe9\n\xff\xfe\n"
    assert detect(io.BytesIO(content)) == "utf-8"
    assert normalised(content) == f"Zoë\nÉva\nŁódź\nJos{UNDECODABLE}\n{UNDECODABLE * 2}\n"


def test_one_bad_byte_in_plain_english_is_windows_1252() -> None:
    assert normalised(b"name\nJos\xe9\n") == "name\nJosé\n"


@given(text=st.text(alphabet=st.sampled_from("aéłö€"), min_size=1, max_size=60), block_bytes=st.integers(1, 7))
def test_utf_8_is_never_taken_for_another_wherever_blocks_end(text: str, block_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "BLOCK_BYTES", block_bytes)
        assert detect(io.BytesIO(text.encode())) == "utf-8"
        assert normalised(text.encode()) == text


@given(content=st.binary(max_size=200), block_bytes=st.integers(1, 40))
def test_any_bytes_are_read_the_same_wherever_blocks_end(content: bytes, block_bytes: int) -> None:
    whole = normalised(content)
    encoding = detect(io.BytesIO(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "BLOCK_BYTES", block_bytes)
        assert b"".join(utf8_blocks(io.BytesIO(content), encoding)).decode() == whole


def test_a_file_that_ends_within_a_character_is_still_utf_8() -> None:
    content = TEXT.encode()[: TEXT.encode().index("ź".encode()) + 1]
    assert detect(io.BytesIO(content)) == "utf-8"
    assert normalised(content) == f"sourcedId,name\n1,Zoë\n2,Łód{UNDECODABLE}"


def test_a_byte_order_mark_says_utf_8_whatever_comes_after() -> None:
    assert normalised(b"\xef\xbb\xbfname\nZo\xeb\n") == f"name\nZo{UNDECODABLE}\n"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_becomes_a_line_feed(line_end: str) -> None:
    assert normalised(TEXT.replace("\n", line_end).encode()) == TEXT


def test_mixed_line_ends_are_counted_one_by_one() -> None:
    assert normalised(b"a\r\nb\rc\nd\n\re\r\r\nf\rg\n") == "a\nb\nc\nd\n\ne\n\nf\ng\n"


def test_a_carriage_return_at_the_end_of_a_file_with_line_feeds_is_half_of_a_line_end() -> None:
    assert normalised(b"a\r\nb\r") == "a\nb"
    assert normalised(b"a\rb\r") == "a\nb\n"
    assert normalised(b'a\r"b\n"\r') == 'a\n"b\n"\n'
    assert normalised(b"a\r") == "a\n"


@given(
    text=st.text(alphabet=st.sampled_from("aé€😀,\r\n"), max_size=40),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    block_bytes=st.integers(4, 20),
)
def test_blocks_may_end_anywhere(text: str, encoding: str, block_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "BLOCK_BYTES", block_bytes)
        line_ends = re.findall("\r\n?|\n", text)
        half = text.endswith("\r") and "\n" in line_ends[0]
        plain = text.replace("\r\n", "\n").replace("\r", "\n")
        assert normalised(text.encode(encoding)) == (plain.removesuffix("\n") if half else plain)
