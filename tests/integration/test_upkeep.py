"""Upkeep: what goes, what stays, and what is said of it."""

import ast
import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pydantic
import pytest
from helpers.deliveries import accept, execute, put_aside, query
from helpers.inbox import DEFAULTS, Server, district, everything_in, put, sftp_server

from rollcall.archive.injected import keep_injected, record_injected
from rollcall.archive.receive import receive
from rollcall.archive.store import Archive
from rollcall.ledger import UnknownDeliveryError, files_of, record_district
from rollcall.private import append
from rollcall.settings import PROJECT_ROOT, Settings, settings, working_on
from rollcall.sftp import SftpAccount
from rollcall.stack.processes import LOG_LIMIT_BYTES
from rollcall.upkeep import POLICIES, Removal, inboxes
from rollcall.upkeep.archived import remove_archived
from rollcall.upkeep.details import remove_old_details
from rollcall.upkeep.inboxes import archive_old_uploads
from rollcall.upkeep.logs import remove_logs
from rollcall.upkeep.receipts import remove_receipts
from rollcall.who import Person

DAG = PROJECT_ROOT / "dags" / "upkeep.py"
USERS = {"users": [{"sourced_id": "1"}, {"sourced_id": "2"}]}


def judged(url: str, sequence: int, days_ago: int, state: str = "published") -> int:
    """A delivery with two findings in rows, their count, and an expected change for the district and for a school."""
    delivery_id = accept(url, "maple", sequence, USERS)
    with psycopg.connect(url) as connection:
        for row in (2, 3):
            put_aside(connection, delivery_id, "users", row, None)
        connection.execute(
            "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)"
            " values (%s, 'users', 'test', 'critical', 2)",
            [delivery_id],
        )
        for school in (None, "994"):
            connection.execute(
                "insert into rollcall.expected_change values (%s, 'users', %s, 1, 2, 0, 0, 0, 2, 0)",
                [delivery_id, school],
            )
        moment = f"now() - interval '{days_ago} days'"
        connection.execute(
            f"update rollcall.delivery set state = %s, arrived_at = {moment}, decided_at = {moment},"
            f" accepted_at = {moment} where delivery_id = %s",
            [state, delivery_id],
        )
    return delivery_id


def left(url: str) -> dict[int, tuple[int, int, int]]:
    """Rows of findings, counted findings, and expected changes that the ledger has, by delivery."""
    rows = query(
        url,
        """
        select
            delivery_id,
            (select count(*) from rollcall.row_finding where row_finding.delivery_id = delivery.delivery_id),
            (select sum(rows_failed) from rollcall.check_result where check_result.delivery_id = delivery.delivery_id),
            (select count(*) from rollcall.expected_change where expected_change.delivery_id = delivery.delivery_id)
        from rollcall.delivery
        """,
    )
    return {row[0]: row[1:] for row in rows}


def test_old_details_go_counts_stay_and_the_ledger_says_so(warehouse_url: str) -> None:
    old, older = judged(warehouse_url, 1, 91), judged(warehouse_url, 2, 400, "rejected")
    new, waiting, shown = (
        judged(warehouse_url, 3, 89),
        judged(warehouse_url, 4, 400, "held"),
        judged(warehouse_url, 5, 400),
    )
    execute(
        warehouse_url,
        "insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)"
        " values ('maple', 5, %s, '2026-10-01', now())",
        shown,
    )

    before = left(warehouse_url)
    counted = remove_old_details(timedelta(days=90), dry_run=True)
    assert left(warehouse_url) == before
    removed = remove_old_details(timedelta(days=90))

    assert counted == removed == [Removal("row_finding", 2, 4), Removal("expected_change", 2, 2)]
    gone, kept = (0, 2, 1), (2, 2, 2)
    assert left(warehouse_url) == {old: gone, older: gone, new: kept, waiting: kept, shown: kept}
    said = "select what, deliveries, removed from rollcall.upkeep order by upkeep_id"
    assert query(warehouse_url, said) == [("row_finding", 2, 4), ("expected_change", 2, 2)]

    assert remove_old_details(timedelta(days=90)) == [Removal("row_finding"), Removal("expected_change")]
    assert len(query(warehouse_url, said)) == 2, "nothing was removed, nothing is said"


