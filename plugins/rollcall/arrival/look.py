"""Looking into an inbox: the one way to do it, whoever looks and over whichever connection."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

import asyncssh

from rollcall.arrival.listing import Arrival, InboxFile, assess
from rollcall.arrival.manifest import MOST_BYTES, read_manifest
from rollcall.arrival.taken_before import is_news, read_before
from rollcall.sftp import patience

MOST_ENTRIES = 50_000
"""Entries of a folder that are asked for: of a million files, too, it is known soon enough that they are too many."""


class Lookout:
    """Looks into one district's inbox again and again; what a manifest says is read once.

    A manifest that came after the last delivery's is believed: a file that it calls absent is not waited for.

    Args:
        district_id: The district; blank when nothing is known of what it sent before, and no manifest is believed.
    """

    def __init__(self, district_id: str) -> None:
        self._district_id = district_id
        self._manifest: InboxFile | None = None
        self._absent: frozenset[str] = frozenset()

    async def look(
        self,
        session: asyncssh.SFTPClient,
        expected: Sequence[str],
        *,
        path: str = ".",
        one_night_hours: float,
        keeps: bool,
    ) -> Arrival:
        """What lies in the inbox now, seen as a delivery.

        Args:
            session: The district's account.
            expected: The files that the district must send, by the standard's names.
            path: The inbox.
            one_night_hours: How far apart the files of one night may lie.
            keeps: Whether the inbox is never emptied: what was read already is no delivery.

        Raises:
            TimeoutError, OSError, asyncssh.Error: the server cannot be asked.
            WarehouseError: the ledger cannot be asked.
        """
        listing = await list_folder(session, path)
        read = await asyncio.to_thread(read_before, self._district_id, listing) if keeps else frozenset()
        arrival = assess(listing, expected, one_night_hours=one_night_hours, read=read)
        if not arrival.missing or arrival.manifest is None or not self._district_id:
            return arrival
        if arrival.manifest != self._manifest:
            is_new = await asyncio.to_thread(is_news, self._district_id, arrival.manifest)
            believed = is_new and arrival.manifest not in read
            self._absent = await called_absent(session, f"{path}/{arrival.manifest.name}") if believed else frozenset()
            self._manifest = arrival.manifest
        return assess(listing, expected, one_night_hours=one_night_hours, read=read, absent=self._absent)


async def called_absent(session: asyncssh.SFTPClient, path: str) -> frozenset[str]:
    """The files that a manifest calls absent; none when nothing in it is understood, or when it cannot be opened.

    Args:
        session: The district's account.
        path: The manifest.
    """
    try:
        async with patience(), session.open(path, "rb") as source:
            content = cast(bytes, await source.read(MOST_BYTES))
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied):
        return frozenset()
    return frozenset(name for name, mode in read_manifest(content).modes.items() if mode == "absent")


async def list_folder(session: asyncssh.SFTPClient, folder: str = ".") -> list[InboxFile]:
    """The regular files of a folder; none when there is no such folder, the first ones where it is beyond all measure.

    The server is asked in bytes: one name that is not UTF-8 must not hide the others.

    Raises:
        TimeoutError: the server fell silent.
        asyncssh.SFTPError: it refuses.
    """
    entries: list[asyncssh.SFTPName] = []
    scan = cast("AsyncGenerator[asyncssh.SFTPName]", session.scandir(folder.encode(errors="surrogateescape")))
    try:
        async with patience(), aclosing(scan) as listing:
            async for entry in listing:
                entries.append(entry)
                if len(entries) == MOST_ENTRIES:
                    break
    except asyncssh.SFTPNoSuchFile:
        return []
    return [
        InboxFile(_text(entry.filename), entry.attrs.size or 0, int(entry.attrs.mtime or 0))
        for entry in entries
        if entry.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR
    ]


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode(errors="surrogateescape")
