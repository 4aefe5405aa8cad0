"""A delivery that lies in a folder or a zip of this machine, taken as if it had lain in an inbox."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import IO

from rollcall import ledger
from rollcall.archive.content import record_delivered, record_refusal
from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive, StoredBytes
from rollcall.arrival.limits import excess
from rollcall.arrival.listing import InboxFile, assess
from rollcall.arrival.unusable import UnusableDeliveryError
from rollcall.districts import District, UploadLimits
from rollcall.ledger import Delivery
from rollcall.names import LONGEST_PATH, shown
from rollcall.warehouse import connect

BLOCK_BYTES = 1024 * 1024


class NotReadableError(Exception):
    """The path cannot be read; the message says why."""


def receive_from(path: Path, archive: Archive, district: District, service_date: date, run_id: str) -> Delivery:
    """Archive what lies in a path and write it into the ledger; the path is only read.

    Args:
        path: A folder or a file.
        archive: Where to.
        district: Whose delivery it is to be.
        service_date: The night that it is to be for.
        run_id: What to call it.

    Raises:
        NotReadableError: the path cannot be read.
    """
    with connect() as connection:
        ledger.record_district(connection, district)
        delivery = ledger.open_delivery(connection, district, service_date, run_id, "inbox")
    try:
        taken = asyncio.run(_take(path, archive, district.upload))
    except UnusableDeliveryError as error:
        record_refusal(delivery, error.finding)
        return _as_recorded(delivery)
    except OSError as error:
        name = shown(str(error.filename or path), LONGEST_PATH)
        raise NotReadableError(f"{name} cannot be read: {error.strerror or error}.") from None
    record_delivered(archive, district, delivery, taken)
    return _as_recorded(delivery)


def _as_recorded(delivery: Delivery) -> Delivery:
    with connect() as connection:
        return ledger.delivery(connection, delivery.delivery_id)


async def _take(path: Path, archive: Archive, upload: UploadLimits) -> list[TakenFile]:
    """The files of the path, archived."""
    by_name = {item.name: item for item in _files(path)}
    listing = [InboxFile(item.name, item.stat().st_size, int(item.stat().st_mtime)) for item in by_name.values()]
    files = assess(listing, ()).files
    too_much = excess(files, upload)
    if too_much:
        raise UnusableDeliveryError(too_much.code, too_much.detail)
    return [TakenFile(file.name, file, await _kept(archive, by_name[file.name])) for file in files]


def _files(path: Path) -> list[Path]:
    """The files that are meant: those of a folder, or of its only folder when it holds no CSV and no zip itself."""
    if path.is_file():
        return [path]
    items = sorted(item for item in path.iterdir() if not item.name.startswith("."))
    files = [item for item in items if item.is_file()]
    folders = [item for item in items if item.is_dir()]
    if len(folders) == 1 and not any(file.suffix.lower() in (".csv", ".zip") for file in files):
        return _files(folders[0])
    return files


async def _kept(archive: Archive, path: Path) -> StoredBytes:
    with path.open("rb") as source:
        return await archive.keep(blocks_of(source))


async def blocks_of(source: IO[bytes]) -> AsyncIterator[bytes]:
    """What an open file holds, block by block."""
    while block := source.read(BLOCK_BYTES):
        yield block
