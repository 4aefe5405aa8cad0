"""More than a district may send at once: told by the listing alone, before anything is copied (law 6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from rollcall.arrival.listing import Arrival, InboxFile
from rollcall.districts import MIB, UploadLimits
from rollcall.names import shown

GIB = 1024 * MIB


@dataclass(frozen=True)
class Excess:
    """What is too much.

    Attributes:
        code: One of ``archive/codes.py``.
        detail: What was sent, and what the limit is, as a sentence.
    """

    code: str
    detail: str


def excess_of(arrival: Arrival, upload: UploadLimits) -> Excess | None:
    """What of a delivery is more than its district may send, or None.

    Args:
        arrival: The delivery; what it makes pointless would be copied with it, and counts too.
        upload: The district's limits.
    """
    return excess([*arrival.files, *arrival.overtaken], upload)


def excess(files: Sequence[InboxFile], upload: UploadLimits) -> Excess | None:
    """What of some files is more than a district may send, or None; of several excesses the most telling."""
    if len(files) > upload.files:
        found = f"Found: {len(files):,} CSV files and zips; at most {upload.files:,} are taken."
        return Excess("too_many_files", found)
    largest = max(files, key=lambda file: file.size, default=None)
    if largest is not None and largest.size > upload.file_bytes:
        return file_excess(largest.name, largest.size, upload)
    together = sum(file.size for file in files)
    if together > upload.delivery_bytes:
        found = f"Found: {told(together)} in {len(files):,} files; at most {told(upload.delivery_bytes)} are taken."
        return Excess("delivery_too_large", found)
    return None


def file_excess(name: str, size: int, upload: UploadLimits) -> Excess:
    """What to say of a file that is too large.

    Args:
        name: As it was sent.
        size: In bytes.
        upload: The district's limits.
    """
    return Excess("file_too_large", f"{shown(name)} has {told(size)}; at most {told(upload.file_bytes)} are taken.")


def told(size: int) -> str:
    """A number of bytes for people.

    >>> told(5 * 1024**3)
    '5.0 GiB'
    """
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:,} bytes"
