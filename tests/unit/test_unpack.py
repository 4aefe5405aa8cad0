"""Zips as they come: with folders, with other programs' leftovers, broken, or hostile."""

import asyncio
import io
import random
import stat
import struct
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive
from rollcall.archive.unpack import Delivered, delivered_files
from rollcall.arrival.listing import InboxFile
from rollcall.arrival.unusable import UnusableDeliveryError
from rollcall.districts import UploadLimits
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


UPLOAD = UploadLimits(file_mib=64, delivery_mib=64, unpacked_mib=64, files=50)


def delivered(archive: Archive, content: bytes) -> Delivered:
    return delivered_files(archive, 1, [taken(archive, "night.zip", content)], UPLOAD)


def unpacked(archive: Archive, content: bytes) -> dict[str, DeliveryFile]:
    return {file.file: file for file in delivered(archive, content).files}


def notes(archive: Archive, members: Mapping[str, bytes]) -> dict[str, str | None]:
    return {found.code: found.detail for found in delivered(archive, zipped(members)).findings}


@pytest.fixture
def refusal(archive: Archive, tmp_path: Path) -> Callable[[bytes], str]:
    """The code of a zip that is refused; nothing but the zip itself may be left in the archive."""

    def refuse(content: bytes, upload: UploadLimits = UPLOAD) -> str:
        item = taken(archive, "night.zip", content)
        with pytest.raises(UnusableDeliveryError) as caught:
            delivered_files(archive, 1, [item], upload)
        stored = [path.name for path in tmp_path.rglob("*") if path.is_file()]
        assert stored == [item.stored.sha256], "more than the zip was kept"
        return caught.value.finding.code

    return refuse


Refusal = Callable[..., str]


def spoilt(content: bytes, offset_of_local: int, offset_of_directory: int, form: str, value: int) -> bytes:
    """A zip of one member whose headers, both of them, say something else."""
    changed = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", offset_of_local), (b"PK\x01\x02", offset_of_directory)):
        struct.pack_into(form, changed, content.index(signature) + offset, value)
    return bytes(changed)


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


@pytest.mark.parametrize("name", ["__MACOSX/._users.csv", "__MACOSX/users.csv", "users.csv/", ".users.csv"])
def test_what_programs_leave_behind_is_passed_over_in_silence(archive: Archive, name: str) -> None:
    found = delivered(archive, zipped({name: b"", "orgs.csv": CONTENT}))
    assert [file.file for file in found.files] == ["night.zip", "orgs"]
    assert found.findings == ()


@pytest.mark.parametrize("name", ["users.txt", "roster.xlsx", "docs/notes/readme.csv"])
def test_other_members_are_left_alone_and_named(archive: Archive, name: str) -> None:
    members = {name: b"x", "orgs.csv": CONTENT}
    assert set(unpacked(archive, zipped(members))) == {"night.zip", "orgs"}
    assert notes(archive, members) == {"file_unknown": f"Left in the zip: {name}."}


def test_a_folder_around_the_files_is_said(archive: Archive) -> None:
    assert notes(archive, {"export/users.csv": CONTENT, "export/orgs.csv": b"x"}) == {"zip_in_folder": None}
    assert notes(archive, {"users.csv": CONTENT}) == {}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"../users.csv": b"x"}, "zip_path"),
        ({"..\\users.csv": b"x"}, "zip_path"),
        ({"a/../../users.csv": b"x"}, "zip_path"),
        ({"/etc/users.csv": b"x"}, "zip_path"),
        ({"C:\\users.csv": b"x"}, "zip_path"),
        ({"C:users.csv": b"x", "orgs.csv": b"x"}, "zip_path"),
        ({"orgs.csv": b"x", "../readme.txt": b"x"}, "zip_path"),
        ({"inner.zip": b"x"}, "zip_nested"),
        ({"orgs.csv": b"x", "old.ZIP": b"x"}, "zip_nested"),
        ({"orgs.csv.gz": b"x"}, "zip_nested"),
        ({"a/b/users.csv": b"x"}, "zip_too_deep"),
        ({"orgs.csv": b"x", "a/b/users.csv": b"x"}, "zip_too_deep"),
        ({"monday/orgs.csv": b"x", "tuesday/users.csv": b"x"}, "zip_folders"),
        ({"orgs.csv": b"x", "old/users.csv": b"x"}, "zip_folders"),
        ({"roster.xlsx": b"x"}, "zip_workbook"),
        ({"[Content_Types].xml": b"x", "xl/workbook.xml": b"x", "_rels/.rels": b"x"}, "zip_workbook"),
        ({"users.csv": CONTENT, "USERS.csv": b"other"}, "file_twice"),
        ({f"{number}.txt": b"" for number in range(1001)}, "zip_too_many"),
    ],
)
def test_a_zip_that_no_export_makes_is_refused(refusal: Refusal, members: dict[str, bytes], code: str) -> None:
    assert refusal(zipped(members)) == code


def test_a_link_is_refused(refusal: Refusal) -> None:
    link = zipfile.ZipInfo("users.csv")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr(link, b"/etc/passwd")
    assert refusal(out.getvalue()) == "zip_link"


def test_an_inner_zip_is_named(archive: Archive) -> None:
    with pytest.raises(UnusableDeliveryError, match=r"Zip the CSV files themselves\. Found: inner\.zip\."):
        delivered(archive, zipped({"inner.zip": b"x"}))


def test_an_encrypted_zip_is_refused(refusal: Refusal) -> None:
    assert refusal(spoilt(zipped({"users.csv": CONTENT}), 6, 8, "<H", 1)) == "zip_encrypted"


