"""Taking a delivery out of an inbox so that an upload at the same moment survives (law 1).

Rename aside, archive, hash again; the claimed files are deleted only after the ledger knows the archive's copy. In an
inbox that is kept, files are archived where they lie, and what was read already is told by name, size and time.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import asyncssh

from rollcall.archive.store import Archive, StoredBytes
from rollcall.arrival.limits import excess_of, file_excess
from rollcall.arrival.listing import Arrival, InboxFile, assess
from rollcall.arrival.look import called_absent, list_folder
from rollcall.arrival.unusable import UnusableDeliveryError
from rollcall.districts import UploadLimits
from rollcall.ledger import DeliveryFile
from rollcall.names import is_text, shown
from rollcall.sftp import READ_BLOCK_BYTES, READS_IN_FLIGHT, SftpError, patience

CLAIMS = ".rollcall"
NO_DELIVERY = 0
"""Whose claim it is where files are taken that become no delivery."""
TRIES_UNTIL_STABLE = 3
CANNOT_RENAME = (asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure)


class _GrowsError(Exception):
    """More comes out of a file than it had when it was looked at."""


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
    session: asyncssh.SFTPClient,
    archive: Archive,
    delivery_id: int,
    expected: tuple[str, ...],
    upload: UploadLimits,
    *,
    keep: bool = False,
    read: Collection[InboxFile] = (),
    believes: Callable[[InboxFile], bool] = lambda _: False,
) -> list[TakenFile]:
    """Claim the delivery that lies in the inbox and archive it; goes on where a killed predecessor stopped.

    Args:
        session: The district's account, in its login folder.
        delivery_id: Names the claim, so that a rerun finds its own files and no one else's.
        expected: The files that a complete delivery holds.
        upload: How much the district may send at once.
        keep: Whether the files are left where they lie.
        read: Files that were taken before, and lie there still.
        believes: Whether a manifest counts before its delivery is whole: a file that it calls absent is not missing.

    Raises:
        IncompleteInboxError: files that the sensor saw have gone.
        UnusableDeliveryError: it is more than the district may send; what was claimed before is to go back.
        ArchiveError: there is no room for it; what was not claimed before is not claimed.
        SftpError: a file keeps changing while it is read.
        TimeoutError: the server fell silent.
    """
    folder = f"{CLAIMS}/{delivery_id}"
    claimed = await list_folder(session, folder)
    names = {file.name for file in claimed}
    waiting = [file for file in await list_folder(session, ".") if file.name not in names]
    paths = {file.name: file.name for file in waiting} | {file.name: f"{folder}/{file.name}" for file in claimed}
    arrival = assess([*claimed, *waiting], expected, read=read)
    too_much = excess_of(arrival, upload)
    if too_much:
        raise UnusableDeliveryError(too_much.code, too_much.detail)
    manifest = arrival.manifest
    if arrival.missing and manifest is not None and manifest not in read and believes(manifest):
        absent = await called_absent(session, paths[manifest.name])
        arrival = assess([*claimed, *waiting], expected, read=read, absent=absent)
    if not arrival.can_be_judged and not claimed:
        raise _gone(arrival)
    files = [*arrival.files, *arrival.overtaken]
    archive.require_room(sum(file.size for file in files))
    if not keep:
        paths = {file.name: paths[file.name] for file in claimed}
        paths |= await claim(session, delivery_id, [file for file in files if file.name not in names])
    return [
        await archive_file(session, archive, file, paths[file.name], upload, is_overtaken=file in arrival.overtaken)
        for file in files
        if file.name in paths
    ]


def _gone(arrival: Arrival) -> IncompleteInboxError:
    return IncompleteInboxError(
        "The delivery that was seen in the inbox is not there any more"
        + (f" (no {', '.join(arrival.missing)})." if arrival.missing else ".")
        + " Clear wait_for_delivery to wait for the next one."
    )


async def overrun(
    session: asyncssh.SFTPClient,
    archive: Archive,
    delivery_id: int,
    archived: Sequence[DeliveryFile],
    upload: UploadLimits,
) -> list[TakenFile]:
    """Archive the claimed files that were changed after they were read, and that cannot go back to the inbox.

    That is so when another file of the name has come in the meantime. The newest is a delivery's; this one is kept: one
    that is larger than the district may send stays where it lies.
    """
    known = _known(archived)
    folder = f"{CLAIMS}/{delivery_id}"
    return [
        await archive_file(session, archive, file, f"{folder}/{file.name}", upload, is_overtaken=True)
        for file in await list_folder(session, folder)
        if (file.name, file.size, _moment(file.modified)) not in known
        and is_text(file.name)  # else it is none of ours
        and file.size <= upload.file_bytes
        and await exists(session, file.name)
    ]


async def empty(
    session: asyncssh.SFTPClient, delivery_id: int, archived: Sequence[DeliveryFile], *, keep: bool = False
) -> None:
    """Delete from the server what the ledger knows to be archived; what changed since goes back to the inbox.

    Args:
        archived: The delivery's files as the ledger has them.
        keep: Whether the files that lie in the inbox itself are left there.
    """
    folder = f"{CLAIMS}/{delivery_id}"
    known = _known(archived)
    claimed = await list_folder(session, folder)
    for file in claimed:
        path = f"{folder}/{file.name}"
        if (file.name, file.size, _moment(file.modified)) in known:
            async with patience():
                await session.remove(path)
        elif not await exists(session, file.name):
            async with patience():
                await session.rename(path, file.name)
    await remove_empty(session, folder)
    if not keep:
        await _empty_in_place(session, archived, {file.name for file in claimed})


async def _empty_in_place(
    session: asyncssh.SFTPClient, archived: Sequence[DeliveryFile], names_claimed: Collection[str]
) -> None:
    """On a server that cannot rename, the files still lie in the inbox, or others under their names do."""
    known = _known(archived)
    contents = {(file.sent_name, file.sha256) for file in archived}
    for file in await list_folder(session, "."):
        looks_known = (file.name, file.size, _moment(file.modified)) in known and file.name not in names_claimed
        if looks_known and (file.name, await _sha256(session, file.name, file.size)) in contents:
            async with patience():
                await session.remove(file.name)


async def remove_empty(session: asyncssh.SFTPClient, folder: str) -> None:
    """Leave no empty folder behind: neither the claim's, nor the one of all claims."""
    async with patience():
        for path in (folder, CLAIMS):
            with suppress(asyncssh.SFTPError):  # it is not there, or holds something
                await session.rmdir(path)


