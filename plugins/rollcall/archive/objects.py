"""Object storage, through Airflow's path: whole objects or none, and no answer from an earlier look."""

import errno
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout, suppress
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

PART_BYTES = 8 * 1024 * 1024
"""How much is sent or fetched at once. An object has at most 10,000 parts in S3, which makes 78 GiB."""


def object_store(url: str) -> "ObjectStoragePath":
    """Where the URL of an object store leads. Standard output stays a command's own: the provider logs there.

    Args:
        url: ``s3://<Airflow connection>@<bucket>/<prefix>``; without a connection the environment says who asks.

    Raises:
        ValueError: no provider that is installed knows such URLs.
    """
    # The provider starts an event loop for its client; one may run here.
    with redirect_stdout(sys.stderr), ThreadPoolExecutor(max_workers=1) as aside:
        return aside.submit(_with_its_client, url).result()


def _with_its_client(url: str) -> "ObjectStoragePath":
    from airflow.sdk import ObjectStoragePath
    from fsspec.config import conf

    # What another process has written since a folder was last listed would not be seen.
    conf.setdefault(urlsplit(url).scheme, {})["use_listings_cache"] = False
    place = ObjectStoragePath(url)
    _ = place.fs
    return place


@contextmanager
def sending(path: "ObjectStoragePath") -> Iterator[IO[bytes]]:
    """Write an object that is there when the block has ended well, and not before.

    Of a killed process an unfinished upload is left, which is no object; a rule of the store's own removes it.

    Raises:
        OSError: the store cannot be reached, or refused.
    """
    with unreachable_is_os_error():
        sink = path.fs.open(path.path, "wb", block_size=PART_BYTES, autocommit=False)
        try:
            yield cast(IO[bytes], sink)
            sink.close()
            sink.commit()
        except BaseException:
            with suppress(OSError), unreachable_is_os_error():
                sink.discard()
            sink.closed = True  # else what is left of it is sent when it is collected
            raise


@contextmanager
def fetching(path: "ObjectStoragePath") -> Iterator[IO[bytes]]:
    """Read an object, part by part; one that is replaced meanwhile is an error, never a mixture.

    Raises:
        OSError: the store cannot be reached, or refused.
    """
    with unreachable_is_os_error(), path.fs.open(path.path, "rb", block_size=PART_BYTES) as source:
        yield cast(IO[bytes], source)


@contextmanager
def unreachable_is_os_error() -> Iterator[None]:
    """Tell as an OSError, which it is to everybody else, what S3's client raises when it does not reach the store."""
    try:
        yield
    except Exception as error:
        botocore = sys.modules.get("botocore.exceptions")
        if botocore and isinstance(error, botocore.BotoCoreError):
            raise OSError(errno.EIO, f"the store is out of reach, {type(error).__name__}") from error
        raise