@pytest.mark.parametrize(
    ("setting", "days", "floor"),
    [
        ("FINDINGS", 6, 7),
        ("LANDED", 0, 1),
        ("ARCHIVE", 9, 90),
        ("ARCHIVE", -1, 90),
        ("RECEIPTS", 3, 30),
        ("LOGS", 1, 7),
        ("INBOX", 1, 7),
    ],
)
def test_a_slip_of_the_hand_removes_nothing(
    monkeypatch: pytest.MonkeyPatch, setting: str, days: int, floor: int
) -> None:
    monkeypatch.setenv(f"ROLLCALL_{setting}_KEPT_DAYS", str(days))
    with pytest.raises(pydantic.ValidationError, match=rf"(at least|greater than or equal to) {floor}"):
        Settings()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Maple's part of an archive, in a state folder of its own."""
    with working_on(state_dir=tmp_path, archive_keep_free_mib=0):
        yield Archive.of("maple")


def sent(url: str, archive: Archive, sequence: int, state: str, days_ago: int, **files: str) -> int:
    """A delivery of some files, archived."""
    delivery_id = accept(url, "maple", sequence, {name: [{"sourced_id": "1"}] for name in files})
    moment = f"now() - interval '{days_ago} days'"
    execute(
        url,
        f"update rollcall.delivery set state = %s, arrived_at = {moment}, decided_at = {moment}, accepted_at = {moment}"
        " where delivery_id = %s",
        state,
        delivery_id,
    )
    for name, content in files.items():
        execute(
            url,
            "update rollcall.delivery_file set archive_path = %s, size_bytes = %s where delivery_id = %s and file = %s",
            keep(archive, content),
            len(content),
            delivery_id,
            name,
        )
    return delivery_id


def keep(archive: Archive, content: str) -> str:
    async def blocks() -> AsyncIterator[bytes]:
        yield content.encode()

    return asyncio.run(archive.keep(blocks())).path


def contents(archive: Archive) -> set[str]:
    """What lies in the archive under its hash."""
    root = settings().state_dir / "archive" / "maple"
    return {path.read_text() for path in root.rglob("*") if len(path.name) == 64}


def test_law_01_files_go_from_the_archive_only_when_nothing_is_built_on_them(
    warehouse_url: str, archive: Archive, tmp_path: Path
) -> None:
    oldest = sent(warehouse_url, archive, 1, "published", 400, orgs="orgs 1", users="users 1")
    sent(warehouse_url, archive, 2, "published", 399, orgs="orgs 2")
    shown = sent(warehouse_url, archive, 3, "published", 398, users="users 3")
    execute(
        warehouse_url,
        "insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)"
        " values ('maple', 3, %s, '2026-10-01', now())",
        shown,
    )
    sent(warehouse_url, archive, 4, "held", 397, users="held")
    sent(warehouse_url, archive, 5, "rejected", 396, orgs="sent again", users="rejected")
    sent(warehouse_url, archive, 6, "rejected", 5, orgs="sent again")
    sent(warehouse_url, archive, 7, "discarded", 395, users="put in")
    (tmp_path / "users.csv").write_text("put in")
    keep_injected(archive, tmp_path / "users.csv", district().upload, by=Person("Ada", "ada"))
    everything = contents(archive)
    going = {"orgs 1", "users 1", "rejected"}

    with working_on(archive_kept_days=90):
        counted = POLICIES["remove_archived"].apply(dry_run=True)
        assert contents(archive) == everything
        assert query(warehouse_url, "select count(removed_at) from rollcall.delivery_file") == [(0,)]
        assert POLICIES["remove_archived"].apply() == counted
    assert everything - contents(archive) == going
    assert counted == [Removal("archive", 2, 3, sum(map(len, going)))]
    said = "select what, deliveries, removed, bytes_removed from rollcall.upkeep"
    assert query(warehouse_url, said) == [("archive", 2, 3, sum(map(len, going)))]
    assert query(warehouse_url, "select count(removed_at) from rollcall.delivery_file") == [(3,)]

    assert remove_archived(timedelta(days=90)) == [Removal("archive")]
    assert len(query(warehouse_url, said)) == 1
    assert POLICIES["remove_archived"].apply() == [], "kept for good, unless a setting says otherwise"
    account = SftpAccount("nowhere", 22, "maple", password="", host_key="")
    with pytest.raises(UnknownDeliveryError, match=f"Upkeep removed delivery {oldest} from the archive on "):
        receive(district(), account, service_date=date(2026, 10, 2), run_id="again", source=f"archive/{oldest}")


