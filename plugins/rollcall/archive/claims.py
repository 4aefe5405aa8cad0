"""Claims that a run left behind when it ended inside ``receive``: nothing of them is lost, and none stays for ever.

Before a delivery is taken, what belongs to it goes back to the inbox. After one was taken, what is still in a claim was
overtaken by it, and is archived beside it. Whoever does either holds the district's lock, so no claim is in use.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import asyncssh

from rollcall.archive.inbox import CANNOT_RENAME, CLAIMS, TakenFile, archive_file, exists, remove_empty
from rollcall.archive.store import Archive
from rollcall.archive.unpack import as_sent
from rollcall.arrival.listing import InboxFile, canonical_name, is_standard
from rollcall.arrival.look import list_folder
from rollcall.districts import District, UploadLimits
from rollcall.findings import Finding, add_finding
from rollcall.ledger import add_files, files_of, files_of_deliveries
from rollcall.names import is_text, named
from rollcall.sftp import patience
from rollcall.warehouse import connect

NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
"""A delivery's number, or that of none, as a folder's name."""


@dataclass(frozen=True)
class LeftFile:
    """A file in the claim of a run that is not at work.

    Attributes:
        delivery_id: Whose claim, as the folder's name says.
    """

    delivery_id: int
    file: InboxFile

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{CLAIMS}/{self.delivery_id}/{self.file.name}"


async def left_behind(session: asyncssh.SFTPClient, own: int | None = None) -> list[LeftFile]:
    """What lies in claims, those of the newest delivery first.

    A district may put there what it likes: links are not followed, and folders that are no claims are not entered.

    Args:
        session: The district's account.
        own: The delivery whose claim is in use.
    """
    return [
        LeftFile(number, file)
        for number in await _claims(session)
        if number != own
        for file in sorted(await list_folder(session, f"{CLAIMS}/{number}"))
    ]


async def _claims(session: asyncssh.SFTPClient) -> list[int]:
    """The numbers of the deliveries that have a claim, the newest first."""
    try:
        async with patience():
            is_folder = (await session.lstat(CLAIMS)).type == asyncssh.FILEXFER_TYPE_DIRECTORY
            entries = await session.readdir(CLAIMS) if is_folder else []
    except asyncssh.SFTPNoSuchFile:
        return []
    names = [str(entry.filename) for entry in entries if entry.attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY]
    return sorted((int(name) for name in names if NUMBER.fullmatch(name)), reverse=True)


async def put_back(session: asyncssh.SFTPClient, district: District, own: int | None = None) -> list[str]:
    """Take what was left behind back to the inbox, where it is a part of what lies there; drop what is archived.

    A file stays in its claim when another of its name has come, or when the inbox holds what is newer than its night.

    Args:
        session: The district's account.
        district: The district.
        own: The delivery whose claim is in use.

    Returns:
        The names of those that lie in the inbox again.
    """
    left = await left_behind(session, own)
    if not left:
        return []
    waiting = [*await list_folder(session), *(await list_folder(session, f"{CLAIMS}/{own}") if own else ())]
    known = _archived_of(district, left)
    back = []
    for item in left:
        if item in known:
            async with patience():
                await session.remove(item.path)
        elif not _is_overtaken(item.file, waiting, district.one_night_hours) and await _moved_back(session, item):
            waiting.append(item.file)
            back.append(item.file.name)
    await _remove_claims(session, left)
    return back


async def _moved_back(session: asyncssh.SFTPClient, item: LeftFile) -> bool:
    """Move a file from its claim to the inbox; one that cannot be moved stays where it is."""
    if await exists(session, item.file.name):  # a folder, or one that came this moment
        return False
    try:
        async with patience():
            await session.rename(item.path, item.file.name)
    except CANNOT_RENAME:
        return False
    return True


def _is_overtaken(file: InboxFile, waiting: Collection[InboxFile], one_night_hours: float) -> bool:
    """Whether a newer delivery is there: one of its name; for a zip any newer file, else a file of a later night."""
    if file.name in {other.name for other in waiting}:
        return True
    roster = [other.modified for other in waiting if other.is_zip or is_standard(canonical_name(other.name))]
    lead = 0 if file.is_zip else one_night_hours * 3600
    return max(roster, default=file.modified) > file.modified + lead


def _archived_of(district: District, left: Iterable[LeftFile]) -> frozenset[LeftFile]:
    """What of it the ledger knows to be archived with the delivery that claimed it."""
    with connect() as connection:
        rows = files_of_deliveries(connection, district.district_id, {item.delivery_id for item in left})
    return frozenset(LeftFile(number, InboxFile(name, size, modified)) for number, name, size, modified in rows)


async def archive_overtaken(
    session: asyncssh.SFTPClient, archive: Archive, district: District, delivery_id: int
) -> None:
    """Archive what is still in a claim beside a delivery that was taken, write it into the ledger, and delete it.

    Args:
        session: The district's account.
        archive: The district's.
        district: The district.
        delivery_id: The delivery that was taken.
    """
    left = await left_behind(session, delivery_id)
    taken = await _archived(session, archive, left, district.upload)
    if taken:
        _record(delivery_id, taken)
    for item, kept in taken:
        async with patience():
            now = await session.stat(item.path)
            if (now.size, int(now.mtime or 0)) == (kept.listed.size, kept.listed.modified):  # else: another time
                await session.remove(item.path)
    await _remove_claims(session, left)


def _record(delivery_id: int, taken: Iterable[tuple[LeftFile, TakenFile]]) -> None:
    """Write into the ledger what was archived beside a delivery."""
    files = [
        replace(sent, file=f"left_behind/{item.delivery_id}/{sent.sent_name}/{sent.sha256[:8]}")
        for item, sent in ((item, as_sent(delivery_id, kept)) for item, kept in taken)
    ]
    with connect() as connection:
        known = {file.file for file in files_of(connection, delivery_id)}  # of a run that was killed in here
        new = [file for file in files if file.file not in known]
        add_files(connection, new)
        if new:
            names = named(file.sent_name for file in new)
            add_finding(connection, delivery_id, Finding("file_left_behind", detail=f"It was {names}."))


async def _archived(
    session: asyncssh.SFTPClient, archive: Archive, left: Iterable[LeftFile], upload: UploadLimits
) -> list[tuple[LeftFile, TakenFile]]:
    """What was left behind, archived: as much as a district may send at once; the rest waits its turn."""
    taken: list[tuple[LeftFile, TakenFile]] = []
    room = upload.delivery_bytes
    for item in left:
        fits = item.file.size <= min(upload.file_bytes, room) and len(taken) < upload.files
        if fits and is_text(item.file.name):
            room -= item.file.size
            archive.require_room(item.file.size)
            taken.append((item, await archive_file(session, archive, item.file, item.path, upload, is_overtaken=True)))
    return taken


async def _remove_claims(session: asyncssh.SFTPClient, left: Iterable[LeftFile]) -> None:
    """Remove the folders of claims in which nothing lies any more."""
    for number in {item.delivery_id for item in left}:
        await remove_empty(session, f"{CLAIMS}/{number}")
