"""The bytes with which files of other kinds begin."""

from enum import StrEnum


class Kind(StrEnum):
    """A kind of file, as a sentence names it."""

    OLD_OFFICE = "an old Office file"
    PDF = "a PDF"
    ZIP = "a zip archive"
    EMPTY_ZIP = "an empty zip archive"
    GZIP = "a gzip file"
    SEVEN_ZIP = "a 7-Zip archive"
    RAR = "a RAR archive"
    BZIP2 = "a bzip2 file"
    XZ = "an xz file"
    ZSTD = "a zstd file"
    SQLITE = "a SQLite database"
    PG_DUMP = "a dump made by pg_dump"


SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind.OLD_OFFICE),
    (b"%PDF-", Kind.PDF),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.EMPTY_ZIP),
    (b"\x1f\x8b", Kind.GZIP),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Kind.RAR),
    (b"BZh", Kind.BZIP2),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"SQLite format 3\x00", Kind.SQLITE),
    (b"PGDMP", Kind.PG_DUMP),
)
LONGEST = max(len(signature) for signature, _ in SIGNATURES)
"""How many bytes tell the kind."""


def kind_of(head: bytes) -> Kind | None:
    """The kind of file that begins so; None when it may be text.

    Args:
        head: Its first bytes, at least `LONGEST` of them where it has so many.
    """
    return next((kind for signature, kind in SIGNATURES if head.startswith(signature)), None)
