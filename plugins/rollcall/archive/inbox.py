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
from rollcall.arrival.listing import InboxFile, assess
from rollcall.ledger import DeliveryFile
from rollcall.sftp import READ_BLOCK_BYTES, READS_IN_FLIGHT, SftpError

CLAIMS = ".rollcall"
TRIES_UNTIL_AT_REST = 3
CANNOT_RENAME = (asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure)


class IncompleteInboxError(SftpError):
    """What the sensor saw is not there any more."""


@dataclass(frozen=True)
class TakenFile:
    """A file of the inbox that now lies in the archive.

    Attributes:
        sent_name: Its name in the inbox.
        is_overtaken: Whether a newer delivery made it pointless: it is kept, and never read.
    """

    sent_name: str
    listed: InboxFile
    stored: StoredBytes
    is_overtaken: bool = False

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
    claimed = await _listing(session, folder)
    names = {file.name for file in claimed}
    waiting = [file for file in await _listing(session, ".") if file.name not in names]
    arrival = assess([*claimed, *waiting], expected)
    if not arrival.is_complete and not claimed:
        raise IncompleteInboxError(
            "The delivery that was seen in the inbox is not there any more"
            + (f" (no {', '.join(arrival.missing)})." if arrival.missing else ".")
            + " Clear wait_for_delivery to wait for the next one."
        )
    paths = await _claim(session, folder, claimed, [*arrival.files, *arrival.overtaken])
    return [
        await _archived(session, archive, file, paths[file.name], is_overtaken=file in arrival.overtaken)
        for file in (*arrival.files, *arrival.overtaken)
        if file.name in paths
    ]


async def empty(session: asyncssh.SFTPClient, delivery_id: int, archived: Sequence[DeliveryFile]) -> None:
    """Delete from the server what the ledger knows to be archived; what changed since goes back to the inbox.

    Args:
        archived: The delivery's files as the ledger has them.
    """
    folder = f"{CLAIMS}/{delivery_id}"
    known = {(file.sent_name, file.size_bytes, file.sent_at) for file in archived}
    contents = {(file.sent_name, file.sha256) for file in archived}
    claimed = await _listing(session, folder)
    for file in claimed:
        path = f"{folder}/{file.name}"
        if (file.name, file.size, _moment(file.modified)) in known:
            await session.remove(path)
        elif not await session.exists(file.name):
            await session.rename(path, file.name)
    if await session.exists(folder) and not await _listing(session, folder):
        await session.rmdir(folder)
    # A server that cannot rename: the files still lie in the inbox, or others under their names do.
    names_claimed = {file.name for file in claimed}
    for file in await _listing(session, "."):
        looks_known = (file.name, file.size, _moment(file.modified)) in known and file.name not in names_claimed
        if looks_known and (file.name, await _sha256(session, file.name)) in contents:
            await session.remove(file.name)


async def _claim(
    session: asyncssh.SFTPClient, folder: str, claimed: list[InboxFile], files: list[InboxFile]
) -> dict[str, str]:
    """Rename files aside; where the server cannot, leave them. Where each one is, by its name."""
    paths = {file.name: f"{folder}/{file.name}" for file in claimed}
    has_folder = bool(claimed)
    for file in files:
        if file.name in paths:
            continue
        try:
            if not has_folder:
                await session.makedirs(folder, exist_ok=True)
                has_folder = True
            await session.rename(file.name, f"{folder}/{file.name}")
            paths[file.name] = f"{folder}/{file.name}"
        except CANNOT_RENAME:
            if await session.exists(file.name):
                paths[file.name] = file.name
    return paths


async def _archived(
    session: asyncssh.SFTPClient, archive: Archive, file: InboxFile, path: str, *, is_overtaken: bool
) -> TakenFile:
    """Archive one file, and read it a second time: equal hashes mean that nobody was writing meanwhile."""
    for _ in range(TRIES_UNTIL_AT_REST):
        before = await session.stat(path)
        stored = await archive.keep(_blocks(session, path))
        if await _sha256(session, path) == stored.sha256:
            listed = InboxFile(file.name, stored.size, int(before.mtime or 0))
            return TakenFile(file.name, listed, stored, is_overtaken)
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
