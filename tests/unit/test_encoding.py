"""Encodings and line ends, block by block."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.landing import encoding as encodings
from rollcall.landing.encoding import detect, utf8_blocks

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


def test_bytes_that_windows_1252_does_not_define_are_replaced() -> None:
    assert normalised(b"name\nZo\xeb \x81\n") == "name\nZoë \ufffd\n"


def test_a_file_that_ends_within_a_character_is_still_utf_8() -> None:
    content = TEXT.encode()[: TEXT.encode().index("ź".encode()) + 1]
    assert detect(io.BytesIO(content)) == "utf-8"
    assert normalised(content) == "sourcedId,name\n1,Zoë\n2,Łód\ufffd"


def test_a_byte_order_mark_says_utf_8_whatever_comes_after() -> None:
    assert normalised(b"\xef\xbb\xbfname\nZo\xeb\n") == "name\nZo\ufffd\n"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_becomes_a_line_feed(line_end: str) -> None:
    assert normalised(TEXT.replace("\n", line_end).encode()) == TEXT


def test_mixed_line_ends_are_counted_one_by_one() -> None:
    assert normalised(b"a\r\nb\rc\nd\n\re\r\r\nf\r") == "a\nb\nc\nd\n\ne\n\nf\n"


@given(
    text=st.text(alphabet=st.sampled_from("aé€😀,\r\n"), max_size=40),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    block_bytes=st.integers(4, 20),
)
def test_blocks_may_end_anywhere(text: str, encoding: str, block_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "BLOCK_BYTES", block_bytes)
        assert normalised(text.encode(encoding)) == text.replace("\r\n", "\n").replace("\r", "\n")
