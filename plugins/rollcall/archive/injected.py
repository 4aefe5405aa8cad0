"""Deliveries that a person put in by hand: in the archive first, then taken as if they had lain in the inbox."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive, StoredBytes
from rollcall.arrival.limits import excess
from rollcall.arrival.listing import InboxFile, assess
from rollcall.districts import UploadLimits
from rollcall.names import LONGEST_PATH, shown
from rollcall.progress import tell
from rollcall.who import Person

BLOCK_BYTES = 1024 * 1024
FOLDER = "injected"
SOURCE = f"{FOLDER}/"
"""How the source of such a run begins; its token follows."""


class InjectError(Exception):
    """What a person wanted to put in cannot be used; the message says why."""


@dataclass(frozen=True)
class Injected:
    """What a person put in.

    Attributes:
        listing: The files, as a listing of an inbox would tell them.
        stored: Where each lies, by its name.
        by: Who put it in.
        why: Why, if they said so.
    """

    listing: tuple[InboxFile, ...]
    stored: dict[str, StoredBytes]
    by: str
    why: str

    def taken(self, expected: Sequence[str]) -> list[TakenFile]:
        """The files that make up the delivery, and those that it makes pointless.

        Args:
            expected: The files that the district must send, by the standard's names.
        """
        arrival = assess(self.listing, expected)
        return [
            TakenFile(file.name, file, self.stored[file.name], is_overtaken=file in arrival.overtaken)
            for file in (*arrival.files, *arrival.overtaken)
        ]


def keep_injected(archive: Archive, path: Path, upload: UploadLimits, *, by: Person, why: str = "") -> str:
    """Archive a folder's files or a zip, byte for byte.

    Args:
        archive: The district's.
        path: A folder or a file.
        upload: How much the district may send at once.
        by: Who puts it in.
        why: Why.

    Returns:
        The token by which ``injected`` finds them again.

    Raises:
        InjectError: there is no CSV file and no zip, a file cannot be read, or it is too much.
        ArchiveError: the archive cannot be written.
    """
    try:
        files = _archived(archive, path, upload)
    except OSError as error:
        name = shown(str(error.filename or path), LONGEST_PATH)
        raise InjectError(f"{name} cannot be read: {error.strerror or error}.") from None
    return _record(archive, files, by, why)


def record_injected(archive: Archive, taken: Sequence[TakenFile], *, by: Person, why: str) -> str:
    """Have files that are archived already count as put in.

    Args:
        archive: The district's.
        taken: The files.
        by: Who puts them in.
        why: Why.

    Returns:
        The token by which ``injected`` finds them.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    files = [{"name": file.sent_name, "modified": file.listed.modified, **asdict(file.stored)} for file in taken]
    return _record(archive, files, by, why)


def _record(archive: Archive, files: Sequence[Mapping[str, object]], by: Person, why: str) -> str:
    """Name the files beside the content, under a new token."""
    token = uuid.uuid4().hex
    index = {"by": by.name, "login": by.login, "why": why, "files": files}
    archive.write_index(_index_of(token), json.dumps(index, indent=2) + "\n")
    return token


def _archived(archive: Archive, path: Path, upload: UploadLimits) -> list[dict[str, object]]:
    """The files of a path, archived; a line of the index for each."""
    sources = [path] if path.is_file() else sorted(item for item in path.iterdir() if item.is_file())
    listing = {item.name: InboxFile(item.name, item.stat().st_size, int(item.stat().st_mtime)) for item in sources}
    if not assess(listing.values(), ()).files:
        raise InjectError(f"{shown(str(path), LONGEST_PATH)} holds no CSV file and no zip.")
    too_much = excess(list(listing.values()), upload)
    if too_much:
        raise InjectError(f"{too_much.detail} If that is honest, raise `upload` in the district's file.")
    archive.require_room(sum(file.size for file in listing.values()))
    index: list[dict[str, object]] = []
    for number, item in enumerate(sources):
        tell(f"archiving {shown(item.name)}", number, len(sources))
        stored = asyncio.run(archive.keep(_blocks(item)))
        index.append({"name": item.name, "modified": listing[item.name].modified, **asdict(stored)})
    return index


def injected(archive: Archive, token: str) -> Injected | None:
    """What was put in under a token; None when nothing was."""
    text = archive.read_index(_index_of(token)) if token.isalnum() else None
    if text is None:
        return None
    index = json.loads(text)
    files = index["files"]
    return Injected(
        listing=tuple(InboxFile(file["name"], file["size"], file["modified"]) for file in files),
        stored={file["name"]: StoredBytes(file["path"], file["sha256"], file["size"]) for file in files},
        by=Person(index["by"], index.get("login", index["by"])).signed,
        why=index["why"],
    )


def injected_tokens(archive: Archive) -> list[str]:
    """The tokens of all that was ever put in for a district."""
    return [name.removesuffix(".json") for name in archive.names_in(FOLDER)]


def paths_of(archive: Archive, token: str) -> list[str]:
    """Where the files lie that were put in under a token."""
    found = injected(archive, token)
    return [stored.path for stored in found.stored.values()] if found else []


def _index_of(token: str) -> str:
    return f"{FOLDER}/{token}.json"


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            yield block
