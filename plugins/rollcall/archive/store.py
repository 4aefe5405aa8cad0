"""A content-addressed store on Airflow's object storage: a local folder, ``s3://`` and the like.

A district's part of it: ``<two characters>/<SHA-256>`` holds a file's bytes, ``deliveries/<night>-<number>.json`` names
a delivery's files with path and hash, ``injected/<token>.json`` what a person put in; beside them ``receipts/``,
``changes/``, and ``incoming/`` for what is being written. Where a person was forgotten (`rollcall.forget`), a file that
named them was written anew: it lies under the hash of its new bytes, and the indexes and the ledger name that one. So
what lies here is always under its own hash; that a file is not as it was sent, ``rollcall.rewritten_file`` tells.
"""

import asyncio
import hashlib
import shutil
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from rollcall import private
from rollcall.archive.objects import fetching, object_store, sending, unreachable_is_os_error
from rollcall.settings import settings

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


MIB = 1024 * 1024
SHARD = 2
"""So many characters of a hash name the folder that its content lies in."""


class ArchiveError(Exception):
    """The archive cannot be written; the message says where and why."""


@dataclass(frozen=True)
class StoredBytes:
    """Something that lies in the archive.

    Attributes:
        path: Where, relative to the archive's root.
        sha256: The content's SHA-256, in hexadecimal.
        size: In bytes.
    """

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Incoming:
    """Something that was written down and is not filed yet.

    Attributes:
        path: Where it waits.
        sha256: The content's SHA-256, in hexadecimal.
        size: In bytes.
    """

    path: "ObjectStoragePath"
    sha256: str
    size: int


def local_folder(root: str) -> Path | None:
    """The folder that an archive's URL names; None for an object store."""
    return Path(unquote(urlsplit(root).path)) if root.startswith("file://") else None


def _place(root: str) -> "ObjectStoragePath":
    """Where an archive's URL leads; a local folder needs none of Airflow, whose import takes a second."""
    folder = local_folder(root)
    if folder is not None:
        return cast("ObjectStoragePath", folder)
    return object_store(root)


def _on_disk(path: "ObjectStoragePath") -> Path:
    """A path of a local archive as what it is."""
    return cast(Path, path)


def close_archive(root: str) -> None:
    """Let nobody else into an archive that an earlier version left open; of an object store nothing is asked.

    Args:
        root: The archive's URL.

    Raises:
        ArchiveError: something in it belongs to somebody else.
    """
    folder = local_folder(root)
    try:
        if folder is not None:
            private.close_to_others(folder)
    except PermissionError as error:
        raise ArchiveError(
            f"{error.filename} in the archive belongs to somebody else, so it cannot be closed to others. Give it to "
            "the user that Airflow's workers run as, with chown."
        ) from None


def try_archive(root: str) -> None:
    """Write a file into an archive and remove it; one that is not there yet is not made.

    Args:
        root: The archive's URL.

    Raises:
        OSError: it takes no files.
    """
    place, folder = _place(root), local_folder(root)
    if folder is not None:
        place = cast("ObjectStoragePath", next(path for path in (folder, *folder.parents) if path.exists()))
    probe = place / f".rollcall-{uuid.uuid4().hex}"
    with unreachable_is_os_error():
        probe.write_bytes(b"")
        probe.unlink()


def archived_districts(root: str) -> list[str]:
    """The districts that an archive has anything of, in the order of their ids.

    Args:
        root: The archive's URL.
    """
    place = _place(root)
    with unreachable_is_os_error():
        return sorted(item.name for item in place.iterdir() if item.is_dir()) if place.exists() else []


