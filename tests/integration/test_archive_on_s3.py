"""The archive on S3: a real SFTP server, a real warehouse, an S3 server, and a line to it that fails."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from helpers.inbox import Server, district, everything_in, put, sftp_server
from helpers.s3 import BUCKET, CONNECTION, S3, s3_server
from s3fs import S3FileSystem

from rollcall.archive.objects import PART_BYTES
from rollcall.archive.store import Archive, ArchiveError, StoredBytes, try_archive
from rollcall.ledger import files_of
from rollcall.recovery.copies import copy_archive, put_copies_back
from rollcall.settings import working_on
from rollcall.steps import Receipt, receive
from rollcall.warehouse import connect

NIGHT = date(2026, 11, 16)
URL = f"s3://{CONNECTION}@{BUCKET}/prod"
LARGE = random.Random(5).randbytes(PART_BYTES + 123_456)
FILES = {"orgs.csv": b"sourcedId,name,type\n1,Maple,district\n", "users.csv": LARGE}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sftp_server(tmp_path_factory.mktemp("sftp"), "maple") as running:
        yield running


@pytest.fixture(scope="module")
def running_s3() -> Iterator[S3]:
    with s3_server() as running:
        yield running


@pytest.fixture
def s3(running_s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    monkeypatch.setattr(S3FileSystem, "retries", 2)  # of five, which take their time
    yield running_s3
    running_s3.line.heal()
    running_s3.empty()


@pytest.fixture
def take_in(server: Server, s3: S3, warehouse_url: str) -> Iterator[Callable[[], Receipt]]:
    with working_on(archive_url=URL):
        yield lambda: receive(district(), server.account(), service_date=NIGHT, run_id="run_1")


def contents(s3: S3) -> set[bytes]:
    """The contents in the archive, each under its own hash; all else there is small or not filed."""
    found = {key: content for key, content in s3.objects().items() if len(key.rpartition("/")[2]) == 64}
    for key, content in found.items():
        sha256 = hashlib.sha256(content).hexdigest()
        assert key == f"prod/maple/{sha256[:2]}/{sha256}"
    return set(found.values())


def keep(archive: Archive, content: bytes) -> StoredBytes:
    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1 << 20):
            yield content[start : start + (1 << 20)]

    return asyncio.run(archive.keep(blocks()))


def read(archive: Archive, path: str) -> bytes:
    return b"".join(archive.blocks(path))


def test_law_1_a_delivery_is_archived_byte_for_byte_whenever_the_line_breaks(
    take_in: Callable[[], Receipt], server: Server, s3: S3, warehouse_url: str
) -> None:
    """At the first file, between two parts of the second, and when all of it was sent and is to be filed."""
    put(server.inbox(), FILES)
    for cut_after in (1_000, PART_BYTES + 50_000, len(LARGE) + 5_000):
        s3.line.heal()
        s3.line.cut_after = cut_after
        with pytest.raises(ArchiveError, match="cannot be written") as caught:
            take_in()
        assert s3.line.is_cut
        assert "out of reach" in str(caught.value)
        assert set(everything_in(server.inbox()).values()) >= set(FILES.values()), "nothing is taken from the inbox"
        assert contents(s3) <= set(FILES.values()), "half a file is no file"
    s3.line.heal()
    receipt = take_in()
    assert (receipt.delivery.state, receipt.files) == ("received", ("orgs", "users"))
    assert everything_in(server.inbox()) == {}
    assert contents(s3) == set(FILES.values())
    with connect() as connection:
        files = files_of(connection, receipt.delivery.delivery_id)
    assert {file.sent_name: read(Archive(URL, "maple"), file.archive_path) for file in files} == FILES
    assert take_in() == receipt


def test_a_slow_store_is_waited_for_and_a_silent_one_is_told(s3: S3) -> None:
    archive = Archive(URL, "maple")
    s3.line.seconds_per_block = 0.002
    stored = keep(archive, LARGE)
    assert read(archive, stored.path) == LARGE
    s3.line.heal()
    s3.line.silent = True
    with pytest.raises(ArchiveError, match="out of reach, ReadTimeoutError"):
        archive.write_index("deliveries/x.json", "{}")


def test_a_read_that_breaks_off_is_an_error_and_read_again_it_is_whole(s3: S3) -> None:
    archive = Archive(URL, "maple")
    stored = keep(archive, LARGE)
    with archive.open(stored.path) as source:
        assert source.read(1_000) == LARGE[:1_000]
        s3.line.cut_after = 0
        with pytest.raises(OSError, match="out of reach"), archive.open(stored.path):
            pass
        with pytest.raises(OSError, match="out of reach"):
            try_archive(URL)
        s3.line.heal()
        assert source.read() == LARGE[1_000:], "the client connects again by itself"


def test_what_breaks_off_where_it_comes_from_is_no_object_and_leaves_the_earlier_one(s3: S3) -> None:
    archive = Archive(URL, "maple")

    def half() -> Iterator[bytes]:
        yield LARGE
        raise ValueError("gone")

    async def half_a_file() -> AsyncIterator[bytes]:
        for block in half():
            yield block

    archive.write_index("changes/list.csv", "whole")
    with pytest.raises(ValueError, match="gone"):
        archive.write_stream("changes/list.csv", half())
    with pytest.raises(ValueError, match="gone"):
        asyncio.run(archive.keep(half_a_file()))
    assert s3.objects() == {"prod/maple/changes/list.csv": b"whole"}
    assert s3.unfinished() == []


def test_what_another_worker_has_written_or_removed_is_seen_at_once(s3: S3) -> None:
    archive = Archive(URL, "maple")
    archive.write_index("receipts/1.html", "")
    assert archive.names_in("receipts") == ["1.html"]
    s3.put("prod/maple/receipts/2.html", b"two")
    assert archive.names_in("receipts") == ["1.html", "2.html"]
    assert (archive.read_index("receipts/2.html"), archive.read_index("receipts/3.html")) == ("two", None)
    assert archive.size_of("maple/receipts/2.html") == 3
    s3.empty()
    assert archive.names_in("receipts") == []
    archive.remove("maple/receipts/2.html")
    with pytest.raises(FileNotFoundError):
        read(archive, "maple/receipts/2.html")


def test_content_is_kept_once_and_never_in_a_bucket_that_is_not_there(s3: S3) -> None:
    archive = Archive(URL, "maple")
    assert keep(archive, b"same") == keep(archive, b"same")
    assert list(s3.objects().values()) == [b"same"]
    with pytest.raises(ArchiveError, match="cannot be written"):
        keep(Archive(f"s3://{CONNECTION}@elsewhere", "maple"), b"x")
    with pytest.raises(FileNotFoundError):
        try_archive(f"s3://{CONNECTION}@elsewhere")


def test_a_copy_of_the_archive_is_put_back_byte_for_byte(s3: S3, tmp_path: Path) -> None:
    archive, inventory, bare = Archive(URL, "maple"), tmp_path / "archive.csv", tmp_path / "bare.csv"
    for content in FILES.values():
        keep(archive, content)
    archive.write_index("deliveries/2026-11-16-1.json", "{}")
    before = s3.objects()
    with working_on(archive_url=URL):
        copy_archive(inventory, tmp_path / "archive")
        copy_archive(bare, None)
        s3.empty()
        put_copies_back(inventory, tmp_path / "archive", {})
    assert s3.objects() == before
    assert bare.read_bytes() == inventory.read_bytes(), "the list is the same without the files"
    assert len(inventory.read_text().splitlines()) == 1 + len(before)
