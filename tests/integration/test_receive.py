"""The step ``receive``: a real SFTP server, a real warehouse, a real archive, and a process killed at every step."""

import asyncio
import hashlib
import io
import os
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import psycopg
import pytest
from helpers.deliveries import execute, query
from helpers.inbox import Server, district, everything_in, put, sftp_server
from helpers.logged import heard_by
from helpers.threads import Thread

from rollcall import sftp as sftp_module
from rollcall.archive import inbox as inbox_module
from rollcall.archive.content import record_delivered
from rollcall.archive.inbox import IncompleteInboxError, empty, take
from rollcall.archive.injected import InjectError, keep_injected
from rollcall.archive.receive import NightServedError
from rollcall.archive.store import Archive, ArchiveError
from rollcall.arrival import look as look_module
from rollcall.arrival.listing import InboxFile
from rollcall.arrival.look import list_folder
from rollcall.codes import catalog
from rollcall.ledger import UnknownDeliveryError
from rollcall.settings import working_on
from rollcall.sftp import SftpError, SftpRefusedError
from rollcall.stack import sftp_server as server_module
from rollcall.steps import Receipt, receive
from rollcall.who import Person

NIGHT = date(2026, 11, 16)
JAILED = server_module.JailedServer
FILES = {"orgs.csv": b"sourcedId,name,type\n1,Maple,district\n", "users.csv": b"sourcedId,role\n7,student\n"}
MANIFEST = b"propertyName,value\nfile.orgs,bulk\nfile.users,delta\nfile.classes,absent\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sftp_server(tmp_path_factory.mktemp("sftp"), "maple") as running:
        yield running