def _known(archived: Sequence[DeliveryFile]) -> set[tuple[str, int, datetime | None]]:
    return {(file.sent_name, file.size_bytes, file.sent_at) for file in archived}


async def exists(session: asyncssh.SFTPClient, path: str) -> bool:
    """Whether something lies at a path."""
    async with patience():
        return bool(await session.exists(path))


async def claim(session: asyncssh.SFTPClient, delivery_id: int, files: Sequence[InboxFile]) -> dict[str, str]:
    """Rename files aside; where the server cannot, leave them.

    Args:
        session: The district's account, in its login folder.
        delivery_id: Names the claim.
        files: Which ones.

    Returns:
        Where each one is, by its name; those that have gone are left out.
    """
    folder = f"{CLAIMS}/{delivery_id}"
    paths: dict[str, str] = {}
    has_folder = False
    for file in files:
        try:
            async with patience():
                if not has_folder:
                    await session.makedirs(folder, exist_ok=True)
                    has_folder = True
                await session.rename(file.name, f"{folder}/{file.name}")
            paths[file.name] = f"{folder}/{file.name}"
        except CANNOT_RENAME:
            if await exists(session, file.name):
                paths[file.name] = file.name
    return paths


async def archive_file(
    session: asyncssh.SFTPClient,
    archive: Archive,
    file: InboxFile,
    path: str,
    upload: UploadLimits,
    *,
    is_overtaken: bool,
) -> TakenFile:
    """Archive one file, and read it a second time: equal hashes mean that nobody was writing meanwhile.

    No more is read than the file has when it is looked at: one that grows faster than it is read would never end.
    """
    for _ in range(TRIES_UNTIL_STABLE):
        async with patience():
            before = await session.stat(path)
        size = before.size or 0
        if size > upload.file_bytes:  # since it was listed
            too_much = file_excess(file.name, size, upload)
            raise UnusableDeliveryError(too_much.code, too_much.detail)
        try:
            stored = await archive.keep(_blocks(session, path, size))
        except _GrowsError:
            continue
        if await _sha256(session, path, size) == stored.sha256:
            listed = InboxFile(file.name, stored.size, int(before.mtime or 0))
            return TakenFile(file.name, listed, stored, is_overtaken)
    raise SftpError(
        f"{shown(file.name)} keeps changing while it is read: it is still being uploaded. Clear this task later."
    )


async def _sha256(session: asyncssh.SFTPClient, path: str, most_bytes: int) -> str | None:
    """A remote file's hash; None when it has more bytes than it should."""
    digest = hashlib.sha256()
    try:
        async for block in _blocks(session, path, most_bytes):
            digest.update(block)
    except _GrowsError:
        return None
    return digest.hexdigest()


async def _blocks(session: asyncssh.SFTPClient, path: str, most_bytes: int) -> AsyncIterator[bytes]:
    """A remote file's content, in order, with many reads under way at once.

    Raises:
        _GrowsError: more than ``most_bytes`` come.
    """
    left = most_bytes
    async with patience():
        source = await session.open(path, "rb", block_size=READ_BLOCK_BYTES, max_requests=READS_IN_FLIGHT)
    try:
        while True:
            async with patience():
                block = await source.read(READ_BLOCK_BYTES * READS_IN_FLIGHT)
            if not block:
                return
            left -= len(block)
            if left < 0:
                raise _GrowsError
            yield cast(bytes, block)
    finally:
        async with patience():
            await source.close()


def _moment(modified: int) -> datetime:
    return datetime.fromtimestamp(modified, UTC)