class Archive:
    """One district's part of the archive.

    In a local folder, what a method returns from is on the disk, and for the folder's owner only. An object store
    keeps what it took, and knows other ways to say who may read it.

    Args:
        root: The archive's URL, ``file:///…`` or ``s3://…``.
        district_id: Whose deliveries; districts share nothing, not even equal content.
        lasting: Whether what is written has to survive a power loss.
    """

    def __init__(self, root: str, district_id: str, *, lasting: bool = True) -> None:
        self._url, self._root = root, _place(root)
        self._district_id = district_id
        self._local = local_folder(root) is not None
        self._lasting = lasting and self._local

    @classmethod
    def of(cls, district_id: str) -> "Archive":
        """A district's part of the archive that is worked on."""
        return cls(settings().archive_root, district_id)

    def require_room(self, size: int) -> None:
        """Refuse to begin with what would leave the archive's disk too full for everybody.

        Of an object store, and of an archive that is thrown away, nothing is asked.

        Args:
            size: In bytes.

        Raises:
            ArchiveError: there is no room.
        """
        if not self._lasting:
            return
        folder = _on_disk(self._root)
        free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
        stays_free = int(settings().archive_keep_free_mib * MIB)
        if free - size < stays_free:
            raise ArchiveError(
                f"The archive {self._url} has {free // MIB:,} MiB left; this delivery needs {size // MIB:,} MiB, and "
                f"{stays_free // MIB:,} MiB have to stay free (ROLLCALL_ARCHIVE_KEEP_FREE_MIB). Make room, then clear "
                "this task. Nothing was taken from the inbox."
            )

    async def keep(self, blocks: AsyncIterator[bytes]) -> StoredBytes:
        """Write a stream down and file it under its hash; content that is there already is kept once.

        Raises:
            ArchiveError: the store refused.
        """
        return self.file(await self.write(blocks))

    async def write(self, blocks: AsyncIterator[bytes]) -> Incoming:
        """Write a stream down, to be filed or dropped later.

        A stream that breaks off leaves nothing; a process killed in here leaves at most a file in ``incoming/``, which
        nobody reads.

        Raises:
            ArchiveError: the store refused.
        """
        path = self._root / self._district_id / "incoming" / uuid.uuid4().hex
        digest, size = hashlib.sha256(), 0
        with ExitStack() as opened:
            with self._refusals():
                sink = opened.enter_context(self._new_file(path))
            async for block in blocks:
                digest.update(block)
                size += len(block)
                with self._refusals():
                    sink.write(block)
            with self._refusals():
                if self._lasting:
                    await asyncio.to_thread(private.sync_file, sink)
                opened.close()
        return Incoming(path, digest.hexdigest(), size)

    def file(self, incoming: Incoming) -> StoredBytes:
        """Put what was written in its place, unless the same content lies there already.

        Raises:
            ArchiveError: the store refused.
        """
        path = f"{self._district_id}/{incoming.sha256[:SHARD]}/{incoming.sha256}"
        target = self._root / path
        with self._refusals():
            if target.exists() and target.stat().st_size == incoming.size:  # else a power loss cut it short
                incoming.path.unlink()
            else:
                self._make_folder(target.parent)
                incoming.path.rename(target)
            if self._lasting:  # whoever put it there may have been killed before it came to this
                private.sync_folder(_on_disk(target.parent))
        return StoredBytes(path, incoming.sha256, incoming.size)

    @staticmethod
    def drop(incoming: Incoming) -> None:
        """Forget what was written, unless it was filed."""
        with suppress(OSError), unreachable_is_os_error():
            incoming.path.unlink(missing_ok=True)

    @contextmanager
    def _new_file(self, path: "ObjectStoragePath") -> Iterator[IO[bytes]]:
        """A new file that is not there when the block fails; its folder is made if need be."""
        if not self._local:
            with sending(path) as sink:
                yield sink
            return
        self._make_folder(path.parent)
        sink = private.create(_on_disk(path))
        try:
            yield sink
            sink.close()
        except BaseException:
            with suppress(OSError):
                sink.close()
                path.unlink()
            raise

    def _make_folder(self, folder: "ObjectStoragePath") -> None:
        """Make a folder of the archive. One of an earlier version, whose folders everybody could enter, is closed.

        An object store has none.
        """
        if not self._local:
            return
        private.make_folder(_on_disk(folder))
        for known in (self._root, self._root / self._district_id):
            private.close_folder(_on_disk(known))

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Tell what the store refuses as such: to a caller with a server at hand, any OSError is the server's."""
        try:
            with unreachable_is_os_error():
                yield
        except OSError as error:
            raise ArchiveError(
                f"The archive {self._url} cannot be written ({type(error).__name__}: {error.strerror or 'refused'}). "
                "Nothing was taken from the inbox."
            ) from error

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Read something back.

        Args:
            path: As ``StoredBytes.path``.

        Raises:
            FileNotFoundError: nothing of that path is in the archive.
        """
        place = self._root / path
        with _on_disk(place).open("rb") if self._local else fetching(place) as source:
            yield source

    def blocks(self, path: str) -> Iterator[bytes]:
        """Something that lies there, block by block.

        Args:
            path: As ``StoredBytes.path``, or as ``write_stream`` returned it.
        """
        with self.open(path) as source:
            while block := source.read(MIB):
                yield block

    def write_stream(self, name: str, blocks: Iterable[bytes]) -> str:
        """Write something made elsewhere beside the content, block by block, in place of what is there.

        Returns:
            Where, relative to the archive's root.

        Raises:
            ArchiveError: the store refused.
        """
        path = self.path_of(name)
        target = self._root / path
        with self._refusals():
            if self._local:
                self._make_folder(target.parent)
                private.replace(_on_disk(target), blocks, lasting=self._lasting)
            else:
                with sending(target) as sink:
                    sink.writelines(blocks)
        return path

    def remove(self, path: str) -> None:
        """Remove something; done again, it does no harm.

        Args:
            path: As ``StoredBytes.path``, or as ``path_of`` gives it.

        Raises:
            ArchiveError: the store refused.
        """
        with self._refusals(), suppress(FileNotFoundError):
            (self._root / path).unlink()

    def contents(self) -> list[str]:
        """Where every file of the district's lies, relative to the archive's root."""
        folders = [name for name in self.names_in("") if len(name) == SHARD]
        return [self.path_of(f"{folder}/{name}") for folder in folders for name in self.names_in(folder)]

    def names_in(self, folder: str) -> list[str]:
        """What lies beside the content in a folder of the district's, by name."""
        place = self._root / self._district_id / folder
        return sorted(item.name for item in place.iterdir()) if place.exists() else []

    def paths(self) -> Iterator[str]:
        """Where everything of the district lies, relative to the archive's root; what is just coming in is left out."""
        place = self._root / self._district_id
        with unreachable_is_os_error():
            found = sorted(str(item) for item in place.rglob("*") if item.is_file()) if place.exists() else []
        names = (path[len(str(place)) :].lstrip("/") for path in found)
        yield from (self.path_of(name) for name in names if not name.startswith("incoming/"))

    def path_of(self, name: str) -> str:
        """Where something lies that ``write_stream`` wrote, relative to the archive's root."""
        return f"{self._district_id}/{name}"

    def size_of(self, path: str) -> int:
        """How many bytes something has that lies there."""
        return int((self._root / path).stat().st_size)

    def write_index(self, name: str, text: str) -> None:
        """Write a small text beside the content, for a person who finds the archive without the ledger."""
        self.write_stream(name, [text.encode()])

    def read_index(self, name: str) -> str | None:
        """A text that ``write_index`` wrote; None when it did not."""
        path = self._root / self._district_id / name
        return str(path.read_text(encoding="utf-8")) if path.exists() else None
