"""The files of a delivery: loose ones as they are, a zip's members filed one by one."""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import IO

from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive, StoredBytes
from rollcall.arrival.listing import canonical_name, is_finished
from rollcall.ledger import DeliveryFile

BLOCK_BYTES = 1024 * 1024
MOST_BYTES_OF_A_MEMBER = 16 * 1024**3
HIGHEST_RATIO = 200


class UnreadableZipError(Exception):
    """The zip cannot be used; the message tells the district why."""


def delivered_files(archive: Archive, delivery_id: int, taken: list[TakenFile]) -> list[DeliveryFile]:
    """What was delivered, one entry per CSV, with the zip itself as an entry of its own.

    Raises:
        UnreadableZipError: the zip is broken, encrypted, or unreasonable.
    """
    files: list[DeliveryFile] = []
    for item in taken:
        files.append(_entry(delivery_id, item.sent_name, item.stored, item))
        if item.listed.is_zip:
            files.extend(_members(archive, delivery_id, item))
    return files


def _members(archive: Archive, delivery_id: int, item: TakenFile) -> list[DeliveryFile]:
    """A zip's CSV members, each archived under its own hash."""
    members: list[DeliveryFile] = []
    with archive.open(item.stored.path) as source:
        try:
            with zipfile.ZipFile(source) as package:
                for info in package.infolist():
                    if _is_data_file(info):
                        _refuse_if_unreasonable(item.sent_name, info)
                        stored = asyncio.run(archive.keep(_member_blocks(package, info)))
                        members.append(_entry(delivery_id, info.filename, stored, item))
        except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            raise UnreadableZipError(
                f"{item.sent_name} cannot be unpacked ({type(error).__name__}). Zip the CSV files again and send it "
                "anew."
            ) from None
    names = [member.file for member in members]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableZipError(f"{item.sent_name} holds {', '.join(twice)} more than once. Send each file once.")
    return members


def _is_data_file(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a CSV at the zip's root or under one folder; anything else is left alone."""
    path = PurePosixPath(info.filename)
    if info.is_dir() or path.is_absolute() or ".." in path.parts or len(path.parts) > 2 or "__MACOSX" in path.parts:
        return False
    return path.suffix.lower() == ".csv" and is_finished(path.name)


def _refuse_if_unreasonable(zip_name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 0x1:
        raise UnreadableZipError(f"{zip_name} is encrypted. Send it without a password; SFTP protects it already.")
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > MOST_BYTES_OF_A_MEMBER or (info.file_size > BLOCK_BYTES and ratio > HIGHEST_RATIO):
        raise UnreadableZipError(
            f"{info.filename} in {zip_name} would unpack to {info.file_size:,} bytes, {ratio:,.0f} times its size: "
            "not a roster. Nothing was unpacked."
        )


async def _member_blocks(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> AsyncIterator[bytes]:
    """A member's content; never more than its directory entry promised, which the ratio was checked on."""
    source: IO[bytes]
    with package.open(info) as source:
        while block := source.read(BLOCK_BYTES):
            yield block


def _entry(delivery_id: int, sent_name: str, stored: StoredBytes, item: TakenFile) -> DeliveryFile:
    return DeliveryFile(
        delivery_id, canonical_name(sent_name), sent_name, stored.path, stored.sha256, stored.size, item.sent_at
    )
