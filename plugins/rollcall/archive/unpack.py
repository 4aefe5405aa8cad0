"""The files of a delivery: loose ones as they are, a zip's members filed one by one."""

import asyncio
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO

from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive, Incoming, StoredBytes
from rollcall.archive.zips import BLOCK_BYTES, BROKEN, look_into, member_name, open_zip
from rollcall.arrival.listing import canonical_name
from rollcall.arrival.unusable import UnusableDeliveryError
from rollcall.districts import UploadLimits
from rollcall.findings import Finding
from rollcall.ledger import DeliveryFile
from rollcall.names import named


@dataclass(frozen=True)
class Delivered:
    """What was delivered.

    Attributes:
        files: One entry per CSV, with a zip itself as an entry of its own.
        findings: What is to be noted about the packaging.
    """

    files: tuple[DeliveryFile, ...]
    findings: tuple[Finding, ...] = ()


def delivered_files(archive: Archive, delivery_id: int, taken: Sequence[TakenFile], upload: UploadLimits) -> Delivered:
    """What was delivered, the members of a zip archived under their own hashes.

    Args:
        archive: Where the members go.
        delivery_id: The delivery.
        taken: What was taken from the inbox.
        upload: How much the district may send at once.

    Raises:
        UnusableDeliveryError: the zip is broken, encrypted, or unreasonable; or a file is there twice.
    """
    files: list[DeliveryFile] = []
    findings: list[Finding] = []
    for item in taken:
        if item.is_overtaken:
            files.append(replace(as_sent(delivery_id, item), file=f"overtaken/{item.sent_name}"))
            continue
        files.append(_entry(delivery_id, item.sent_name, item.stored, item))
        if item.listed.is_zip:
            unpacked = _unpack(archive, delivery_id, item, upload)
            files += unpacked.files
            findings += unpacked.findings
    _refuse_twins(files)
    return Delivered(tuple(files), tuple(findings))


def as_sent(delivery_id: int, item: TakenFile) -> DeliveryFile:
    """A file under the name with which it was sent, as which nothing reads it."""
    return replace(_entry(delivery_id, item.sent_name, item.stored, item), file=item.sent_name)


def _refuse_twins(files: Sequence[DeliveryFile]) -> None:
    """Two files of one name, in letters of another case: which one counts?"""
    for name in sorted({file.file for file in files}):
        sent = [file.sent_name for file in files if file.file == name]
        if len(sent) > 1:
            raise UnusableDeliveryError("file_twice", f"Found: {named(sent)}.")


def _unpack(archive: Archive, delivery_id: int, item: TakenFile, upload: UploadLimits) -> Delivered:
    """A zip's CSV members; none is filed before all of them came out whole."""
    with archive.open(item.stored.path) as source, open_zip(source) as package, ExitStack() as cleaning:
        contents = look_into(package, item.stored.size, upload)
        archive.require_room(sum(info.file_size for info in contents.members))
        _refuse_twins([_named_member(delivery_id, info, item) for info in contents.members])
        unpacked: list[tuple[zipfile.ZipInfo, Incoming]] = []
        for info in contents.members:
            incoming = _whole_member(archive, package, info)
            cleaning.callback(archive.drop, incoming)
            unpacked.append((info, incoming))
        stored = [(info, archive.file(incoming)) for info, incoming in unpacked]
        return Delivered(
            tuple(_entry(delivery_id, member_name(info), kept, item) for info, kept in stored), contents.findings
        )


def _whole_member(archive: Archive, package: zipfile.ZipFile, info: zipfile.ZipInfo) -> Incoming:
    """A member as it comes out of the zip; its directory entry, its checksum and its bytes must agree."""
    try:
        incoming = asyncio.run(archive.write(_member_blocks(package, info)))
    except BROKEN as error:
        raise UnusableDeliveryError(
            "zip_broken", f"{named([member_name(info)])} does not come out ({type(error).__name__})."
        ) from None
    if incoming.size != info.file_size:
        archive.drop(incoming)
        raise UnusableDeliveryError("zip_broken", f"{named([member_name(info)])} is not as long as the zip says.")
    return incoming


async def _member_blocks(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> AsyncIterator[bytes]:
    """A member's content; never more than its directory entry promised, which the ratio was checked on."""
    source: IO[bytes]
    with package.open(info) as source:
        while block := source.read(BLOCK_BYTES):
            yield block


def _named_member(delivery_id: int, info: zipfile.ZipInfo, item: TakenFile) -> DeliveryFile:
    """A member that is not unpacked yet."""
    return _entry(delivery_id, member_name(info), StoredBytes("", "", info.file_size), item)


def _entry(delivery_id: int, sent_name: str, stored: StoredBytes, item: TakenFile) -> DeliveryFile:
    return DeliveryFile(
        delivery_id, canonical_name(sent_name), sent_name, stored.path, stored.sha256, stored.size, item.sent_at
    )
