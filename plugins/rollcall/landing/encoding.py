"""Which encoding a file is in, and its content as UTF-8 with plain line ends, block by block."""

import codecs
from collections.abc import Iterator
from typing import IO, Literal

BLOCK_BYTES = 1024 * 1024
Encoding = Literal["utf-8", "utf-16", "windows-1252"]
CODECS: dict[Encoding, str] = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "windows-1252": "cp1252"}


def detect(source: IO[bytes]) -> Encoding:
    """The encoding of a file: by its byte order mark, else UTF-8 when every byte fits, else Windows-1252.

    A character that the file's end cuts in two speaks for a broken-off upload, not for another encoding.

    Args:
        source: Read to its end, or to the first byte that is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    block = source.read(BLOCK_BYTES)
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if block.startswith(codecs.BOM_UTF8):
        return "utf-8"
    try:
        while block:
            decoder.decode(block)
            block = source.read(BLOCK_BYTES)
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def utf8_blocks(source: IO[bytes], encoding: Encoding) -> Iterator[bytes]:
    """The file's content as UTF-8 without a byte order mark, every line end a line feed.

    Bytes that the encoding does not define become the replacement character.
    """
    ends_in_return = False
    for block in _as_utf8(source, encoding):
        text = b"\r" + block if ends_in_return else block
        ends_in_return = text.endswith(b"\r")
        if ends_in_return:
            text = text[:-1]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if text:
            yield text
    if ends_in_return:
        yield b"\n"


def _as_utf8(source: IO[bytes], encoding: Encoding) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(CODECS[encoding])(errors="replace")
    while block := source.read(BLOCK_BYTES):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()
