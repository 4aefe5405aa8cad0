"""Deliveries after the deadline: the watch that starts a run, and what the runs say that have nothing to do."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent
from helpers.deliveries import query
from helpers.inbox import Server, district, everything_in, put, sftp_server

from rollcall.airflow.triggers.arrival_watch import ArrivalWatch, arrival_asset
from rollcall.airflow.triggers.night import NightTrigger
from rollcall.arrival.night import Ending, NightRun, Wait, begin, end
from rollcall.ledger import open_delivery, record_district, record_night
from rollcall.settings import settings, working_on
from rollcall.steps import receive
from rollcall.warehouse import connect

FILES = {"orgs.csv": b"sourcedId\n1\n", "users.csv": b"sourcedId\n7\n"}
STABLE_AFTER = 0.6
LONG_ENOUGH = 4.0
TODAY = date(2026, 11, 24)


def district_file(folder: Path, *lines: str, hours_to_the_night: int = 12) -> None:
    """A district whose night began long ago, and whose next one is some hours away."""
    hour = (datetime.now(UTC).hour + hours_to_the_night) % 24
    text = [
        "name: Maple", "files: [orgs, users]", "timezone: Etc/UTC", f"schedule: '0 {hour} * * *'", "deadline: '00:00'",
        f"stable_after_seconds: {STABLE_AFTER}", "poll_interval_seconds: 0.2", *lines,
    ]  # fmt: skip
    defaults = Path(__file__).parents[2] / "dags" / "districts" / "_defaults.yaml"
    (folder / "_defaults.yaml").write_bytes(defaults.read_bytes())
    (folder / "maple.yaml").write_text("\n".join(text) + "\n")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with sftp_server(tmp_path / "sftp", "maple") as running:
        yield running


@pytest.fixture
def inbox(server: Server) -> Path:
    return server.inbox()


@pytest.fixture(autouse=True)
def world(server: Server, warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the district files."""
    folder = tmp_path / "districts"
    folder.mkdir()
    district_file(folder, "intraday: true")
    value = {
        "conn_type": "sftp",
        "host": "127.0.0.1",
        "port": server.port,
        "login": "maple",
        "password": "correct horse",
    }
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("AIRFLOW_CONN_SFTP_MAPLE", json.dumps({**value, "extra": {"host_key": server.host_key}}))
    with working_on(districts_dir=folder, archive_url=(tmp_path / "archive").as_uri()):
        yield folder