def test_old_receipts_and_change_lists_go_those_of_what_waits_stay(warehouse_url: str, archive: Archive) -> None:
    old = sent(warehouse_url, archive, 1, "discarded", 400, users="1")
    held = sent(warehouse_url, archive, 2, "held", 400, users="2")
    new = sent(warehouse_url, archive, 3, "published", 3, users="3")
    names = (
        "receipts/2026-10-01-{}-receipt.html",
        "receipts/2026-10-01-{}-summary.csv",
        "changes/2026-10-01-{}-changes.csv",
    )
    for number in (old, held, new):
        for name in names:
            archive.write_index(name.format(number), "text")
        execute(
            warehouse_url,
            "insert into rollcall.hold (delivery_id, reasons, change_list) values (%s, '[]', %s)",
            number,
            archive.path_of(names[2].format(number)),
        )
    counted = remove_receipts(timedelta(days=90), dry_run=True)
    assert len(archive.names_in("receipts")) == 6
    assert remove_receipts(timedelta(days=90)) == counted == [Removal("receipts", 1, 3, 3 * len("text"))]
    assert {*archive.names_in("receipts"), *archive.names_in("changes")} == {
        name.format(number).partition("/")[2] for name in names for number in (held, new)
    }
    has_list = "select delivery_id from rollcall.hold where change_list is not null order by 1"
    assert query(warehouse_url, has_list) == [(held,), (new,)]


def test_old_logs_go_those_of_a_run_that_waits_stay(warehouse_url: str, archive: Archive, tmp_path: Path) -> None:
    sent(warehouse_url, archive, 1, "published", 400, users="1")
    sent(warehouse_url, archive, 2, "held", 400, users="2")
    logs = tmp_path / "logs" / "airflow" / "dag_id=roster__maple"
    for run, hours in (("run_1", 2400), ("run_2", 2400), ("run_3", 2)):
        file = logs / f"run_id={run}" / "task_id=hold" / "attempt=1.log"
        file.parent.mkdir(parents=True)
        file.write_text("line")
        moment = time.time() - hours * 3600
        os.utime(file, (moment, moment))
    assert remove_logs(timedelta(days=90), dry_run=True) == [Removal("logs", 0, 1, 4)]
    assert remove_logs(timedelta(days=90)) == [Removal("logs", 0, 1, 4)]
    assert sorted(path.parts[-3] for path in logs.rglob("*.log")) == ["run_id=run_2", "run_id=run_3"]
    assert query(warehouse_url, "select what, removed from rollcall.upkeep") == [("logs", 1)]
    for folder in (*logs.rglob("task_id=*"), logs / "run_id=run_1"):
        os.utime(folder, (0, 0))
    assert remove_logs(timedelta(days=90)) == [Removal("logs")]
    assert sorted(path.name for path in logs.iterdir()) == ["run_id=run_2", "run_id=run_3"], "the empty one is gone"


