"""Which encoding a file is in, and its content as UTF-8 with plain line ends, block by block."""

import codecs
import re
from collections.abc import Iterator
from typing import IO, Literal

BLOCK_BYTES = 1024 * 1024
Encoding = Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]
CODECS: dict[Encoding, str] = {"windows-1252": "cp1252"}

UNDECODABLE = "\uffff"
"""What stands in the place of bytes that are no character; Unicode keeps it free for such uses."""

BETWEEN_CHARACTERS = (b"", 0)
"""The state of a decoder that waits for the rest of no character."""
LINE_END = re.compile(rb"\r\n?|\n")
STRAY = re.compile("[\udc80-\udcff]")
"""What Python makes of bytes that are not UTF-8, when it is to keep them."""


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("rollcall.undecodable", _replace)


def detect(source: IO[bytes]) -> Encoding:
    """The encoding of a file: by its byte order mark, else by its bytes.

    Zero bytes at every other place are UTF-16. Otherwise the file is UTF-8, unless it holds more bytes that are not
    UTF-8 than characters of several bytes that are: Windows-1252 text hardly ever looks like the latter, and a UTF-8
    file with some damage must not become gibberish as a whole.

    Args:
        source: Read to its end, block by block.
    """
    block = source.read(BLOCK_BYTES)
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if block.startswith(codecs.BOM_UTF8):
        return "utf-8"
    return _utf_16_without_mark(block) or _by_counting(block, source)


def utf8_blocks(source: IO[bytes], encoding: Encoding) -> Iterator[bytes]:
    """The file's content as UTF-8 without a byte order mark, every line end a line feed.

    Bytes that are no character of the encoding become `UNDECODABLE`. A lone carriage return at the end of a file whose
    first line ends with a line feed is half of a line end, and none: the file was cut there.
    """
    ends_in_return, first_line_end = False, b""
    for block in _as_utf8(source, encoding):
        text = b"\r" + block if ends_in_return else block
        first_line_end = first_line_end or _line_end(text)
        ends_in_return = text.endswith(b"\r")
        if ends_in_return:
            text = text[:-1]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if text:
            yield text
    if ends_in_return and not first_line_end.endswith(b"\n"):
        yield b"\n"


def _line_end(text: bytes) -> bytes:
    """The first line end of a text; none while it may go on behind the text."""
    found = LINE_END.search(text)
    return found.group() if found and text[found.start() :] != b"\r" else b""


def _utf_16_without_mark(block: bytes) -> Encoding | None:
    """UTF-16 whose mark is missing: the first line, which is plain English, has a zero byte at every other place."""
    sample = block[:200]
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    most = 0.9 * len(sample) / 2
    if len(sample) > 3 and second >= most and not first:
        return "utf-16-le"
    if len(sample) > 3 and first >= most and not second:
        return "utf-16-be"
    return None


def _by_counting(block: bytes, source: IO[bytes]) -> Encoding:
    """UTF-8 or Windows-1252. A character that the file's end cuts in two counts for neither."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    characters = strays = 0
    while block:
        if not (block.isascii() and decoder.getstate() == BETWEEN_CHARACTERS):
            text = decoder.decode(block)
            found = len(text) - len(STRAY.sub("", text))
            strays += found
            characters += len(text) - len(text.encode("ascii", errors="ignore")) - found
        block = source.read(BLOCK_BYTES)
    return "windows-1252" if strays > characters else "utf-8"


def _as_utf8(source: IO[bytes], encoding: Encoding) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(CODECS.get(encoding, encoding))(errors="rollcall.undecodable")
    mark = codecs.BOM_UTF8.decode()
    first = True
    while block := source.read(BLOCK_BYTES):
        if encoding == "utf-8" and block.isascii() and decoder.getstate() == BETWEEN_CHARACTERS:
            yield block
            first = False
            continue
        text = decoder.decode(block)
        if text:
            yield (text.removeprefix(mark) if first else text).encode()
            first = False
    yield decoder.decode(b"", final=True).encode()