class Store:
    """What Airflow keeps for an asset, as long as the test lasts."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def aget(self, key: str) -> Any:
        return self.values.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value


def events(
    *meanwhile: tuple[float, Callable[[], object]], seconds: float = LONG_ENOUGH, store: Store | None = None
) -> list[dict[str, Any]]:
    """What the watch says within some seconds, while things happen."""

    async def act(delay: float, what: Callable[[], object]) -> None:
        await asyncio.sleep(delay)
        await asyncio.to_thread(what)

    async def run() -> list[dict[str, Any]]:
        watch, said = ArrivalWatch("maple"), []
        watch.asset_state_store = store  # type: ignore[assignment]  # it asks for no more
        acts = [asyncio.create_task(act(delay, what)) for delay, what in meanwhile]
        try:
            async with asyncio.timeout(seconds):
                async for event in watch.run():
                    said.append(event.payload)  # noqa: PERF401 -- it never ends by itself
        except TimeoutError:
            pass
        await asyncio.gather(*acts)
        return said

    return asyncio.run(run())


COMPLETE = {"district": "maple", "files": ["orgs.csv", "users.csv"]}


def test_a_delivery_by_day_fires_once(inbox: Path) -> None:
    put(inbox, FILES)
    assert events() == [COMPLETE]


def test_a_later_delivery_fires_again(inbox: Path) -> None:
    put(inbox, FILES)
    assert events((2.0, lambda: put(inbox, {"users.csv": b"sourcedId\n7\n8\n"})), seconds=8) == [COMPLETE, COMPLETE]


def test_a_restart_of_the_triggerer_does_not_repeat_it(inbox: Path) -> None:
    put(inbox, FILES)
    store = Store()
    assert events(store=store) == [COMPLETE]
    assert events(store=store) == []
    put(inbox, {"users.csv": b"sourcedId\n7\n8\n"})
    assert events(store=store) == [COMPLETE]


def test_half_a_delivery_does_not_fire(inbox: Path) -> None:
    put(inbox, {"orgs.csv": b"x"})
    assert events(seconds=2) == []


def test_half_a_delivery_fires_whose_manifest_calls_the_other_half_absent(inbox: Path) -> None:
    put(inbox, {"orgs.csv": b"x", "manifest.csv": b"file.orgs,bulk\nfile.users,absent\n"})
    assert [event["files"] for event in events()] == [["manifest.csv", "orgs.csv"]]


def test_what_is_too_much_fires_once_for_its_reason_to_be_told(inbox: Path) -> None:
    put(inbox, {"orgs.csv": b""})
    os.truncate(inbox / "orgs.csv", 5 * 1024**3)
    assert events() == [{"district": "maple", "files": ["orgs.csv"]}]


def test_files_of_two_nights_do_not_fire(inbox: Path) -> None:
    put(inbox, FILES)
    os.utime(inbox / "orgs.csv", (1_700_000_000, 1_700_000_000))
    assert events(seconds=2) == []


@pytest.mark.parametrize(
    ("lines", "hours"),
    [(("intraday: false",), 12), (("intraday: true",), 3),
     (("intraday: true", "pauses: [{first_night: 2000-01-01, last_night: 2999-12-31}]"), 12)],
)  # fmt: skip
def test_outside_of_its_hours_it_does_not_fire(inbox: Path, world: Path, lines: tuple[str, ...], hours: int) -> None:
    district_file(world, *lines, hours_to_the_night=hours)
    put(inbox, FILES)
    assert events(seconds=2) == []


def test_a_server_that_comes_back_costs_nothing(server: Server, inbox: Path) -> None:
    put(inbox, FILES)
    server.stop()
    assert events((1.0, server.start), seconds=8) == [COMPLETE]


def test_a_mistake_in_the_districts_file_ends_no_watch(inbox: Path, world: Path) -> None:
    put(inbox, FILES)
    (world / "maple.yaml").write_text("name: [")
    settings_interval = settings().poll_interval_seconds
    assert settings_interval > LONG_ENOUGH
    assert events(seconds=1) == []


def test_the_triggerer_rebuilds_the_same_watch_and_the_asset_names_the_district() -> None:
    path, arguments = ArrivalWatch("maple").serialize()
    assert path == f"{ArrivalWatch.__module__}.{ArrivalWatch.__name__}"
    assert ArrivalWatch(**arguments).serialize() == (path, arguments)
    assert arrival_asset(district()).name == "arrival__maple"


def night_run(run_type: str) -> NightRun:
    return NightRun("later", run_type, TODAY)


NOTHING = {"status": "deadline", "found": [], "missing": ["orgs", "users"], "trouble": None}


def ends(run_type: str, event: dict[str, Any]) -> tuple[str, str]:
    """How the wait ends when the one that looks into the inbox says something."""
    ending = end(district(), night_run(run_type), event)
    return ending.state, ending.message


def ends_in_the_triggerer() -> TriggerEvent:
    """The one event of the task's trigger, for a run that a person started."""
    context = {
        "params": {"service_date": str(TODAY), "source": "inbox", "wait_seconds": 20},
        "run_id": "later",
        "dag_run": SimpleNamespace(run_type="manual", logical_date=None, run_after=datetime.now(UTC)),
    }

    async def run() -> list[TriggerEvent]:
        trigger = NightTrigger("maple")
        trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]  # it asks for no more
            task_id="wait_for_delivery", get_template_context=lambda: context
        )
        return [event async for event in trigger.run()]

    (only,) = asyncio.run(run())
    return only


def night(url: str) -> list[tuple[Any, ...]]:
    return query(url, "select outcome, delivery_id from rollcall.night where service_date = %s", TODAY)


@pytest.fixture
def served(server: Server, inbox: Path) -> int:
    """A night that another run has served."""
    put(inbox, FILES)
    receipt = receive(district(), server.account(), service_date=TODAY, run_id="earlier")
    with connect() as connection:
        record_night(connection, "maple", TODAY, "waiting", run_id="later")
    return receipt.delivery.delivery_id


