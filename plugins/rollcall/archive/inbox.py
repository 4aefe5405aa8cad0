"""Taking a delivery out of an inbox so that an upload at the same moment survives (law 1).

Rename aside, archive, hash again; the claimed files are deleted only after the ledger knows the archive's copy.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import asyncssh

from rollcall.archive.store import Archive, StoredBytes
from rollcall.arrival.listing import Arrival, InboxFile, assess
from rollcall.ledger import DeliveryFile
from rollcall.sftp import READ_BLOCK_BYTES, READS_IN_FLIGHT, SftpError

CLAIMS = ".rollcall"
TRIES_UNTIL_AT_REST = 3
CANNOT_RENAME = (asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied)


class IncompleteInboxError(SftpError):
    """What the sensor saw is not there any more."""


@dataclass(frozen=True)
class TakenFile:
    """A file of the inbox that now lies in the archive.

    Attributes:
        sent_name: Its name in the inbox.
        path_there: Where it lies on the server now: claimed, or still in the inbox when the server cannot rename.
    """

    sent_name: str
    path_there: str
    listed: InboxFile
    stored: StoredBytes

    @property
    def sent_at(self) -> datetime:
        """When the server last saw it change."""
        return _moment(self.listed.modified)


async def take(
    session: asyncssh.SFTPClient, archive: Archive, delivery_id: int, expected: tuple[str, ...]
) -> list[TakenFile]:
    """Claim the delivery that lies in the inbox and archive it; goes on where a killed predecessor stopped.

    Args:
        session: The district's account, in its login folder.
        delivery_id: Names the claim, so that a rerun finds its own files and no one else's.
        expected: The files that a complete delivery holds.

    Raises:
        IncompleteInboxError: files that the sensor saw have gone.
        SftpError: a file keeps changing while it is read.
    """
    folder = f"{CLAIMS}/{delivery_id}"
    claimed = await _claim(session, folder, expected)
    return [await _archived(session, archive, file, path) for file, path in claimed]


async def empty(session: asyncssh.SFTPClient, delivery_id: int, archived: Sequence[DeliveryFile]) -> None:
    """Delete from the server what the ledger knows to be archived; what changed since goes back to the inbox.

    Args:
        archived: The delivery's files as the ledger has them.
    """
    folder = f"{CLAIMS}/{delivery_id}"
    known = {file.sent_name: (file.size_bytes, file.sent_at) for file in archived}
    for file in await _listing(session, folder):
        path = f"{folder}/{file.name}"
        if known.get(file.name) == (file.size, _moment(file.modified)):
            await session.remove(path)
        elif not await session.exists(file.name):
            await session.rename(path, file.name)
    if await session.exists(folder):
        if not await _listing(session, folder):
            await session.rmdir(folder)
        return
    # A server that cannot rename: the files still lie in the inbox itself.
    for file in await _listing(session, "."):
        if known.get(file.name) == (file.size, _moment(file.modified)):
            await session.remove(file.name)


async def _claim(session: asyncssh.SFTPClient, folder: str, expected: tuple[str, ...]) -> list[tuple[InboxFile, str]]:
    """Rename the delivery's files aside; where the server cannot, leave them and say where they are."""
    claimed = await _listing(session, folder)
    waiting = assess(await _listing(session, "."), expected)
    if not claimed and not waiting.is_complete:
        raise IncompleteInboxError(
            "The delivery that was seen in the inbox is not there any more"
            + (f" (no {', '.join(waiting.missing)})." if waiting.missing else ".")
            + " Clear wait_for_delivery to wait for the next one."
        )
    names = {file.name for file in claimed}
    still_to_claim = [file for file in _rest_of(claimed, waiting) if file.name not in names]
    if still_to_claim:
        await session.makedirs(folder, exist_ok=True)
    try:
        for file in still_to_claim:
            await session.rename(file.name, f"{folder}/{file.name}")
    except CANNOT_RENAME:
        return [(file, f"{folder}/{file.name}") for file in claimed] + [
            (file, file.name) for file in still_to_claim if await session.exists(file.name)
        ]
    return [(file, f"{folder}/{file.name}") for file in (*claimed, *still_to_claim)]


def _rest_of(claimed: list[InboxFile], waiting: Arrival) -> tuple[InboxFile, ...]:
    """What of the inbox still belongs to a claim: all of a fresh one, the missing loose files of a broken-off one."""
    if not claimed:
        return waiting.files
    if any(file.is_zip for file in claimed):
        return ()
    return tuple(file for file in waiting.files if file.is_csv)


async def _archived(session: asyncssh.SFTPClient, archive: Archive, file: InboxFile, path: str) -> TakenFile:
    """Archive one file, and read it a second time: equal hashes mean that nobody was writing meanwhile."""
    for _ in range(TRIES_UNTIL_AT_REST):
        before = await session.stat(path)
        stored = await archive.keep(_blocks(session, path))
        if await _sha256(session, path) == stored.sha256:
            listed = InboxFile(file.name, stored.size, int(before.mtime or 0))
            return TakenFile(file.name, path, listed, stored)
    raise SftpError(f"{file.name} keeps changing while it is read: it is still being uploaded. Clear this task later.")


async def _sha256(session: asyncssh.SFTPClient, path: str) -> str:
    digest = hashlib.sha256()
    async for block in _blocks(session, path):
        digest.update(block)
    return digest.hexdigest()


async def _blocks(session: asyncssh.SFTPClient, path: str) -> AsyncIterator[bytes]:
    """A remote file's content, in order, with many reads under way at once."""
    async with session.open(path, "rb", block_size=READ_BLOCK_BYTES, max_requests=READS_IN_FLIGHT) as source:
        step = READ_BLOCK_BYTES * READS_IN_FLIGHT
        while block := await source.read(step):
            yield cast(bytes, block)


def _moment(modified: int) -> datetime:
    return datetime.fromtimestamp(modified, UTC)


async def _listing(session: asyncssh.SFTPClient, folder: str) -> list[InboxFile]:
    """The regular files of a folder; none when there is no such folder."""
    try:
        entries = await session.readdir(folder)
    except asyncssh.SFTPNoSuchFile:
        return []
    return [
        InboxFile(str(entry.filename), entry.attrs.size or 0, int(entry.attrs.mtime or 0))
        for entry in entries
        if entry.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR
    ]
