"""A content-addressed store on Airflow's object storage: a local folder, ``s3://`` and the like."""

import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


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


def _place(root: str) -> "ObjectStoragePath":
    """Where an archive's URL leads; a local folder needs none of Airflow, whose import takes a second."""
    if root.startswith("file://"):
        return cast("ObjectStoragePath", Path(unquote(urlsplit(root).path)))
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(root)


class Archive:
    """One district's part of the archive.

    Args:
        root: The archive's URL, ``file:///…`` or ``s3://…``.
        district_id: Whose deliveries; districts share nothing, not even equal content.
    """

    def __init__(self, root: str, district_id: str) -> None:
        self._url, self._root = root, _place(root)
        self._district_id = district_id

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
        with self._refusals():
            path.parent.mkdir(parents=True, exist_ok=True)
            sink = path.open("wb")
        try:
            async for block in blocks:
                digest.update(block)
                size += len(block)
                with self._refusals():
                    sink.write(block)
        except BaseException:
            with suppress(OSError):
                sink.close()
                path.unlink()
            raise
        with self._refusals():
            sink.close()
        return Incoming(path, digest.hexdigest(), size)

    def file(self, incoming: Incoming) -> StoredBytes:
        """Put what was written in its place, unless the same content lies there already.

        Raises:
            ArchiveError: the store refused.
        """
        path = f"{self._district_id}/{incoming.sha256[:2]}/{incoming.sha256}"
        target = self._root / path
        with self._refusals():
            if target.exists():
                incoming.path.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                incoming.path.rename(target)
        return StoredBytes(path, incoming.sha256, incoming.size)

    @staticmethod
    def drop(incoming: Incoming) -> None:
        """Forget what was written, unless it was filed."""
        with suppress(OSError):
            incoming.path.unlink(missing_ok=True)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Tell what the store refuses as such: to a caller with a server at hand, any OSError is the server's."""
        try:
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
        with (self._root / path).open("rb") as source:
            yield cast(IO[bytes], source)

    def write_stream(self, name: str, blocks: Iterable[bytes]) -> str:
        """Write something made elsewhere beside the content, block by block, in place of what is there.

        Returns:
            Where, relative to the archive's root.

        Raises:
            ArchiveError: the store refused.
        """
        path = f"{self._district_id}/{name}"
        with self._refusals():
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)
            with (self._root / path).open("wb") as sink:
                for block in blocks:
                    sink.write(block)
        return path

    def write_index(self, name: str, text: str) -> None:
        """Write a small text beside the content, for a person who finds the archive without the ledger."""
        path = self._root / self._district_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read_index(self, name: str) -> str | None:
        """A text that ``write_index`` wrote; None when it did not."""
        path = self._root / self._district_id / name
        return str(path.read_text(encoding="utf-8")) if path.exists() else None
