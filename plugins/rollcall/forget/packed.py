"""A zip without a person: its members one by one, under their names and times as they were sent."""

import zipfile
from collections.abc import Iterator
from copy import copy
from typing import IO

from rollcall.archive.zips import BROKEN, ZIPS
from rollcall.forget.erasure import Eraser, UnsearchableError
from rollcall.signatures import LONGEST, kind_of


class _Sink:
    """Takes what a zip is written into, and hands it on block by block; it cannot be gone back in."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, block: bytes, /) -> int:
        """Take a block."""
        self._blocks.append(bytes(block))
        return len(block)

    def close(self) -> None:
        """Nothing is open here."""

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        """What came since the last time."""
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)


def without(source: IO[bytes], eraser: Eraser) -> Iterator[bytes]:
    """A file's bytes without the person, a zip's among them.

    Args:
        source: The file, at its begin; it can be gone back in.
        eraser: Who goes, and what went.

    Raises:
        UnsearchableError: nobody can tell whether it names the person.
    """
    is_zip = kind_of(source.read(LONGEST)) in ZIPS
    source.seek(0)
    if not is_zip:
        yield from eraser.without(source)
        return
    try:
        yield from _package_without(source, eraser)
    except (*BROKEN, RuntimeError):  # an encrypted member is a RuntimeError
        raise UnsearchableError from None


def _package_without(source: IO[bytes], eraser: Eraser) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(source) as sent, zipfile.ZipFile(sink, "w") as package:
        for info in sent.infolist():
            with sent.open(info) as member:
                if not info.is_dir() and kind_of(member.read(LONGEST)) is not None:
                    raise UnsearchableError
                member.seek(0)
                with package.open(_as_sent(info), "w", force_zip64=info.file_size >= zipfile.ZIP64_LIMIT) as target:
                    for block in eraser.without(member):
                        target.write(block)
                        yield sink.taken()
    yield sink.taken()


def _as_sent(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """A member's entry, but for what its bytes decide."""
    entry = copy(info)
    entry.flag_bits = entry.CRC = entry.compress_size = entry.file_size = 0
    entry.extra = b""
    if entry.compress_type != zipfile.ZIP_STORED:
        entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