@pytest.fixture
def inbox(server: Server) -> Iterator[Path]:
    yield server.inbox()
    for path in sorted(server.inbox().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture
def archive(warehouse_url: str, tmp_path: Path) -> Iterator[Path]:
    with working_on(archive_url=(tmp_path / "archive").as_uri()):
        yield tmp_path / "archive"


@pytest.fixture
def take_in(server: Server, inbox: Path, archive: Path) -> Callable[..., Receipt]:
    def run(run_id: str = "run_1", night: date = NIGHT, source: str = "inbox", **changes: Any) -> Receipt:
        return receive(district(**changes), server.account(), service_date=night, run_id=run_id, source=source)

    return run


TakeIn = Callable[..., Receipt]


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def archived(archive: Path) -> set[bytes]:
    """The contents in the archive, each under its own hash."""
    found = set()
    for path in archive.glob("maple/??/*"):
        content = path.read_bytes()
        assert path.name == hashlib.sha256(content).hexdigest()
        assert path.parent.name == path.name[:2]
        found.add(content)
    return found


def recorded(url: str, delivery_id: int, columns: str = "sent_name") -> dict[str, object]:
    """What the ledger says of a delivery's files."""
    statement = f"select file, {columns} from rollcall.delivery_file where delivery_id = %s"
    return {row[0]: row[1] if len(row) == 2 else row[1:] for row in query(url, statement, delivery_id)}


def test_loose_files_are_archived_recorded_and_taken_from_the_inbox(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    receipt = take_in()
    assert receipt.files == ("orgs", "users")
    assert receipt.delivery.state == "received"
    assert receipt.delivery.packaging == "loose"
    assert archived(archive) == set(FILES.values())
    assert everything_in(inbox) == {}
    assert recorded(warehouse_url, receipt.delivery.delivery_id, "sent_name, size_bytes, sha256") == {
        name.removesuffix(".csv"): (name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in FILES.items()
    }
    (index,) = archive.glob("maple/deliveries/*.json")
    assert index.name == f"{NIGHT}-{receipt.delivery.delivery_id}.json"


def test_a_zip_with_a_manifest_is_archived_whole_and_by_member(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str
) -> None:
    whole = zipped(FILES | {"manifest.csv": MANIFEST})
    put(inbox, {"oneroster.zip": whole})
    receipt = take_in()
    assert receipt.files == ("orgs", "users")
    assert receipt.delivery.packaging == "zip"
    assert archived(archive) == {whole, MANIFEST, *FILES.values()}
    modes = recorded(warehouse_url, receipt.delivery.delivery_id, "mode")
    assert modes == {"oneroster.zip": "bulk", "manifest": "bulk", "orgs": "bulk", "users": "delta"}
    assert everything_in(inbox) == {}


def test_files_in_a_zip_are_the_same_delivery_as_loose_ones(take_in: TakeIn, inbox: Path) -> None:
    put(inbox, FILES)
    loose = take_in("run_1").delivery
    put(inbox, {"night.zip": zipped(FILES)})
    assert take_in("run_2").delivery.content_hash == loose.content_hash


def test_receiving_again_gives_the_same_delivery_and_leaves_a_new_upload_alone(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    first = take_in()
    put(inbox, {"orgs.csv": b"of tomorrow"})
    assert take_in() == first
    assert everything_in(inbox) == {"orgs.csv": b"of tomorrow"}
    assert query(warehouse_url, "select count(*) from rollcall.delivery") == [(1,)]


def noted(url: str, receipt: Receipt) -> dict[str, dict[str, str]]:
    """The codes that the ledger has of a delivery, per file, with their severities."""
    found: dict[str, dict[str, str]] = {}
    statement = "select file, code, severity from rollcall.check_result where delivery_id = %s and rows_failed > 0"
    for file, code, severity in query(url, statement, receipt.delivery.delivery_id):
        found.setdefault(file, {})[code] = severity
    return found


NO_MANIFEST = {"manifest": {"manifest_missing": "info"}}


def test_missing_files_of_a_zip_are_recorded(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    put(inbox, {"night.zip": zipped({"orgs.csv": FILES["orgs.csv"]})})
    receipt = take_in(files=("orgs", "users", "classes"))
    assert receipt.files == ("orgs",)
    missing = {"file_missing": "critical"}
    assert noted(warehouse_url, receipt) == NO_MANIFEST | {"classes": missing, "users": missing}


def test_a_file_that_the_manifest_calls_absent_is_no_failure(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    put(inbox, {"night.zip": zipped(FILES | {"manifest.csv": MANIFEST})})
    found = noted(warehouse_url, take_in(files=("orgs", "users", "classes")))
    assert found == {
        "classes": {"file_missing": "info"},
        "manifest": {"manifest_property_missing": "warning"},
    }


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not a zip", "zip_broken"),
        (zipped({"../orgs.csv": b"x"}), "zip_path"),
        (zipped({"inner.zip": b"x"}), "zip_nested"),
        (zipped({"readme.txt": b"x"}), "no_roster_files"),
        (zipped({"School.csv": b"x", "Student.csv": b"x", "Section.csv": b"x"}), "format_sds_v1"),
        (zipped({"schools.csv": b"x", "students.csv": b"x", "enrollments.csv": b"x"}), "format_clever"),
        (zipped({"users.csv": b"x", "USERS.csv": b"y"}), "file_twice"),
    ],
)
def test_a_zip_that_cannot_be_used_is_kept_rejected_and_taken_from_the_inbox(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str, content: bytes, code: str
) -> None:
    put(inbox, {"night.zip": content})
    receipt = take_in()
    assert (receipt.delivery.state, receipt.files) == ("rejected", ())
    assert noted(warehouse_url, receipt)["delivery"][code] == "critical"
    assert str(receipt.delivery.state_reason).startswith(catalog()[code].message)
    assert content in archived(archive)
    assert everything_in(inbox) == {}


def test_loose_twins_are_rejected_and_not_stuck(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str
) -> None:
    put(inbox, FILES | {"USERS.CSV": b"other"})
    receipt = take_in()
    assert (receipt.delivery.state, receipt.files) == ("rejected", ())
    assert noted(warehouse_url, receipt) == {"delivery": {"file_twice": "critical"}}
    assert archived(archive) == {*FILES.values(), b"other"}
    assert everything_in(inbox) == {}


def test_what_lies_beside_the_roster_is_said_and_changes_nothing(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    plain = take_in("run_1").delivery
    put(inbox, {"Orgs.csv": FILES["orgs.csv"], "USERS.CSV": FILES["users.csv"]})
    put(inbox, {"results.csv": b"", "students.csv": b"", "readme.txt": b"x"})
    receipt = take_in("run_2")
    assert noted(warehouse_url, receipt) == NO_MANIFEST | {
        "delivery": {"file_not_used": "info", "file_unknown": "info"},
        "orgs": {"file_name_case": "warning"},
        "users": {"file_name_case": "warning"},
    }
    assert receipt.delivery.content_hash == plain.content_hash
    details = "select detail from rollcall.check_result where delivery_id = %s and file = 'delivery' order by code"
    assert query(warehouse_url, details, receipt.delivery.delivery_id) == [
        ("Found: results.csv.",),
        ("Left in the inbox: readme.txt. Found: students.csv.",),
    ]
    assert everything_in(inbox) == {"readme.txt": b"x"}


ALL_ABSENT = b"propertyName,value\nmanifest.version,1.0\nfile.orgs,absent\nfile.users,absent\n"


def test_a_manifest_alone_says_that_nothing_changed(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    put(inbox, FILES)
    first = take_in("run_1").delivery
    publish(warehouse_url, first.delivery_id)
    put(inbox, {"night.zip": zipped({"manifest.csv": ALL_ABSENT})})
    receipt = take_in("run_2", NIGHT + timedelta(days=1))
    assert (receipt.delivery.state, receipt.files) == ("unchanged", ())
    assert noted(warehouse_url, receipt)["delivery"] == {"no_changes": "info"}
    assert query(warehouse_url, "select delivery_id, effective_date from rollcall.publication") == [
        (first.delivery_id, NIGHT + timedelta(days=1))
    ]


def test_a_manifest_alone_as_the_first_delivery_is_rejected(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    put(inbox, {"night.zip": zipped({"manifest.csv": ALL_ABSENT})})
    receipt = take_in()
    assert (receipt.delivery.state, receipt.files) == ("rejected", ())
    assert noted(warehouse_url, receipt)["delivery"]["no_changes_to_nothing"] == "critical"


def test_a_manifest_that_announces_files_which_are_not_there_is_no_quiet_night(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    publish(warehouse_url, take_in("run_1").delivery.delivery_id)
    put(inbox, {"night.zip": zipped({"manifest.csv": MANIFEST})})
    receipt = take_in("run_2")
    assert receipt.delivery.state == "rejected"
    assert noted(warehouse_url, receipt)["delivery"] == {"no_roster_files": "critical"}


def test_older_zips_are_archived_with_the_newest_and_do_not_come_back(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str
) -> None:
    old = zipped({"orgs.csv": b"of old", "users.csv": b"of old"})
    put(inbox, {"friday.zip": old, "monday.zip": zipped(FILES)})
    os.utime(inbox / "friday.zip", (1_700_000_000, 1_700_000_000))
    receipt = take_in()
    assert old in archived(archive)
    assert everything_in(inbox) == {}
    assert set(recorded(warehouse_url, receipt.delivery.delivery_id)) == {
        "monday.zip",
        "orgs",
        "users",
        "overtaken/friday.zip",
    }


def test_law_1_a_file_put_under_the_same_name_after_the_claim_survives(
    server: Server, inbox: Path, archive: Path, take_in: TakeIn
) -> None:
    put(inbox, FILES)
    real = Archive.keep

    async def keep(self: Archive, blocks: object) -> object:
        put(inbox, {"users.csv": b"the next upload"})
        return await real(self, blocks)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archive, "keep", keep)
        take_in()
    assert archived(archive) == set(FILES.values())
    assert everything_in(inbox) == {"users.csv": b"the next upload"}


def test_law_1_what_is_written_into_a_claimed_file_goes_back_to_the_inbox(
    inbox: Path, archive: Path, take_in: TakeIn
) -> None:
    put(inbox, FILES)
    with (inbox / "users.csv").open("ab") as late_writer, pytest.MonkeyPatch.context() as patch:
        from rollcall.archive import receive as module

        def record(*arguments: Any) -> object:
            result = record_delivered(*arguments)
            late_writer.write(b"8,student\n")
            late_writer.flush()
            return result

        patch.setattr(module, "record_delivered", record)
        take_in()
    assert FILES["users.csv"] in archived(archive)
    assert everything_in(inbox) == {"users.csv": FILES["users.csv"] + b"8,student\n"}


def test_law_1_a_claimed_file_that_changed_is_kept_even_when_another_of_its_name_has_come(
    inbox: Path, archive: Path, take_in: TakeIn, warehouse_url: str
) -> None:
    put(inbox, FILES)
    with (inbox / "users.csv").open("ab") as late_writer, pytest.MonkeyPatch.context() as patch:
        from rollcall.archive import receive as module

        def record(*arguments: Any) -> object:
            result = record_delivered(*arguments)
            late_writer.write(b"8,student\n")
            late_writer.flush()
            put(inbox, {"users.csv": b"the next upload"})
            return result

        patch.setattr(module, "record_delivered", record)
        receipt = take_in()
    assert receipt.files == ("orgs", "users")
    assert everything_in(inbox) == {"users.csv": b"the next upload"}
    changed = FILES["users.csv"] + b"8,student\n"
    assert {changed, FILES["users.csv"]} <= archived(archive)
    assert noted(warehouse_url, receipt)["delivery"] == {"file_replaced": "info"}
    kept = f"replaced/users.csv/{hashlib.sha256(changed).hexdigest()[:8]}"
    assert kept in recorded(warehouse_url, receipt.delivery.delivery_id)
    assert take_in() == receipt, "and the next look finds nothing more to do"


def test_law_7_the_archive_is_its_owners_alone_whatever_the_umask(take_in: TakeIn, inbox: Path, archive: Path) -> None:
    before = os.umask(0)
    try:
        put(inbox, {"night.zip": zipped(FILES | {"manifest.csv": MANIFEST})})
        take_in()
    finally:
        os.umask(before)
    found = {path: path.stat().st_mode for path in (archive, *archive.rglob("*"))}
    assert len(found) > len(FILES)
    assert {path: oct(mode) for path, mode in found.items() if mode & 0o077} == {}


class Removals(JAILED):
    """Says when a file is taken from the inbox."""

    said: ClassVar[list[str]] = []

    def remove(self, path: bytes) -> None:
        self.said.append("remove")
        super().remove(path)


def test_law_1_what_is_taken_from_the_inbox_is_on_the_disk_before(
    take_in: TakeIn, inbox: Path, archive: Path, serve_as: Callable[[type], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content, the folders that name it, and the index: a power loss right after takes none of them."""
    serve_as(Removals)
    said = Removals.said = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        said.append(f"{os.fstat(descriptor).st_ino}")

    monkeypatch.setattr(os, "fsync", fsync)
    put(inbox, {"night.zip": zipped(FILES)})
    take_in()
    synced = set(said[: said.index("remove")])
    folders = [path for path in (archive, *archive.rglob("*")) if path.is_dir() and any(path.iterdir())]
    files = [path for path in archive.rglob("*") if path.is_file()]
    assert len(files) == len(FILES) + 2, "the zip, its members, the index"
    assert {
        str(path.relative_to(archive)) for path in (*folders, *files) if str(path.stat().st_ino) not in synced
    } == set()


def test_law_1_content_that_a_power_loss_cut_short_is_written_again(
    take_in: TakeIn, inbox: Path, archive: Path
) -> None:
    put(inbox, FILES)
    take_in("run_1")
    for path in archive.glob("maple/??/*"):
        path.write_bytes(b"")
    put(inbox, FILES)
    take_in("run_2")
    assert archived(archive) == set(FILES.values())


def test_no_empty_folder_is_left_in_the_inbox(take_in: TakeIn, inbox: Path) -> None:
    put(inbox, FILES)
    take_in()
    assert list(inbox.iterdir()) == []


def test_law_1_a_file_that_grows_while_it_is_archived_is_archived_as_it_ended(
    inbox: Path, archive: Path, take_in: TakeIn
) -> None:
    put(inbox, FILES)
    real, calls = Archive.keep, []

    async def keep(self: Archive, blocks: object) -> object:
        stored = await real(self, blocks)  # type: ignore[arg-type]
        calls.append(stored)
        if len(calls) == 1:
            (claimed,) = inbox.glob(".rollcall/*/orgs.csv")
            claimed.write_bytes(b"as it ended")
        return stored

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archive, "keep", keep)
        take_in()
    assert b"as it ended" in archived(archive)
    assert everything_in(inbox) == {}


HOSTILE = (
    b"caf\xe9.csv",
    b"\xff\xfe.zip",
    b"a\n2026-11-24 INFO all is well.txt",
    b"\x1b[31m\xe2\x80\xae.txt",
    b"x" * 255,
)


@pytest.mark.parametrize("inbox_is", ["remove", "keep"])
def test_law_1_a_name_that_is_not_utf_8_is_left_and_told_and_the_rest_is_taken(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str, inbox_is: str
) -> None:
    for name in HOSTILE:
        (inbox / os.fsdecode(name)).write_bytes(b"x")
    forging = "students\n2026-11-24 INFO all is well\u202e.csv"
    put(inbox, FILES | {forging: b"y"})
    receipt = take_in(inbox=inbox_is)
    assert receipt.files == ("orgs", "users")
    assert archived(archive) == {*FILES.values(), b"y"}
    left = {os.fsencode(path.name) for path in inbox.iterdir()}
    assert left == set(HOSTILE) | ({os.fsencode(name) for name in (*FILES, forging)} if inbox_is == "keep" else set())
    statement = "select code, severity, detail from rollcall.check_result where delivery_id = %s and file = 'delivery'"
    told = {
        code: (severity, detail)
        for code, severity, detail in query(warehouse_url, statement, receipt.delivery.delivery_id)
    }
    assert told == {
        "file_name_unreadable": ("warning", r"Left in the inbox: caf\xe9.csv, \xff\xfe.zip."),
        "file_unknown": (
            "info",
            r"Left in the inbox: \x1b[31m\u202e.txt, a\n2026-11-24 INFO all is well.txt, " + "x" * 99 + "…. "
            r"Found: students\n2026-11-24 INFO all is well\u202e.csv.",
        ),
    }


@pytest.mark.parametrize(("hours_ago", "told"), [(1, True), (30, False)])
def test_that_the_inbox_was_closed_to_rollcall_is_told_with_the_next_delivery(
    take_in: TakeIn, server: Server, inbox: Path, warehouse_url: str, hours_ago: int, told: bool
) -> None:
    mark = inbox.parent / ".put_right"
    mark.touch()
    moment = datetime.now(UTC) - timedelta(hours=hours_ago)
    os.utime(mark, (moment.timestamp(), moment.timestamp()))
    put(inbox, FILES)
    receipt = take_in()
    mark.unlink()
    statement = "select detail from rollcall.check_result where delivery_id = %s and code = 'inbox_closed'"
    found = query(warehouse_url, statement, receipt.delivery.delivery_id)
    assert found == ([(f"Put right on {moment:%Y-%m-%d} at {moment:%H:%M} UTC.",)] if told else [])


def test_a_name_that_forges_lines_does_not_reach_the_log(server: Server, inbox: Path, archive: Path) -> None:
    put(inbox, FILES | {"students\n2026-11-24 INFO all is well\x1b[31m.csv": b"y"})
    lines: list[str] = []
    with heard_by(lines.append):
        receive(district(), server.account(), service_date=NIGHT, run_id="run_1")
    assert all(line.isprintable() for line in lines)
    assert any(r"students\n2026-11-24 INFO all is well\x1b[31m.csv" in line for line in lines)


GIB = 1024**3


def sizes(folder: Path) -> dict[str, int]:
    """Every file below a folder with its size; what is sparse is not read."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def too_large(inbox: Path) -> None:
    os.truncate(inbox / "users.csv", 5 * GIB)  # of which the disk knows nothing


def too_large_together(inbox: Path) -> None:
    put(inbox, {f"{number}.csv": b"" for number in range(3)})
    for number in range(3):
        os.truncate(inbox / f"{number}.csv", GIB)


def too_many(inbox: Path) -> None:
    put(inbox, {f"report {number}.csv": b"x" for number in range(400)})


TOO_MUCH = [
    (too_large, "file_too_large", "users.csv has 5.0 GiB; at most 1.0 GiB are taken."),
    (too_large_together, "delivery_too_large", "Found: 3.0 GiB in 5 files; at most 2.0 GiB are taken."),
    (too_many, "too_many_files", "Found: 402 CSV files and zips; at most 300 are taken."),
]


@pytest.mark.parametrize("keep", ["remove", "keep"])
@pytest.mark.parametrize(("spoil", "code", "detail"), TOO_MUCH)
def test_law_6_more_than_a_district_may_send_is_refused_unread_and_law_1_stays_where_it_is(
    take_in: TakeIn,
    inbox: Path,
    archive: Path,
    warehouse_url: str,
    spoil: Callable[[Path], None],
    code: str,
    detail: str,
    keep: str,
) -> None:
    put(inbox, FILES)
    spoil(inbox)
    before = sizes(inbox)
    receipt = take_in(inbox=keep)
    assert (receipt.delivery.state, receipt.files) == ("rejected", ())
    assert receipt.delivery.state_reason == f"{catalog()[code].message} {detail}"
    assert noted(warehouse_url, receipt) == {"delivery": {code: "critical"}}
    assert sizes(inbox) == before, "not even the claim's folder is left"
    assert not (inbox / ".rollcall").exists()
    assert recorded(warehouse_url, receipt.delivery.delivery_id) == {}
    assert not archive.exists() or sizes(archive) == {}


def test_law_6_a_listing_ends_where_it_is_known_to_be_too_much(
    take_in: TakeIn, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, FILES)
    too_many(inbox)
    monkeypatch.setattr(look_module, "MOST_ENTRIES", 350)  # the folder itself and the one above it among them
    assert "Found: 348 CSV files and zips" in str(take_in().delivery.state_reason)


def test_law_1_what_was_too_much_is_judged_anew_each_time(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    """By the next night, and by the same run once it is cleared: nothing of it is known but that it was too much."""
    put(inbox, FILES)
    too_large(inbox)
    first = take_in("run_1").delivery
    second = take_in("run_2", NIGHT + timedelta(days=1))
    assert second.delivery.state == "rejected"
    assert set(noted(warehouse_url, second)["delivery"]) == {"file_too_large"}
    put(inbox, FILES)
    again = take_in("run_1")
    assert (again.delivery.delivery_id, again.delivery.state) == (first.delivery_id, "received")
    assert again.files == ("orgs", "users")
    assert noted(warehouse_url, again) == NO_MANIFEST
    assert everything_in(inbox) == {}


def test_law_1_what_was_claimed_before_it_turned_out_to_be_too_much_goes_back(
    take_in: TakeIn, inbox: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing said less than what lies there when it is read."""
    put(inbox, FILES)

    async def of_yesterday(session: asyncssh.SFTPClient, folder: str = ".") -> list[InboxFile]:
        return [InboxFile(file.name, 10, file.modified) for file in await list_folder(session, folder)]

    too_large(inbox)
    with monkeypatch.context() as patch:
        patch.setattr(inbox_module, "list_folder", of_yesterday)
        receipt = take_in()
    assert receipt.delivery.state == "rejected"
    assert sizes(inbox) == {"orgs.csv": len(FILES["orgs.csv"]), "users.csv": 5 * GIB}
    assert not (inbox / ".rollcall").exists()
    assert archived(archive) <= {FILES["orgs.csv"]}


def test_law_6_no_more_is_read_than_the_server_said(
    inbox: Path, archive: Path, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that grows faster than it is read, or a server that lies about it, does not fill the archive."""
    put(inbox, FILES | {"users.csv": b"x" * 100})
    real = asyncssh.SFTPClient.stat

    async def less(session: asyncssh.SFTPClient, path: str, *given: object) -> asyncssh.SFTPAttrs:
        attributes = await real(session, path, *given)
        attributes.size = (attributes.size or 0) - 1
        return attributes

    monkeypatch.setattr(asyncssh.SFTPClient, "stat", less)
    with pytest.raises(SftpError, match=r"orgs\.csv keeps changing while it is read"):
        take_in()
    assert sizes(archive) == {}


def test_law_1_without_room_in_the_archive_nothing_is_touched(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    too_little = r"MiB left; this delivery needs 0 MiB, and 1,000,000,000 MiB have to stay"
    with working_on(archive_keep_free_mib=10**9), pytest.raises(ArchiveError, match=too_little):
        take_in()
    assert everything_in(inbox) == FILES
    assert query(warehouse_url, "select state from rollcall.delivery") == [("receiving",)]
    assert take_in().delivery.state == "received"


def test_what_a_person_puts_in_is_not_more_than_a_district_may_send(tmp_path: Path, archive: Path) -> None:
    put(tmp_path, FILES)
    too_large(tmp_path)
    store = Archive.of("maple")
    with pytest.raises(InjectError, match=r"users\.csv has 5\.0 GiB; at most 1\.0 GiB are taken\. If that is honest"):
        keep_injected(store, tmp_path, district().upload, by=Person("Ada", "ada"))
    assert not archive.exists()


def test_a_file_that_never_rests_is_left_where_it_is(inbox: Path, take_in: TakeIn, warehouse_url: str) -> None:
    put(inbox, FILES)
    real = Archive.keep

    async def keep(self: Archive, blocks: object) -> object:
        stored = await real(self, blocks)  # type: ignore[arg-type]
        with next(inbox.glob(".rollcall/*/orgs.csv")).open("ab") as file:
            file.write(b"x")
        return stored

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archive, "keep", keep)
        with pytest.raises(SftpError, match=r"orgs\.csv keeps changing while it is read"):
            take_in()
    assert {Path(name).name for name in everything_in(inbox)} >= {"orgs.csv", "users.csv"}
    assert take_in().delivery.state == "received"
    assert everything_in(inbox) == {}


class CannotRename(JAILED):
    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported("no renaming here")

    posix_rename = rename


class CannotMakeFolders(JAILED):
    def mkdir(self, path: bytes, attrs: object) -> None:
        raise asyncssh.SFTPPermissionDenied("no folders here")


class RenamesOnce(JAILED):
    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if oldpath.endswith(b"users.csv"):
            raise asyncssh.SFTPFailure("no more renaming")
        super().rename(oldpath, newpath)

    posix_rename = rename


@pytest.fixture
def serve_as(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type], None]]:
    """Has the server come back as one of another kind."""

    def restart(kind: type) -> None:
        server.stop()
        monkeypatch.setattr(server_module, "JailedServer", kind)
        server.start()

    yield restart
    restart(JAILED)


@pytest.mark.parametrize("kind", [CannotRename, CannotMakeFolders, RenamesOnce])
def test_a_server_that_cannot_rename_is_emptied_all_the_same(
    take_in: TakeIn, inbox: Path, archive: Path, serve_as: Callable[[type], None], kind: type
) -> None:
    serve_as(kind)
    put(inbox, FILES)
    receipt = take_in()
    assert receipt.files == ("orgs", "users")
    assert archived(archive) == set(FILES.values())
    assert everything_in(inbox) == {}


def test_law_1_without_renaming_a_file_that_was_replaced_meanwhile_survives(
    server: Server, inbox: Path, archive: Path, serve_as: Callable[[type], None]
) -> None:
    """Even one of the same size and the same second."""
    serve_as(CannotRename)
    put(inbox, FILES)
    os.utime(inbox / "users.csv", (1_700_000_000, 1_700_000_000))

    async def take_while_uploading() -> None:
        from rollcall.archive.unpack import delivered_files

        store = Archive.of("maple")
        async with server.account().connect() as session:
            taken = await take(session, store, 1, ("orgs", "users"), district().upload)
            put(inbox, {"users.csv": FILES["users.csv"].replace(b"7", b"8")})
            os.utime(inbox / "users.csv", (1_700_000_000, 1_700_000_000))
            await empty(session, 1, delivered_files(store, 1, taken, district().upload).files)

    asyncio.run(take_while_uploading())
    assert everything_in(inbox) == {"users.csv": FILES["users.csv"].replace(b"7", b"8")}


def test_a_kept_inbox_is_archived_and_left_as_it_is(
    take_in: TakeIn, inbox: Path, archive: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    first = take_in("run_1", inbox="keep")
    assert first.files == ("orgs", "users")
    assert archived(archive) == set(FILES.values())
    assert everything_in(inbox) == FILES
    with pytest.raises(NightServedError):
        take_in("run_2", inbox="keep")
    with pytest.raises(IncompleteInboxError):
        take_in("run_2", NIGHT + timedelta(days=1), inbox="keep")
    publish(warehouse_url, first.delivery.delivery_id)
    os.utime(inbox / "users.csv", (1_700_000_000, 1_700_000_000))
    assert take_in("run_3", inbox="keep").delivery.state == "unchanged", "touched, and equal"
    assert everything_in(inbox) == FILES


def test_in_a_kept_inbox_a_zip_is_read_once(take_in: TakeIn, inbox: Path) -> None:
    put(inbox, {"monday.zip": zipped(FILES)})
    take_in("run_1", inbox="keep")
    put(inbox, {"tuesday.zip": zipped(FILES | {"users.csv": b"sourcedId\n9\n"})})
    os.utime(inbox / "tuesday.zip", (1_700_000_000, 1_700_000_000))  # its clock is off: new all the same
    receipt = take_in("run_2", inbox="keep")
    assert receipt.delivery.state == "received"
    assert sorted(path.name for path in inbox.iterdir()) == ["monday.zip", "tuesday.zip"]


def test_in_a_kept_inbox_a_file_that_changes_meanwhile_is_read_as_it_ended(
    take_in: TakeIn, inbox: Path, archive: Path
) -> None:
    put(inbox, FILES)
    real, calls = Archive.keep, []

    async def keep(self: Archive, blocks: object) -> object:
        stored = await real(self, blocks)  # type: ignore[arg-type]
        calls.append(stored)
        if len(calls) == 1:
            (inbox / "orgs.csv").write_bytes(b"as it ended")
        return stored

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archive, "keep", keep)
        take_in(inbox="keep")
    assert b"as it ended" in archived(archive)
    assert everything_in(inbox)["orgs.csv"] == b"as it ended"


def test_files_of_two_nights_are_marked(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    put(inbox, FILES)
    os.utime(inbox / "orgs.csv", (1_700_000_000, 1_700_000_000))
    receipt = take_in("run_1")
    assert receipt.delivery.state == "received"
    assert noted(warehouse_url, receipt)["orgs"] == {"files_of_two_nights": "warning"}
    assert "users" not in noted(warehouse_url, receipt)


def test_what_a_zip_has_overtaken_is_of_no_night(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    put(inbox, {"users.csv": b"of old", "night.zip": zipped(FILES)})
    os.utime(inbox / "users.csv", (1_700_000_000, 1_700_000_000))
    assert noted(warehouse_url, take_in()) == NO_MANIFEST


class HangsWhileReading(JAILED):
    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        await asyncio.sleep(3600)
        return b""


def test_a_server_that_falls_silent_is_told_and_tried_again(
    take_in: TakeIn, inbox: Path, serve_as: Callable[[type], None]
) -> None:
    put(inbox, FILES)
    serve_as(HangsWhileReading)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sftp_module, "LONGEST_SILENCE_SECONDS", 0.5)
        patch.setattr(inbox_module, "READS_IN_FLIGHT", 1)
        with pytest.raises(SftpError, match=r"failed or was lost \(TimeoutError\)") as caught:
            take_in()
    assert not isinstance(caught.value, SftpRefusedError), "the task is retried"
    serve_as(JAILED)
    assert take_in().files == ("orgs", "users")
    assert everything_in(inbox) == {}


class DropsTheLine(JAILED):
    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        asyncio.get_running_loop().call_soon(self.channel.get_connection().abort)
        raise asyncssh.SFTPFailure("too late to be heard")


def test_a_connection_lost_in_the_middle_of_a_transfer_is_tried_again(
    take_in: TakeIn, inbox: Path, archive: Path, serve_as: Callable[[type], None]
) -> None:
    put(inbox, FILES)
    serve_as(DropsTheLine)
    with pytest.raises(SftpError) as caught:
        take_in()
    assert not isinstance(caught.value, SftpRefusedError | IncompleteInboxError), "the task is retried"
    assert list(archive.glob("maple/incoming/*")) == [], "half a file is no file"
    serve_as(JAILED)
    assert take_in().files == ("orgs", "users")
    assert everything_in(inbox) == {}


def test_files_that_have_gone_since_the_sensor_saw_them_are_named(take_in: TakeIn, inbox: Path) -> None:
    put(inbox, {"orgs.csv": b"x"})
    with pytest.raises(IncompleteInboxError, match=r"not there any more \(no users\)"):
        take_in()
    assert everything_in(inbox) == {"orgs.csv": b"x"}


def test_a_refused_password_says_what_to_do(server: Server, archive: Path) -> None:
    account = server.account(password="of last year")
    with pytest.raises(SftpRefusedError, match=r"refuses the password of account 'maple'. Renew it") as caught:
        receive(district(), account, service_date=NIGHT, run_id="run_1")
    assert "of last year" not in repr(caught.value) + repr(account)


def test_another_host_key_is_an_intrusion(server: Server, archive: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(SftpRefusedError, match="shows another host key than the one pinned for 'maple'"):
        receive(district(), server.account(host_key=other), service_date=NIGHT, run_id="run_1")


def test_a_host_key_that_cannot_be_read_is_said_to_be_so(server: Server, archive: Path) -> None:
    with pytest.raises(SftpRefusedError, match=r"The host key pinned for .* cannot be read"):
        receive(district(), server.account(host_key="AAAA"), service_date=NIGHT, run_id="run_1")


def test_a_server_that_is_away_is_said_to_be_away(tmp_path: Path, archive: Path) -> None:
    with sftp_server(tmp_path / "gone", "maple") as gone:
        account = gone.account()
    with pytest.raises(SftpError, match=r"The connection to 127\.0\.0\.1:\d+ failed or was lost"):
        receive(district(), account, service_date=NIGHT, run_id="run_1")


def test_an_archive_that_cannot_be_written_is_not_blamed_on_the_server(
    take_in: TakeIn, inbox: Path, archive: Path
) -> None:
    put(inbox, FILES)
    archive.mkdir()
    (archive / "maple").write_text("where the folder should be")
    with pytest.raises(ArchiveError, match=r"The archive file:///.* cannot be written"):
        take_in()
    assert set(everything_in(inbox).values()) >= set(FILES.values())


def publish(url: str, delivery_id: int, night: date = NIGHT) -> None:
    """Have readers see a delivery."""
    execute(url, "update rollcall.delivery set state = 'published' where delivery_id = %s", delivery_id)
    execute(
        url,
        "insert into rollcall.publication values ('maple', 1, %s, %s, now(), null)"
        " on conflict (district_id) do update set delivery_id = excluded.delivery_id",
        delivery_id,
        night,
    )


def set_state(url: str, delivery_id: int, state: str) -> None:
    execute(
        url, "update rollcall.delivery set state = %s, state_reason = 'Why.' where delivery_id = %s", state, delivery_id
    )


def test_what_is_published_already_is_unchanged_and_moves_the_date(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    first = take_in("run_1").delivery
    publish(warehouse_url, first.delivery_id)
    put(inbox, FILES)
    receipt = take_in("run_2", NIGHT + timedelta(days=1))
    assert (receipt.delivery.state, receipt.files) == ("unchanged", ())
    assert receipt.delivery.same_as_delivery_id == first.delivery_id
    assert query(warehouse_url, "select delivery_id, effective_date from rollcall.publication") == [
        (first.delivery_id, NIGHT + timedelta(days=1))
    ]


@pytest.mark.parametrize(
    ("before", "after"), [("held", "same_as_held"), ("discarded", "discarded"), ("rejected", "rejected")]
)
def test_what_was_judged_before_gets_the_same_verdict(
    take_in: TakeIn, inbox: Path, warehouse_url: str, before: str, after: str
) -> None:
    put(inbox, FILES)
    first = take_in("run_1").delivery
    set_state(warehouse_url, first.delivery_id, before)
    put(inbox, FILES)
    receipt = take_in("run_2", NIGHT + timedelta(days=1))
    assert (receipt.delivery.state, receipt.files) == (after, ())
    assert f"equals delivery {first.delivery_id}" in str(receipt.delivery.state_reason)
    codes = noted(warehouse_url, receipt).get("delivery", {})
    assert codes == ({"equals_rejected": "critical"} if before == "rejected" else {})
    assert take_in("run_2", NIGHT + timedelta(days=1)) == receipt


def test_what_was_discarded_once_and_published_later_is_judged_anew(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    for number, state in enumerate(("discarded", "published"), start=1):
        put(inbox, FILES)
        found = take_in(f"run_{number}", NIGHT + timedelta(days=number)).delivery
        set_state(warehouse_url, found.delivery_id, state)
    put(inbox, FILES | {"users.csv": b"sourcedId\n9\n"})
    publish(warehouse_url, take_in("run_3", NIGHT + timedelta(days=3)).delivery.delivery_id)
    put(inbox, FILES)
    assert take_in("run_4", NIGHT + timedelta(days=4)).delivery.state == "received"


def test_while_an_accepted_delivery_waits_for_its_build_nothing_is_unchanged(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    publish(warehouse_url, take_in("run_1").delivery.delivery_id)
    put(inbox, FILES | {"users.csv": b"sourcedId\n9\n"})
    set_state(warehouse_url, take_in("run_2").delivery.delivery_id, "accepted")
    put(inbox, FILES)
    assert take_in("run_3").delivery.state == "received"


def test_an_earlier_delivery_can_be_taken_again_from_the_archive(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    first = take_in("run_1").delivery
    put(inbox, {"orgs.csv": b"of tomorrow"})
    again = take_in("run_2", source=f"archive/{first.delivery_id}")
    assert again.files == ("orgs", "users")
    assert again.delivery.content_hash == first.content_hash
    columns = "sent_name, archive_path, sha256, size_bytes, sent_at, mode"
    assert recorded(warehouse_url, again.delivery.delivery_id, columns) == recorded(
        warehouse_url, first.delivery_id, columns
    )
    assert everything_in(inbox) == {"orgs.csv": b"of tomorrow"}


def test_what_is_taken_again_is_asked_for_the_files_that_are_expected_now(
    take_in: TakeIn, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    first = take_in("run_1").delivery
    again = take_in("run_2", source=f"archive/{first.delivery_id}", files=("orgs", "users", "classes"))
    assert noted(warehouse_url, again) == NO_MANIFEST | {"classes": {"file_missing": "critical"}}


def put_in(folder: Path, archive: Path, files: dict[str, bytes]) -> str:
    """Inject a folder's files; the source of the run that takes them."""
    folder.mkdir()
    put(folder, files)
    store = Archive(archive.as_uri(), "maple")
    who = Person("Ada", "ada")
    return f"injected/{keep_injected(store, folder, district().upload, by=who, why='came by mail')}"


def test_what_a_person_put_in_is_taken_as_if_it_had_lain_in_the_inbox(
    take_in: TakeIn, inbox: Path, archive: Path, tmp_path: Path, warehouse_url: str
) -> None:
    put(inbox, FILES)
    usual = take_in("run_1").delivery
    put(inbox, {"orgs.csv": b"of tomorrow"})
    source = put_in(tmp_path / "mail", archive, FILES | {"readme.txt": b"x"})
    receipt = take_in("run_2", source=source)
    assert (receipt.files, receipt.delivery.packaging) == (("orgs", "users"), "loose")
    assert receipt.delivery.content_hash == usual.content_hash
    assert noted(warehouse_url, receipt) == NO_MANIFEST | {"delivery": {"put_in_by_hand": "info"}}
    details = "select detail from rollcall.check_result where code = 'put_in_by_hand'"
    assert query(warehouse_url, details) == [("By Ada (login ada): came by mail",)]
    assert everything_in(inbox) == {"orgs.csv": b"of tomorrow"}
    assert take_in("run_2", source=source) == receipt


def test_a_zip_that_a_person_put_in_is_unpacked(
    take_in: TakeIn, archive: Path, tmp_path: Path, warehouse_url: str
) -> None:
    receipt = take_in(source=put_in(tmp_path / "mail", archive, {"night.zip": zipped(FILES)}))
    assert (receipt.files, receipt.delivery.packaging) == (("orgs", "users"), "zip")


def test_nothing_to_put_in_is_said(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(InjectError, match="holds no CSV file and no zip"):
        put_in(tmp_path / "mail", archive, {"readme.txt": b"x"})


def test_law_6_what_was_put_in_for_another_district_is_not_found(
    take_in: TakeIn, archive: Path, tmp_path: Path, server: Server
) -> None:
    source = put_in(tmp_path / "mail", archive, FILES)
    with pytest.raises(UnknownDeliveryError, match="names nothing that was put in for oak"):
        receive(district("oak"), server.account(), service_date=NIGHT, run_id="run_1", source=source)


@pytest.mark.parametrize(
    "source", ["injected/", "injected/0", "injected/../x", "archive/999", "archive/", "archive/x", "elsewhere"]
)
def test_a_source_that_names_no_delivery_is_refused(take_in: TakeIn, source: str) -> None:
    with pytest.raises(UnknownDeliveryError):
        take_in(source=source)


def test_law_6_another_districts_delivery_cannot_be_taken(take_in: TakeIn, inbox: Path, server: Server) -> None:
    put(inbox, FILES)
    first = take_in().delivery
    with pytest.raises(UnknownDeliveryError, match="names no delivery of oak"):
        receive(
            district("oak"),
            server.account(),
            service_date=NIGHT,
            run_id="run_1",
            source=f"archive/{first.delivery_id}",
        )


def test_two_runs_of_a_district_wait_for_each_other(take_in: TakeIn, inbox: Path, warehouse_url: str) -> None:
    put(inbox, FILES)
    with psycopg.connect(warehouse_url, autocommit=True) as other:
        other.execute("select pg_advisory_lock(hashtextextended('rollcall.receive.maple', 0))")
        runner = Thread(target=take_in)
        runner.start()
        runner.join(timeout=1)
        assert runner.is_alive()
        assert len(everything_in(inbox)) == 2
    runner.join(timeout=30)
    assert everything_in(inbox) == {}


class Killer:
    """Ends its own process, with no time to say goodbye, before the n-th thing that it does to the outside world."""

    def __init__(self, at: int, archive: Path, *, requests_count: bool) -> None:
        self._left = at
        self._archive = str(archive)
        self._requests_count = requests_count

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        self._before(psycopg.Cursor, "execute")
        self._before(psycopg.Connection, "commit")
        if self._requests_count:
            self._before(asyncssh.sftp.SFTPClientHandler, "_make_request")
        sys.addaudithook(self._audit)

    def _before(self, owner: type, name: str) -> None:
        real = getattr(owner, name)

        def act(*arguments: object, **named: object) -> object:
            self.step()
            return real(*arguments, **named)

        setattr(owner, name, act)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(arguments[0]).startswith(self._archive):
            self.step()


def runs_to_its_end(work: Callable[[], object], killer: Killer) -> bool:
    """Whether a child process that is to be killed at some step comes to its end before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            killer.arm()
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


@pytest.mark.parametrize("packaging", ["loose", "zip"])  # a zip's requests are a loose file's
def test_law_4_receive_can_be_killed_at_every_step_and_run_again(
    take_in: TakeIn,
    inbox: Path,
    archive: Path,
    warehouse_url: str,
    packaging: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox_module, "READS_IN_FLIGHT", 1)  # one read of a small file is as good as 32
    published = FILES | {"orgs.csv": b"published"}
    put(inbox, published)
    publish(warehouse_url, take_in("published").delivery.delivery_id)
    steps = 0
    while True:
        steps += 1
        run_id = f"run_{steps}"
        # Every third delivery is one that is published already: it has to end as unchanged, wherever it was killed.
        files = published if steps % 3 == 0 else FILES | {"users.csv": b"%d" % steps}
        put(inbox, files if packaging == "loose" else {"night.zip": zipped(files)})
        killer = Killer(steps, archive, requests_count=packaging == "loose")
        finished = runs_to_its_end(lambda run_id=run_id: take_in(run_id), killer)  # type: ignore[misc]
        delivery = take_in(run_id).delivery
        assert delivery.state == ("unchanged" if steps % 3 == 0 else "received"), steps
        assert everything_in(inbox) == {}, steps
        assert set(files.values()) <= archived(archive), steps
        assert {"orgs", "users"} <= set(recorded(warehouse_url, delivery.delivery_id)), steps
        assert list(archive.glob(f"maple/deliveries/*-{delivery.delivery_id}.json")), steps
        if finished:
            break
    assert query(warehouse_url, "select count(*) from rollcall.delivery") == [(steps + 1,)]
    assert steps > 30
    print(f"Killed at {steps - 1} steps.")