def test_a_long_log_of_a_service_is_put_aside_while_the_service_writes_on(warehouse_url: str, tmp_path: Path) -> None:
    log, short = (tmp_path / "logs" / f"{name}.log" for name in ("scheduler", "sftp"))
    log.parent.mkdir()
    short.write_text("line")
    with append(log) as service:
        service.truncate(LOG_LIMIT_BYTES + 1)
        with working_on(state_dir=tmp_path):
            remove_logs(timedelta(days=90), dry_run=True)
            assert log.stat().st_size == LOG_LIMIT_BYTES + 1
            remove_logs(timedelta(days=90))
        service.write(b"goes on")
    assert log.read_bytes() == b"goes on"
    assert {path.name for path in log.parent.iterdir()} == {"scheduler.log", "scheduler.log.1", "sftp.log"}


@pytest.fixture
def inbox(tmp_path: Path, archive: Archive) -> Iterator[Server]:
    """Maple's inbox, and the folder of its district file."""
    districts = tmp_path / "districts"
    districts.mkdir()
    shutil.copy(DEFAULTS, districts)
    (districts / "maple.yaml").write_text("name: Maple\n")
    with sftp_server(tmp_path / "sftp", "maple") as server, working_on(districts_dir=districts):
        yield server


def test_law_01_what_lies_in_an_inbox_for_long_goes_to_the_archive_and_can_be_taken_from_there(
    warehouse_url: str, inbox: Server, archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(warehouse_url) as connection:
        record_district(connection, district())
    for name, days in (("users.csv", 40), ("orgs.csv", 40), ("notes.txt", 90), ("classes.csv", 3)):
        put(inbox.inbox(), {name: name.encode()})
        os.utime(inbox.inbox() / name, (0, time.time() - days * 86400))

    def tidy(*, dry_run: bool = False) -> list[Removal]:
        return archive_old_uploads(timedelta(days=30), dry_run=dry_run, account_of=lambda _: inbox.account())

    counted = tidy(dry_run=True)
    assert counted == [Removal("inbox", 0, 3, len("users.csvorgs.csvnotes.txt"))]
    assert tidy() == counted
    assert set(everything_in(inbox.inbox())) == {"classes.csv"}
    assert tidy() == [Removal("inbox")]
    (source,) = re.findall(r"Source (injected/\w+)\.", caplog.text)
    taken = receive(district(), inbox.account(), service_date=date(2026, 11, 23), run_id="by_hand", source=source)
    with psycopg.connect(warehouse_url) as connection:
        names = {file.sent_name for file in files_of(connection, taken.delivery_id)}
    assert names >= {"users.csv", "orgs.csv"}
    assert query(warehouse_url, "select what, removed from rollcall.upkeep") == [("inbox", 3)]
    assert archive.contents()


def test_law_01_what_comes_while_an_inbox_is_tidied_stays(warehouse_url: str, inbox: Server, archive: Archive) -> None:
    with psycopg.connect(warehouse_url) as connection:
        record_district(connection, district())

    def lie_there_for_long(**files: bytes) -> None:
        for name, content in files.items():
            put(inbox.inbox(), {f"{name}.csv": content})
            os.utime(inbox.inbox() / f"{name}.csv", (0, 0))

    def archive_while(act: Callable[[], object]) -> None:
        def record(*arguments: Any, **options: Any) -> str:
            act()
            return record_injected(*arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inboxes, "record_injected", record)
            archive_old_uploads(timedelta(days=30), account_of=lambda _: inbox.account())

    def die() -> None:
        raise KeyboardInterrupt

    lie_there_for_long(users=b"first", orgs=b"first")
    archive_while(lambda: lie_there_for_long(users=b"later"))  # of the same size, with the same time
    assert everything_in(inbox.inbox()) == {"users.csv": b"later"}
    with pytest.raises(KeyboardInterrupt):
        archive_while(die)
    archive_while(lambda: None)
    assert everything_in(inbox.inbox()) == {}
    assert len(archive.contents()) == 2


def test_the_dag_has_a_task_for_each_policy() -> None:
    tasks = re.search(r"^TASKS = (\(.*?\))", DAG.read_text(), re.MULTILINE | re.DOTALL)
    assert tasks
    assert set(ast.literal_eval(tasks[1])) == set(POLICIES)
