"""Zips as they come: with folders, with other programs' leftovers, broken, or hostile."""

import asyncio
import io
import struct
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive
from rollcall.archive.unpack import UnusableDeliveryError, delivered_files
from rollcall.arrival.listing import InboxFile
from rollcall.ledger import DeliveryFile

CONTENT = b"sourcedId\n1\n"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path.as_uri(), "maple")


def taken(archive: Archive, name: str, content: bytes, *, is_overtaken: bool = False) -> TakenFile:
    async def blocks() -> AsyncIterator[bytes]:
        yield content

    stored = asyncio.run(archive.keep(blocks()))
    return TakenFile(name, InboxFile(name, len(content), 1_700_000_000), stored, is_overtaken)


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as package:
        for name, content in members.items():
            package.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def unpacked(archive: Archive, content: bytes) -> dict[str, DeliveryFile]:
    return {file.file: file for file in delivered_files(archive, 1, [taken(archive, "night.zip", content)])}


def refusal(archive: Archive, content: bytes) -> str:
    with pytest.raises(UnusableDeliveryError) as caught:
        unpacked(archive, content)
    return str(caught.value)


def test_members_are_archived_one_by_one_beside_their_zip(archive: Archive) -> None:
    whole = zipped({"users.csv": CONTENT, "orgs.csv": b"x"})
    found = unpacked(archive, whole)
    assert set(found) == {"night.zip", "users", "orgs"}
    with archive.open(found["users"].archive_path) as stored:
        assert stored.read() == CONTENT
    with archive.open(found["night.zip"].archive_path) as stored:
        assert stored.read() == whole


@pytest.mark.parametrize("name", ["export/users.csv", "USERS.CSV", "My Export\\users.csv", "./users.csv"])
def test_a_member_counts_under_one_folder_and_in_any_case(archive: Archive, name: str) -> None:
    assert set(unpacked(archive, zipped({name: CONTENT}))) == {"night.zip", "users"}


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/._users.csv",
        "__MACOSX/users.csv",
        "../users.csv",
        "..\\users.csv",
        "/users.csv",
        "a/b/users.csv",
        "users.csv/",
        ".users.csv",
        "users.txt",
        "inner.zip",
    ],
)
def test_other_members_are_left_alone(archive: Archive, tmp_path: Path, name: str) -> None:
    assert set(unpacked(archive, zipped({name: b"", "orgs.csv": CONTENT}))) == {"night.zip", "orgs"}
    assert not list(tmp_path.parent.glob("users.csv"))


def test_an_encrypted_zip_is_refused(archive: Archive) -> None:
    content = bytearray(zipped({"users.csv": CONTENT}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", content, content.index(signature) + offset, 1)
    assert "night.zip is encrypted. Send it without a password" in refusal(archive, bytes(content))


def test_a_bomb_is_refused_before_anything_is_unpacked(archive: Archive, tmp_path: Path) -> None:
    said = refusal(archive, zipped({"orgs.csv": CONTENT, "users.csv": bytes(8 * 1024 * 1024)}))
    assert "users.csv in night.zip would unpack to 8,388,608 bytes" in said
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 1, "more than the zip was archived"


def test_a_bomb_that_lies_about_its_size_is_cut_off(archive: Archive, tmp_path: Path) -> None:
    content = bytearray(zipped({"users.csv": bytes(8 * 1024 * 1024)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 100)
    assert "cannot be unpacked (BadZipFile)" in refusal(archive, bytes(content))
    assert max(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 100_000


@pytest.mark.parametrize(
    "members",
    [
        {"users.csv": CONTENT, "USERS.csv": b"other"},
        {"users.csv": CONTENT, "export/users.csv": CONTENT},
    ],
)
def test_a_file_that_is_there_twice_is_refused_by_name(archive: Archive, members: dict[str, bytes]) -> None:
    said = refusal(archive, zipped(members))
    assert said.startswith("users was sent more than once: ")
    assert all(name in said for name in members)


def test_loose_files_of_one_name_are_refused_too(archive: Archive) -> None:
    twins = [taken(archive, "users.csv", CONTENT), taken(archive, "Users.CSV", b"other")]
    with pytest.raises(UnusableDeliveryError, match=r"users was sent more than once: Users\.CSV, users\.csv"):
        delivered_files(archive, 1, twins)


def test_a_truncated_zip_is_refused(archive: Archive) -> None:
    assert "cannot be unpacked (BadZipFile)" in refusal(archive, zipped({"users.csv": CONTENT * 100})[:-30])


def test_a_damaged_member_is_refused(archive: Archive) -> None:
    content = bytearray(zipped({"users.csv": bytes(range(256)) * 40}))
    at = content.index(b"users.csv") + len("users.csv")
    content[at : at + 20] = b"\xff" * 20
    assert "cannot be unpacked" in refusal(archive, bytes(content))


def test_no_zip_at_all_is_refused(archive: Archive) -> None:
    assert "night.zip cannot be unpacked" in refusal(archive, b"sourcedId,name\n1,x\n")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_method_is_refused(archive: Archive, method: int) -> None:
    assert "Make it an ordinary zip" in refusal(archive, zipped({"users.csv": CONTENT}, method))


def test_what_a_zip_has_overtaken_is_kept_and_not_read(archive: Archive) -> None:
    files = delivered_files(
        archive,
        1,
        [
            taken(archive, "new.zip", zipped({"users.csv": CONTENT})),
            taken(archive, "old.zip", b"whatever", is_overtaken=True),
            taken(archive, "users.csv", b"older", is_overtaken=True),
        ],
    )
    assert {file.file: file.sent_name for file in files} == {
        "new.zip": "new.zip",
        "users": "users.csv",
        "overtaken/old.zip": "old.zip",
        "overtaken/users.csv": "users.csv",
    }
