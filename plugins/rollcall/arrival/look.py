"""Looking into an inbox: the one way to list it, whoever looks and over whichever connection."""

import asyncssh

from rollcall.arrival.listing import InboxFile
from rollcall.sftp import patience


async def list_folder(session: asyncssh.SFTPClient, folder: str = ".") -> list[InboxFile]:
    """The regular files of a folder; none when there is no such folder.

    The server is asked in bytes: one name that is not UTF-8 must not hide the others.

    Raises:
        TimeoutError: the server fell silent.
        asyncssh.SFTPError: it refuses.
    """
    try:
        async with patience():
            entries = await session.readdir(folder.encode(errors="surrogateescape"))
    except asyncssh.SFTPNoSuchFile:
        return []
    return [
        InboxFile(_text(entry.filename), entry.attrs.size or 0, int(entry.attrs.mtime or 0))
        for entry in entries
        if entry.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR
    ]


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode(errors="surrogateescape")