def test_a_bomb_is_refused(refusal: Refusal) -> None:
    assert refusal(zipped({"orgs.csv": CONTENT, "users.csv": bytes(8 * 1024 * 1024)})) == "zip_ratio"


def test_many_small_bombs_are_one(refusal: Refusal) -> None:
    """Each below the size from which its own ratio counts."""
    bombs = {f"{number}.csv": bytes(1024 * 1024 - 1) for number in range(20)}
    assert refusal(zipped(bombs)) == "zip_ratio"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"unpacked_mib": 3.9}, "zip_too_large"),
        ({"file_mib": 1.9}, "zip_too_large"),
        ({"files": 1}, "zip_too_many"),
        ({"unpacked_mib": 4, "file_mib": 2, "files": 2}, None),
    ],
)
def test_law_6_a_zip_of_more_than_a_district_may_send_is_refused(
    archive: Archive, refusal: Refusal, limits: dict[str, float], code: str | None
) -> None:
    members = {name: bytes(range(256)) * 4096 * 2 for name in ("users.csv", "orgs.csv")}
    package, upload = zipped(members, zipfile.ZIP_STORED), UPLOAD.model_copy(update=limits)
    if code:
        assert refusal(package, upload) == code
    else:
        assert len(delivered_files(archive, 1, [taken(archive, "night.zip", package)], upload).files) == 3


@pytest.mark.parametrize(("said", "code"), [(100, "zip_broken"), (6000, "zip_broken"), (9_000_000, "zip_ratio")])
def test_a_member_that_lies_about_its_size_is_refused(refusal: Refusal, said: int, code: str) -> None:
    assert refusal(spoilt(zipped({"users.csv": random.Random(1).randbytes(5000)}), 22, 24, "<I", said)) == code


def test_one_damaged_member_keeps_the_others_out_too(refusal: Refusal) -> None:
    content = bytearray(zipped({"orgs.csv": CONTENT, "users.csv": bytes(range(256)) * 40}))
    at = content.index(b"users.csv") + len("users.csv")
    content[at : at + 20] = b"\xff" * 20
    assert refusal(bytes(content)) == "zip_broken"


def test_a_directory_without_end_is_not_read(refusal: Refusal) -> None:
    content = bytearray(zipped({"users.csv": CONTENT}))
    struct.pack_into("<I", content, content.index(b"PK\x05\x06") + 12, 0x7FFFFFFF)
    assert refusal(bytes(content)) == "zip_too_many"


def with_long_end(content: bytes, directory_bytes: int | None = None) -> bytes:
    """A zip with the end that Zip64 wants, as streaming programs write it."""
    at = content.index(b"PK\x05\x06")
    entries, length, offset = struct.unpack_from("<HII", content, at + 10)
    length = directory_bytes if directory_bytes is not None else length
    end = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, length, offset)
    return content[:at] + end + struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1) + content[at:]


def test_a_zip_with_long_numbers_is_read(archive: Archive) -> None:
    assert set(unpacked(archive, with_long_end(zipped({"users.csv": CONTENT})))) == {"night.zip", "users"}


def test_a_long_directory_without_end_is_not_read(refusal: Refusal) -> None:
    assert refusal(with_long_end(zipped({"users.csv": CONTENT}), 1 << 40)) == "zip_too_many"


def test_loose_files_of_one_name_are_refused_too(archive: Archive) -> None:
    twins = [taken(archive, "users.csv", CONTENT), taken(archive, "Users.CSV", b"other")]
    with pytest.raises(UnusableDeliveryError, match=r"sent more than once.* Found: Users\.CSV, users\.csv"):
        delivered_files(archive, 1, twins, UPLOAD)


def test_a_truncated_zip_is_refused(refusal: Refusal) -> None:
    assert refusal(zipped({"users.csv": CONTENT * 100})[:-30]) == "zip_broken"


def test_a_zip_that_lost_bytes_in_the_middle_is_refused(refusal: Refusal) -> None:
    """Its directory then names a place before the zip's beginning."""
    content = zipped({"users.csv": CONTENT * 10})
    assert refusal(content[:40] + content[45:]) == "zip_broken"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"sourcedId,name\n1,x\n", ""),
        (b"", ""),
        (b"\x1f\x8b\x08", " It looks like a gzip file."),
        (b"<!doctype html>", " It looks like a web page or XML."),
    ],
)
def test_no_zip_at_all_is_refused(archive: Archive, content: bytes, kind: str) -> None:
    with pytest.raises(UnusableDeliveryError) as caught:
        delivered(archive, content)
    assert str(caught.value).endswith(f"Make it anew and send it again.{kind}")


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_ends_in_a_traceback(archive: Archive, data: st.DataObject) -> None:
    content = bytearray(zipped({"users.csv": CONTENT * 20, "orgs.csv": CONTENT}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(len(content) // 2, len(content)))]
    with suppress(UnusableDeliveryError):
        delivered(archive, bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_method_is_refused(refusal: Refusal, method: int) -> None:
    assert refusal(zipped({"users.csv": CONTENT}, method)) == "zip_compression"


def test_what_a_zip_has_overtaken_is_kept_and_not_read(archive: Archive) -> None:
    files = delivered_files(
        archive,
        1,
        [
            taken(archive, "new.zip", zipped({"users.csv": CONTENT})),
            taken(archive, "old.zip", b"whatever", is_overtaken=True),
            taken(archive, "users.csv", b"older", is_overtaken=True),
        ],
        UPLOAD,
    )
    assert {file.file: file.sent_name for file in files.files} == {
        "new.zip": "new.zip",
        "users": "users.csv",
        "overtaken/old.zip": "old.zip",
        "overtaken/users.csv": "users.csv",
    }
