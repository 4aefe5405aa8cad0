"""The files of a delivery: loose ones as they are, a zip's members filed one by one."""

import asyncio
import zipfile
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import IO

from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive, StoredBytes
from rollcall.arrival.listing import canonical_name, is_finished
from rollcall.ledger import DeliveryFile

BLOCK_BYTES = 1024 * 1024
MOST_BYTES_OF_A_MEMBER = 16 * 1024**3
HIGHEST_RATIO = 200
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)


class UnusableDeliveryError(Exception):
    """What was delivered cannot be told apart or unpacked; the message tells the district why."""


def delivered_files(archive: Archive, delivery_id: int, taken: list[TakenFile]) -> list[DeliveryFile]:
    """What was delivered, one entry per CSV, with the zip itself as an entry of its own.

    Raises:
        UnusableDeliveryError: the zip is broken, encrypted, or unreasonable; or a file is there twice.
    """
    files: list[DeliveryFile] = []
    for item in taken:
        if item.is_overtaken:
            files.append(replace(as_sent(delivery_id, item), file=f"overtaken/{item.sent_name}"))
            continue
        files.append(_entry(delivery_id, item.sent_name, item.stored, item))
        if item.listed.is_zip:
            files.extend(_members(archive, delivery_id, item))
    _refuse_twins(files)
    return files


def as_sent(delivery_id: int, item: TakenFile) -> DeliveryFile:
    """A file under the name with which it was sent, as which nothing reads it."""
    return replace(_entry(delivery_id, item.sent_name, item.stored, item), file=item.sent_name)


def _refuse_twins(files: list[DeliveryFile]) -> None:
    """Two files of one name, in letters of another case or in two folders of a zip: which one counts?"""
    for name in sorted({file.file for file in files}):
        sent = sorted(file.sent_name for file in files if file.file == name)
        if len(sent) > 1:
            raise UnusableDeliveryError(f"{name} was sent more than once: {', '.join(sent)}. Send each file once.")


def _members(archive: Archive, delivery_id: int, item: TakenFile) -> list[DeliveryFile]:
    """A zip's CSV members, each archived under its own hash."""
    with archive.open(item.stored.path) as source:
        try:
            with zipfile.ZipFile(source) as package:
                wanted = [info for info in package.infolist() if _is_data_file(info)]
                for info in wanted:
                    _refuse_if_unreasonable(item.sent_name, info)
                return [
                    _entry(delivery_id, _name(info), asyncio.run(archive.keep(_member_blocks(package, info))), item)
                    for info in wanted
                ]
        except BROKEN as error:
            raise UnusableDeliveryError(
                f"{item.sent_name} cannot be unpacked ({type(error).__name__}). Zip the CSV files again and send it "
                "anew."
            ) from None


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name; some Windows programs write backslashes."""
    return info.filename.replace("\\", "/")


def _is_data_file(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a CSV at the zip's root or under one folder; anything else is left alone."""
    path = PurePosixPath(_name(info))
    if info.is_dir() or path.is_absolute() or ".." in path.parts or len(path.parts) > 2 or "__MACOSX" in path.parts:
        return False
    return path.suffix.lower() == ".csv" and is_finished(path.name)


def _refuse_if_unreasonable(zip_name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 0x1:
        raise UnusableDeliveryError(f"{zip_name} is encrypted. Send it without a password; SFTP protects it already.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnusableDeliveryError(f"{zip_name} is packed in a way that few programs read. Make it an ordinary zip.")
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > MOST_BYTES_OF_A_MEMBER or (info.file_size > BLOCK_BYTES and ratio > HIGHEST_RATIO):
        raise UnusableDeliveryError(
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