def test_a_cleared_run_waits_anew_where_its_delivery_was_left_in_the_inbox(server: Server, inbox: Path) -> None:
    put(inbox, FILES)
    os.truncate(inbox / "orgs.csv", 5 * 1024**3)
    receive(district(), server.account(), service_date=TODAY, run_id="later")
    assert isinstance(begin(district(), night_run("manual")), Wait)
    put(inbox, FILES)
    receive(district(), server.account(), service_date=TODAY, run_id="later")
    assert begin(district(), night_run("manual")).state == "success", "now it has one"  # type: ignore[union-attr]


def test_law_1_a_run_that_begins_to_wait_has_what_an_interrupted_one_set_aside_in_the_inbox(inbox: Path) -> None:
    """Nobody else sees it there: the sensor lists the inbox itself."""
    with connect() as connection:
        record_district(connection, district())
        number = open_delivery(connection, district(), TODAY, "killed").delivery_id
    (inbox / ".rollcall" / str(number)).mkdir(parents=True)
    put(inbox / ".rollcall" / str(number), FILES)
    ended = ends_in_the_triggerer()
    assert everything_in(inbox) == FILES
    assert isinstance(ended, TaskSuccessEvent)


@pytest.mark.parametrize("run_type", ["scheduled", "asset_triggered"])
def test_a_run_for_a_night_that_is_served_skips(served: int, run_type: str, warehouse_url: str) -> None:
    kind, message = ends(run_type, NOTHING)
    assert kind == "skipped"
    assert message == f"The night of {TODAY} has delivery {served}; nothing new has come since."
    assert night(warehouse_url) == [("in_progress", served)], "the other run is at work on it"


def test_a_run_that_an_arrival_started_skips_when_the_files_are_gone(warehouse_url: str) -> None:
    with connect() as connection:
        record_district(connection, district())
    kind, message = ends("asset_triggered", NOTHING)
    assert kind == "skipped"
    assert "It is taken when it is whole again" in message
    assert night(warehouse_url) == [("not_expected", None)]


def test_it_does_not_write_over_what_the_night_says(warehouse_url: str) -> None:
    with connect() as connection:
        record_district(connection, district())
        record_night(connection, "maple", TODAY, "missing", message="nothing came")
    assert ends("asset_triggered", NOTHING)[0] == "skipped"
    assert night(warehouse_url) == [("missing", None)]


def test_a_scheduled_run_fails_as_ever_when_nothing_came(warehouse_url: str) -> None:
    with connect() as connection:
        record_district(connection, district())
    kind, message = ends("scheduled", NOTHING)
    assert kind == "failed"
    assert f"sent nothing for {TODAY}" in message
    assert night(warehouse_url) == [("missing", None)]


def test_a_workbook_alone_is_named(warehouse_url: str) -> None:
    with connect() as connection:
        record_district(connection, district())
    _, message = ends("scheduled", {**NOTHING, "strays": ["roster.xlsx"]})
    assert "no CSV file and no zip for 2026-11-24, only roster.xlsx" in message


def test_a_refused_password_fails_every_run(served: int, warehouse_url: str) -> None:
    kind, _ = ends("asset_triggered", {"status": "refused", "message": "No."})
    assert kind == "failed"
    assert night(warehouse_url) == [("refused", served)]


def test_a_delivery_on_an_unexpected_weekday_is_taken_and_one_in_a_pause_is_not(warehouse_url: str) -> None:
    tuesday_off = district(expected_weekdays=("monday",))
    assert isinstance(begin(tuesday_off, night_run("asset_triggered")), Wait)
    assert isinstance(begin(tuesday_off, night_run("scheduled")), Ending)
    pause = {"first_night": TODAY, "last_night": TODAY + timedelta(days=1)}
    pausing = district(pauses=(pause,))
    ending = begin(pausing, night_run("asset_triggered"))
    assert isinstance(ending, Ending)
    assert ending.state == "skipped"
    assert "paused" in ending.message
    assert night(warehouse_url) == [("not_expected", None)]


def test_the_inbox_is_empty_after_a_day_like_this(served: int, inbox: Path) -> None:
    assert everything_in(inbox) == {}
