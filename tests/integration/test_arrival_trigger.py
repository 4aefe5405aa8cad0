"""The trigger that waits for a delivery, against a real SFTP server and a real Airflow connection."""

import asyncio
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from helpers.deliveries import query
from helpers.inbox import PASSWORD, Server, district, everything_in, put, sftp_server

from rollcall.airflow.triggers import delivery as trigger_module
from rollcall.airflow.triggers.delivery import DeliveryTrigger
from rollcall.settings import working_on
from rollcall.steps import receive

FILES = {"orgs.csv": b"sourcedId\n1\n", "users.csv": b"sourcedId\n7\n"}
STABLE_AFTER = 0.6
Event = dict[str, Any]
UPLOAD = district().upload.model_dump()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with sftp_server(tmp_path / "sftp", "maple") as running:
        yield running


@pytest.fixture
def inbox(server: Server) -> Path:
    return server.inbox()


@pytest.fixture
def connect_as(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a connection where Airflow finds it."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))

    def make(password: str = PASSWORD, host_key: str = "") -> None:
        value = {"conn_type": "sftp", "host": "127.0.0.1", "port": server.port, "login": "maple", "password": password}
        extra = {"host_key": host_key or server.host_key}
        monkeypatch.setenv("AIRFLOW_CONN_SFTP_TEST", json.dumps({**value, "extra": extra}))

    make()
    return make


pytestmark = pytest.mark.usefixtures("connect_as")


def waiting(
    seconds: float, kept_inbox_of: str = "", district_id: str = "", upload: dict[str, Any] | None = None
) -> DeliveryTrigger:
    return DeliveryTrigger(
        upload=upload or UPLOAD,
        one_night_hours=12,
        district_id=district_id,
        kept_inbox_of=kept_inbox_of,
        sftp_conn_id="sftp_test",
        expected=["orgs", "users"],
        stable_after=STABLE_AFTER,
        deadline=(datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
        poke_interval=0.2,
    )


def fires(
    seconds: float,
    *meanwhile: tuple[float, Callable[[], object]],
    kept_inbox_of: str = "",
    district_id: str = "",
    upload: dict[str, Any] | None = None,
) -> tuple[Event, float]:
    """The trigger's one event, and after how long; things happen meanwhile, each after some seconds."""

    async def act(delay: float, what: Callable[[], object]) -> None:
        await asyncio.sleep(delay)
        await asyncio.to_thread(what)

    async def run() -> tuple[Event, float]:
        began = time.monotonic()
        events = []
        async with asyncio.TaskGroup() as tasks:
            for delay, what in meanwhile:
                tasks.create_task(act(delay, what))
            async for event in waiting(seconds, kept_inbox_of, district_id, upload).run():
                events.append((event.payload, time.monotonic() - began))  # noqa: PERF401
        (only,) = events
        return only

    return asyncio.run(run())


def test_it_fires_when_everything_is_there_and_stable(inbox: Path) -> None:
    put(inbox, FILES | {"manifest.csv": b"x"})
    event, seconds = fires(20)
    assert event == {"status": "complete", "files": ["manifest.csv", "orgs.csv", "users.csv"]}
    assert seconds >= STABLE_AFTER


def test_what_is_too_much_is_not_waited_for_any_longer(inbox: Path) -> None:
    """It fires as soon as it is stable, whether it is complete or not, for `receive` to refuse it."""
    put(inbox, {"orgs.csv": b""})
    os.truncate(inbox / "orgs.csv", 5 * 1024**3)
    event, seconds = fires(20)
    assert event == {"status": "complete", "files": ["orgs.csv"]}
    assert seconds >= STABLE_AFTER
    os.truncate(inbox / "orgs.csv", 5)
    assert fires(1.0)[0]["status"] == "deadline"
    assert fires(20, upload=UPLOAD | {"file_mib": 4 / 1024**2})[0]["status"] == "complete"


def test_it_waits_for_the_last_file(inbox: Path) -> None:
    put(inbox, {"orgs.csv": b"x"})
    event, seconds = fires(20, (1.2, lambda: put(inbox, FILES)))
    assert event["status"] == "complete"
    assert seconds >= 1.2 + STABLE_AFTER


def test_it_does_not_fire_while_a_file_grows(inbox: Path) -> None:
    put(inbox, FILES)

    def grow() -> None:
        with (inbox / "users.csv").open("ab") as file:
            file.write(b"8\n")

    event, seconds = fires(20, *((0.4 * number, grow) for number in range(1, 6)))
    assert event["status"] == "complete"
    assert seconds >= 2.0 + STABLE_AFTER


def test_a_file_under_way_under_another_name_does_not_count(inbox: Path) -> None:
    put(inbox, {"orgs.csv": b"x", "users.csv.filepart": b"x"})
    event, _ = fires(1.5)
    assert event == {"status": "deadline", "found": ["orgs.csv"], "missing": ["users"], "strays": [], "trouble": None}


def test_a_finished_rename_counts(inbox: Path) -> None:
    put(inbox, {"orgs.csv": b"x", "users.csv.filepart": b"x"})
    event, _ = fires(20, (0.8, lambda: (inbox / "users.csv.filepart").rename(inbox / "users.csv")))
    assert event["status"] == "complete"


def test_folders_and_links_are_no_files(inbox: Path, tmp_path: Path) -> None:
    put(inbox, {"orgs.csv": b"x"})
    (inbox / "users.csv").mkdir()
    (inbox / "night.zip").symlink_to("orgs.csv")
    assert fires(1.0)[0]["missing"] == ["users"]


def age(inbox: Path, *names: str) -> None:
    """Have files be of the night before."""
    for name in names:
        moment = (inbox / name).stat().st_mtime - 24 * 3600
        os.utime(inbox / name, (moment, moment))


def test_files_of_two_nights_are_waited_for_until_the_old_ones_are_renewed(inbox: Path) -> None:
    put(inbox, FILES)
    age(inbox, "orgs.csv")
    event, seconds = fires(20, (1.5, lambda: put(inbox, {"orgs.csv": b"of tonight"})))
    assert event["status"] == "complete"
    assert seconds >= 1.5 + STABLE_AFTER


def test_files_of_two_nights_are_taken_as_they_are_at_the_deadline(inbox: Path) -> None:
    put(inbox, FILES)
    age(inbox, "orgs.csv")
    event, seconds = fires(1.5)
    assert event == {"status": "complete", "files": ["orgs.csv", "users.csv"]}
    assert seconds >= 1.5


def test_files_of_another_format_are_taken_at_the_deadline(inbox: Path) -> None:
    put(inbox, {"School.csv": b"x", "Student.csv": b"x", "Section.csv": b"x"})
    event, seconds = fires(1.5)
    assert event == {"status": "complete", "files": ["School.csv", "Section.csv", "Student.csv"]}
    assert seconds >= 1.5


@pytest.mark.usefixtures("ledger")
def test_in_a_kept_inbox_only_what_is_new_fires(server: Server, inbox: Path) -> None:
    put(inbox, FILES)
    receive(district(inbox="keep"), server.account(), service_date=date(2026, 11, 23), run_id="run_1")
    assert everything_in(inbox) == FILES
    event, _ = fires(1.5, kept_inbox_of="maple")
    assert event == {"status": "deadline", "found": [], "missing": ["orgs", "users"], "strays": [], "trouble": None}
    event, seconds = fires(20, (1.0, lambda: put(inbox, {"users.csv": b"sourcedId\n8\n9\n"})), kept_inbox_of="maple")
    assert event == {"status": "complete", "files": ["orgs.csv", "users.csv"]}
    assert seconds >= 1.0 + STABLE_AFTER


@pytest.fixture
def ledger(warehouse_url: str, tmp_path: Path) -> Iterator[None]:
    with working_on(archive_url=(tmp_path / "archive").as_uri()):
        yield


WITHOUT_USERS = b"propertyName,value\nmanifest.version,1.0\nfile.orgs,bulk\nfile.users,absent\n"
WITH_USERS = WITHOUT_USERS.replace(b"users,absent", b"users,bulk  ")
"""As long as the other."""
TONIGHT = {"orgs.csv": FILES["orgs.csv"], "manifest.csv": WITHOUT_USERS}
INCOMPLETE = {
    "status": "deadline", "found": ["manifest.csv", "orgs.csv"], "missing": ["users"], "strays": [], "trouble": None,
}  # fmt: skip


@pytest.mark.usefixtures("ledger")
def test_a_file_that_the_manifest_calls_absent_is_not_waited_for(inbox: Path) -> None:
    put(inbox, TONIGHT)
    event, seconds = fires(20, district_id="maple")
    assert event == {"status": "complete", "files": ["manifest.csv", "orgs.csv"]}
    assert STABLE_AFTER <= seconds < 15


@pytest.mark.usefixtures("ledger")
def test_what_the_trigger_believes_receive_believes_too_and_nothing_is_removed(
    server: Server, inbox: Path, warehouse_url: str
) -> None:
    put(inbox, TONIGHT)
    assert fires(20, district_id="maple")[0]["status"] == "complete"
    receipt = receive(district(), server.account(), service_date=date(2026, 11, 23), run_id="run_1")
    assert receipt.files == ("orgs",)
    assert everything_in(inbox) == {}
    noted = "select severity from rollcall.check_result where code = 'file_missing' and file = 'users'"
    assert query(warehouse_url, noted) == [("info",)], "no failure: it is not to come"


@pytest.mark.usefixtures("ledger")
def test_a_manifest_counts_as_it_is_when_it_is_stable(inbox: Path) -> None:
    put(inbox, {"orgs.csv": FILES["orgs.csv"], "manifest.csv": WITH_USERS})
    event, seconds = fires(20, (1.5, lambda: put(inbox, {"manifest.csv": WITHOUT_USERS})), district_id="maple")
    assert event["status"] == "complete"
    assert seconds >= 1.5 + STABLE_AFTER


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    "manifest",
    [
        WITH_USERS,
        b"",
        b"\xff\xfe\x00",
        b"file.users,absent\nfile.users,bulk\n",
        WITHOUT_USERS.replace(b"users", b"classes"),
    ],
)
def test_a_manifest_that_does_not_clearly_call_it_absent_changes_nothing(inbox: Path, manifest: bytes) -> None:
    put(inbox, TONIGHT | {"manifest.csv": manifest})
    assert fires(1.2, district_id="maple")[0] == INCOMPLETE


def receive_first(server: Server, inbox: Path, **changes: Any) -> int:
    """A delivery with a manifest; when its manifest was changed last."""
    put(inbox, FILES | {"manifest.csv": WITH_USERS})
    modified = int((inbox / "manifest.csv").stat().st_mtime)
    os.utime(inbox / "manifest.csv", (modified, modified))
    receive(district(**changes), server.account(), service_date=date(2026, 11, 23), run_id="run_1")
    return modified


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(("seconds_later", "counts"), [(-60, False), (0, True), (60, True)])
def test_a_manifest_that_is_older_than_the_last_deliverys_is_not_believed(
    server: Server, inbox: Path, seconds_later: int, counts: bool
) -> None:
    modified = receive_first(server, inbox)
    put(inbox, TONIGHT | {"manifest.csv": WITHOUT_USERS + b"\n"})
    for name in TONIGHT:
        os.utime(inbox / name, (modified + seconds_later, modified + seconds_later))
    event, _ = fires(1.5, district_id="maple")
    assert event["status"] == ("complete" if counts else "deadline")


@pytest.mark.usefixtures("ledger")
def test_the_very_manifest_of_the_last_delivery_is_not_believed(server: Server, inbox: Path) -> None:
    modified = receive_first(server, inbox)
    put(inbox, TONIGHT)
    os.utime(inbox / "manifest.csv", (modified, modified))
    assert fires(1.2, district_id="maple")[0] == INCOMPLETE


@pytest.mark.usefixtures("ledger")
def test_in_a_kept_inbox_a_manifest_that_was_read_is_not_believed(server: Server, inbox: Path) -> None:
    """Not even when the last delivery's manifest seems older: a zip can have any time."""
    keeping = district(inbox="keep", files=("orgs",))
    put(inbox, TONIGHT)
    receive(keeping, server.account(), service_date=date(2026, 11, 23), run_id="run_1")
    with zipfile.ZipFile(inbox / "tuesday.zip", "w") as package:
        package.writestr("orgs.csv", b"sourcedId\n1\n2\n")
        package.writestr("manifest.csv", WITH_USERS)
    os.utime(inbox / "tuesday.zip", (1_700_000_000, 1_700_000_000))
    receive(keeping, server.account(), service_date=date(2026, 11, 24), run_id="run_2")
    put(inbox, {"orgs.csv": b"sourcedId\n1\n2\n3\n"})
    assert fires(1.2, kept_inbox_of="maple")[0] == INCOMPLETE
    event, _ = fires(20, (0.5, lambda: put(inbox, {"manifest.csv": WITHOUT_USERS + b"\n"})), kept_inbox_of="maple")
    assert event["status"] == "complete"


def test_at_the_deadline_an_empty_inbox_is_told(inbox: Path) -> None:
    event, seconds = fires(1.0)
    assert event == {"status": "deadline", "found": [], "missing": ["orgs", "users"], "strays": [], "trouble": None}
    assert 1.0 <= seconds < 5


def test_at_the_deadline_what_is_no_delivery_is_named(inbox: Path) -> None:
    put(inbox, {"roster.xlsx": b"x", ".hidden.txt": b"x"})
    assert fires(1.0)[0]["strays"] == ["roster.xlsx"]


HOSTILE = (
    b"caf\xe9.csv",
    b"\xff\xfe.zip",
    b"a\n2026-11-24 INFO all is well.txt",
    b"\x1b[31m\xe2\x80\xae.txt",
    b"x" * 255,
)


def put_hostile(inbox: Path) -> None:
    """Have files in the inbox under names that are no text, forge lines, or are as long as a name can be."""
    for name in HOSTILE:
        (inbox / os.fsdecode(name)).write_bytes(b"x")


def test_law_1_one_name_that_is_not_utf_8_hides_no_delivery(inbox: Path) -> None:
    put_hostile(inbox)
    put(inbox, FILES)
    event, _ = fires(20)
    assert event == {"status": "complete", "files": ["orgs.csv", "users.csv"]}


def test_what_an_event_says_of_names_can_be_stored_and_forges_nothing(inbox: Path) -> None:
    put_hostile(inbox)
    put(inbox, {"a\nb\u202e.csv": b"x"})
    event, _ = fires(1.0)
    assert event["found"] == [r"a\nb\u202e.csv"]
    assert set(event["strays"]) == {
        r"caf\xe9.csv",
        r"\xff\xfe.zip",
        r"a\n2026-11-24 INFO all is well.txt",
        r"\x1b[31m\u202e.txt",
        "x" * 99 + "…",
    }
    assert all(name.isprintable() for name in event["strays"])


def test_at_the_deadline_an_upload_under_way_is_told(inbox: Path) -> None:
    def upload() -> None:
        for number in range(30):
            put(inbox, FILES | {"users.csv": b"x" * (number + 20)})
            time.sleep(0.1)

    event, _ = fires(2.0, (0, upload))
    assert event == {
        "status": "deadline",
        "found": ["orgs.csv", "users.csv"],
        "missing": [],
        "strays": [],
        "trouble": None,
    }


def test_a_refused_password_ends_the_wait_at_once(connect_as: Callable[..., None]) -> None:
    connect_as(password="of last year")
    event, seconds = fires(30)
    assert event["status"] == "refused"
    assert "refuses the user name or password of sftp_test" in event["message"]
    assert "of last year" not in event["message"]
    assert seconds < 10


def test_another_host_key_ends_the_wait_at_once(connect_as: Callable[..., None]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    connect_as(host_key=" ".join(other.split()[:2]))
    event, _ = fires(30)
    assert event["status"] == "refused"
    assert "shows another host key than the pinned one" in event["message"]


def test_a_server_that_comes_back_before_the_deadline_costs_nothing(server: Server, inbox: Path) -> None:
    put(inbox, FILES)
    server.stop()
    event, seconds = fires(30, (1.2, server.start))
    assert event["status"] == "complete"
    assert seconds >= 1.2 + STABLE_AFTER


def test_a_server_that_goes_away_while_waiting_costs_nothing(server: Server, inbox: Path) -> None:
    event, _ = fires(30, (0.5, server.stop), (1.5, server.start), (2.0, lambda: put(inbox, FILES)))
    assert event["status"] == "complete"


def test_a_server_that_stays_away_is_told_at_the_deadline(server: Server) -> None:
    server.stop()
    event, _ = fires(1.0)
    assert (event["status"], event["trouble"]) == ("deadline", "ConnectionRefusedError")


def test_a_server_that_says_nothing_does_not_hold_the_run_past_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(trigger_module, "LONGEST_LOOK_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        value = {"conn_type": "sftp", "host": "127.0.0.1", "port": mute.getsockname()[1], "login": "x", "password": "x"}
        monkeypatch.setenv("AIRFLOW_CONN_SFTP_TEST", json.dumps(value))
        event, seconds = fires(1.0)
    assert (event["status"], event["trouble"]) == ("deadline", "TimeoutError")
    assert seconds < 8


def test_the_triggerer_rebuilds_the_same_trigger() -> None:
    path, arguments = waiting(60).serialize()
    module, _, name = path.rpartition(".")
    assert (module, name) == (DeliveryTrigger.__module__, DeliveryTrigger.__name__)
    assert DeliveryTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)
