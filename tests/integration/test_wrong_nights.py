"""Which nights there can be: what each way in refuses, the ledger's last fence, and what a correction refuses."""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError
from helpers.deliveries import execute, query
from helpers.inbox import Server, district, everything_in, put, sftp_server
from helpers.logged import heard_by
from helpers.threads import Thread

from rollcall import ledger
from rollcall.archive.receive import NightServedError
from rollcall.arrival.night import Ending, NightRun, begin
from rollcall.cli import main
from rollcall.conform import CannotCorrectNightError, correct_night
from rollcall.conform.ledger import waiting_deliveries
from rollcall.nights import ImpossibleNightError, impossible_because
from rollcall.pointer import publish as publish_delivery
from rollcall.report.report import report
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.states import DeliveryState
from rollcall.steps import receive
from rollcall.warehouse import WarehouseError, connect
from rollcall.who import Person

FILES = {"orgs.csv": b"sourcedId\n1\n", "users.csv": b"sourcedId\n7\n"}
NIGHT = date(2026, 11, 23)
TO_COME = datetime.now(UTC).date() + timedelta(days=2)
"""The day after tomorrow has come nowhere on earth."""
END_OF_TIME = date(9999, 12, 31)


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "districts"
    folder.mkdir()
    (folder / "_defaults.yaml").write_bytes((PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml").read_bytes())
    (folder / "maple.yaml").write_text("name: Maple\nfiles: [orgs, users]\n")
    with working_on(districts_dir=folder, archive_url=(tmp_path / "archive").as_uri()):
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sftp_server(tmp_path_factory.mktemp("sftp"), "maple") as running:
        yield running


def accepted(url: str, night: date, sequence: int = 1, state: str = "published", name: str = "") -> int:
    """A delivery that was accepted, as the ledger has it."""
    with connect() as connection:
        ledger.record_district(connection, district())
        opened = ledger.open_delivery(connection, district(), night, name or f"run_{sequence}")
    execute(
        url,
        "update rollcall.delivery set state = %s, accepted_sequence = %s where delivery_id = %s",
        state,
        sequence,
        opened.delivery_id,
    )
    return opened.delivery_id


def publish(url: str, night: date, sequence: int = 1) -> int:
    """A delivery that readers see."""
    delivery_id = accepted(url, night, sequence, "accepted")
    with connect(role=None) as connection:
        assert publish_delivery(connection, delivery_id, None)
    return delivery_id


def rows(url: str) -> dict[str, int]:
    """How many rows the tables have that a run writes first."""
    tables = ("district", "delivery", "night", "publication")
    return {table: query(url, f"select count(*) from rollcall.{table}")[0][0] for table in tables}


def test_law_10_a_night_is_of_the_districts_own_time_zone() -> None:
    """Between the date line's two sides there are always two dates."""
    east, west = district(timezone="Pacific/Kiritimati"), district(timezone="Etc/GMT+12")
    now = datetime.now(UTC)
    today_east = east.service_date(now)
    assert west.service_date(now) < today_east
    with connect() as connection:
        assert impossible_because(connection, east, today_east) is None
        assert impossible_because(connection, west, west.service_date(now)) is None
        said = impossible_because(connection, west, today_east)
        ledger.record_district(connection, east)
        assert ledger.open_delivery(connection, east, today_east, "east").service_date == today_east
    assert said is not None
    assert f"The night of {today_east} has not come: for maple (Etc/GMT+12) it is {west.service_date(now)}." in said


def test_law_10_no_night_lies_before_the_first_one_that_was_accepted(warehouse_url: str) -> None:
    with connect() as connection:
        assert impossible_because(connection, district(), NIGHT - timedelta(days=9_000)) is None, "nothing is first"
    accepted(warehouse_url, NIGHT)
    accepted(warehouse_url, NIGHT + timedelta(days=1), 2)
    with connect() as connection:
        assert impossible_because(connection, district(), NIGHT) is None
        said = impossible_because(connection, district(), NIGHT - timedelta(days=1))
        assert f"lies before the first one of maple, {NIGHT}" in (said or "")
        assert impossible_because(connection, district("birch"), NIGHT - timedelta(days=1)) is None, "law 6"


def fenced_off(url: str) -> None:
    """The ledger without its fence, as an older version had it."""
    for table in ("delivery", "night", "publication", "publication_event"):
        execute(url, f"alter table rollcall.{table} disable trigger night_has_come")


def test_law_10_a_first_night_that_has_not_come_is_a_mistake_and_keeps_no_real_night_out(warehouse_url: str) -> None:
    fenced_off(warehouse_url)
    delivery_id = accepted(warehouse_url, NIGHT)
    execute(warehouse_url, "update rollcall.delivery set service_date = %s", END_OF_TIME)
    with connect() as connection:
        assert impossible_because(connection, district(), NIGHT) is None
        assert ledger.delivery(connection, delivery_id).service_date == END_OF_TIME


def begun(night: date, source: str = "inbox") -> tuple[str, str]:
    """How the wait of a run that a person started ends before it begins."""
    ending = begin(district(), NightRun("by hand", "manual", night, source))
    assert isinstance(ending, Ending)
    return ending.state, ending.message


@pytest.mark.parametrize("source", ["inbox", "archive/1"])
@pytest.mark.parametrize("night", [TO_COME, END_OF_TIME])
def test_law_10_a_run_for_a_night_to_come_fails_before_anything_is_written(
    warehouse_url: str, server: Server, night: date, source: str
) -> None:
    before = rows(warehouse_url)
    state, message = begun(night, source)
    assert state == "failed"
    assert f"The night of {night} has not come" in message
    said: list[str] = []
    failed = ("wait_for_delivery",)
    with heard_by(said.append):
        assert report(district(), night, "by hand", server.account(), failed_tasks=failed) == "failed"
    assert f"The night of {night} has not come" in " ".join(said)
    assert rows(warehouse_url) == before


def test_law_10_a_run_for_a_night_before_the_first_fails_before_anything_is_written(warehouse_url: str) -> None:
    accepted(warehouse_url, NIGHT)
    before = rows(warehouse_url)
    state, message = begun(NIGHT - timedelta(days=1))
    assert state == "failed"
    assert "lies before the first one of maple" in message
    assert rows(warehouse_url) == before


@pytest.fixture
def params() -> Iterator[Any]:
    """What a person can say when starting a run, as the DAG has it."""
    sys.path.insert(0, str(PROJECT_ROOT / "dags"))
    try:
        import district_roster

        yield district_roster.run_params()
    finally:
        sys.path.remove(str(PROJECT_ROOT / "dags"))


@pytest.mark.parametrize("night", ["9999-12-31", "1962-11-17", "2026-13-01", "20261117", "11/17/2026", "2026-11-99"])
def test_the_form_takes_no_night_that_cannot_be_a_slip_of_a_day(params: Any, night: str) -> None:
    with pytest.raises(ParamValidationError):
        params["service_date"].resolve(night)
    assert params["service_date"].resolve(str(NIGHT)) == str(NIGHT)
    assert params["service_date"].resolve(None) is None


@pytest.mark.parametrize("night", [TO_COME, NIGHT - timedelta(days=1)])
def test_law_10_inject_takes_no_night_that_cannot_be(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], night: date
) -> None:
    accepted(warehouse_url, NIGHT)
    (tmp_path / "sent").mkdir()
    put(tmp_path / "sent", FILES)
    told = ["rollcall", "inject", "maple", str(tmp_path / "sent"), "--night", str(night)]
    monkeypatch.setattr(sys, "argv", told)
    with pytest.raises(SystemExit) as exited:
        main()
    assert exited.value.code == 2
    assert f"ImpossibleNight: The night of {night} " in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "archive").exists(), "nothing is archived for it"


def test_law_10_receive_opens_no_delivery_of_a_night_that_cannot_be(warehouse_url: str, server: Server) -> None:
    put(server.inbox(), FILES)
    with pytest.raises(ImpossibleNightError, match="has not come"):
        receive(district(), server.account(), service_date=TO_COME, run_id="run_1")
    assert rows(warehouse_url)["delivery"] == 0
    assert set(everything_in(server.inbox())) == set(FILES), "the night's own run takes them"
    for path in server.inbox().iterdir():
        path.unlink()


INSERTS = {
    "delivery": "insert into rollcall.delivery (district_id, service_date, run_id) values ('maple', %s, 'by SQL')",
    "night": "insert into rollcall.night (district_id, service_date, outcome) values ('maple', %s, 'missing')",
    "publication": "insert into rollcall.publication values ('maple', 2, 1, %s, now(), null)",
    "publication_event": "insert into rollcall.publication_event"
    " (district_id, sequence, delivery_id, effective_date, published_at) values ('maple', 2, 1, %s, now())",
}
UPDATES = {
    "delivery": "update rollcall.delivery set service_date = %s",
    "publication": "update rollcall.publication set effective_date = %s",
}


@pytest.mark.parametrize(
    ("table", "statement"), [*INSERTS.items(), *UPDATES.items()], ids=lambda value: str(value).split(" ", 1)[0]
)
def test_law_10_the_ledger_takes_no_night_that_has_come_nowhere_on_earth(
    warehouse_url: str, table: str, statement: str
) -> None:
    """Whoever writes it, and whatever was asked before."""
    accepted(warehouse_url, NIGHT)
    if statement.startswith("update"):
        publish(warehouse_url, NIGHT + timedelta(days=1), 2)
    with (
        pytest.raises(WarehouseError, match=rf"CheckViolation .* at rollcall {table} \w+ night_has_come"),
        connect(role=None) as connection,
    ):
        connection.execute(statement, (TO_COME,))
    latest = query(warehouse_url, "select rollcall.latest_night()")[0][0]
    with connect(role=None) as connection:
        connection.execute(statement.replace("'by SQL'", "'at the latest'"), (latest,))


def correct(to: date, wrong: date | None = None) -> Any:
    return correct_night(district(), to=to, wrong=wrong, by=Person("Jo", "jo"), why="a slip")


def refused(to: date, wrong: date | None = None) -> str:
    with pytest.raises(CannotCorrectNightError) as caught:
        correct(to, wrong)
    return str(caught.value)


def test_a_correction_refuses_what_would_be_another_mistake(warehouse_url: str) -> None:
    first, second, third = (NIGHT + timedelta(days=days) for days in (-10, -5, 0))
    with connect() as connection:
        ledger.record_district(connection, district())
    assert "Nothing of maple is published" in refused(third)
    for sequence, night in enumerate((first, second, third), start=1):
        publish(warehouse_url, night, sequence)
    assert "is the right one already" in refused(third)
    assert "has not come" in refused(TO_COME)
    assert f"readers saw that of {second}" in refused(second - timedelta(days=1))
    assert f"Readers of maple see the night of {third}, not that of {second}" in refused(first, second)
    assert f"Nothing of maple stands for the night of {TO_COME}" in refused(third, TO_COME)
    waiting = accepted(warehouse_url, third, 4, "accepted")
    execute(warehouse_url, "update rollcall.delivery set service_date = %s where delivery_id = %s", NIGHT, waiting)
    execute(warehouse_url, "update rollcall.publication set effective_date = %s", third - timedelta(days=1))
    assert f"Delivery {waiting} of maple is accepted and waits for its build" in refused(third)
    assert query(warehouse_url, "select count(*) from rollcall.night_correction") == [(0,)]


@pytest.mark.parametrize("days", [-2, 1], ids=["back", "forward"])
def test_law_8_a_night_that_has_come_is_corrected_and_what_stood_before_it_shows_on(
    warehouse_url: str, days: int
) -> None:
    """Nights that the publication stood for by the mistake only are no longer shown; nothing is deleted."""
    earlier, wrong = NIGHT - timedelta(days=5), NIGHT
    publish(warehouse_url, earlier, 1)
    delivery_id = publish(warehouse_url, wrong, 2)
    right = wrong + timedelta(days=days)

    done = correct(right)

    assert (done.from_night, done.delivery_ids, done.is_published) == (wrong, (delivery_id,), True)
    events = (
        "select sequence, effective_date, night_correction_id is null from rollcall.publication_event order by 1, 2"
    )
    assert query(warehouse_url, events) == sorted(
        [(1, earlier, True), (2, wrong, False), (2, right, True)], key=lambda event: event[:2]
    )
    as_of = {
        number: _published(warehouse_url, earlier + timedelta(days=number))
        for number in range((NIGHT - earlier).days + 2)
    }
    assert as_of == {
        number: 2 if earlier + timedelta(days=number) >= right else 1 for number in range((NIGHT - earlier).days + 2)
    }
    nights = query(warehouse_url, "select effective_date, sequence from rollcall.published_night order by 1")
    assert nights == [(earlier, 1), (right, 2)]


def _published(url: str, as_of: date) -> int:
    with connect(url, role=None) as connection:
        connection.execute("select set_config('roster.as_of', %s, true)", (str(as_of),))
        row = connection.execute("select sequence from rollcall.published").fetchone()
    return int(str(row and row[0]))


def test_an_accepted_delivery_of_a_night_to_come_is_built_once_it_is_corrected(warehouse_url: str) -> None:
    delivery_id = accepted(warehouse_url, NIGHT, 1, "accepted")
    fenced_off(warehouse_url)
    execute(warehouse_url, "update rollcall.delivery set service_date = %s", END_OF_TIME)

    def waiting() -> list[int]:
        with connect(role="rollcall_dbt") as session:
            return [each.delivery_id for each in waiting_deliveries(session, set())]

    assert waiting() == []
    assert correct(NIGHT, END_OF_TIME).delivery_ids == (delivery_id,)
    assert waiting() == [delivery_id]


def test_correct_night_says_what_is_left_to_do(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(warehouse_url, NIGHT - timedelta(days=3), 1)
    slip = publish(warehouse_url, NIGHT - timedelta(days=2), 2)
    other = accepted(warehouse_url, NIGHT - timedelta(days=1), 3, "unchanged")
    fenced_off(warehouse_url)
    execute(warehouse_url, "update rollcall.delivery set service_date = '2062-11-17' where delivery_id = %s", slip)
    execute(warehouse_url, "update rollcall.publication set effective_date = '2062-11-17'")
    execute(warehouse_url, "update rollcall.delivery set service_date = '2062-11-18' where delivery_id = %s", other)
    with connect() as connection:
        late = ledger.open_delivery(connection, district(), NIGHT, "real")
        ledger.set_state(
            connection, late.delivery_id, DeliveryState.SUPERSEDED, f"Delivery {slip} of 2062-11-17 took its place."
        )
    told = ["rollcall", "correct-night", "maple", "--to", str(NIGHT - timedelta(days=2)), "--why", "a slip"]
    monkeypatch.setattr(sys, "argv", told)
    with pytest.raises(SystemExit) as exited:
        main()
    said = " ".join(capsys.readouterr().out.split())
    assert exited.value.code == 0, said
    assert f"stood for the night of 2062-11-17 stands for that of {NIGHT - timedelta(days=2)} now" in said
    assert f"trigger roster__maple with Source archive/{late.delivery_id} and Night {NIGHT}" in said
    assert "correct it with --from 2062-11-18" in said


def test_of_several_runs_at_once_one_receives_and_the_others_wait_and_say_so(
    warehouse_url: str, server: Server
) -> None:
    put(server.inbox(), FILES)
    outcomes: list[Any] = []

    def run(name: str) -> Callable[[], None]:
        def act() -> None:
            try:
                outcomes.append(receive(district(), server.account(), service_date=NIGHT, run_id=name))
            except NightServedError as error:
                outcomes.append(str(error))

        return act

    with connect(role=None) as other:  # all three are there before the first may begin
        other.execute("select pg_advisory_xact_lock(hashtextextended('rollcall.receive.maple', 0))")
        threads = [Thread(target=run(name)) for name in ("one", "two", "three")]
        for thread in threads:
            thread.start()
        threads[0].join(timeout=2)
        assert outcomes == []
    for thread in threads:
        thread.join(timeout=60)
    taken, *others = sorted(outcomes, key=lambda outcome: isinstance(outcome, str))
    assert taken.files == ("orgs", "users")
    said = f"The night of {NIGHT} has delivery {taken.delivery.delivery_id}, which run {taken.delivery.run_id} received"
    assert [other.startswith(said) for other in others] == [True, True]
    assert rows(warehouse_url)["delivery"] == rows(warehouse_url)["night"] == 1

    put(server.inbox(), {"users.csv": b"sourcedId\n8\n"})
    with pytest.raises(NightServedError, match="Nothing else lies whole in the inbox"):
        receive(district(), server.account(), service_date=NIGHT, run_id="four")
    put(server.inbox(), FILES)
    again = receive(district(), server.account(), service_date=NIGHT, run_id="four")
    assert again.delivery.delivery_id != taken.delivery.delivery_id
    assert again.files == ("orgs", "users"), "what comes whole is taken"


@pytest.mark.parametrize("state", ["published", "unchanged", "rejected", "held", "discarded"])
def test_receiving_again_alone_leaves_the_night_as_it_ended(warehouse_url: str, server: Server, state: str) -> None:
    put(server.inbox(), FILES)
    first = receive(district(), server.account(), service_date=NIGHT, run_id="one")
    night = "select outcome, delivery_id from rollcall.night"
    assert query(warehouse_url, night) == [("in_progress", first.delivery.delivery_id)]
    execute(warehouse_url, "update rollcall.delivery set state = %s", state)
    report(district(), NIGHT, "one", server.account(), failed_tasks=())
    receive(district(), server.account(), service_date=NIGHT, run_id="one")
    assert query(warehouse_url, night) == [(state, first.delivery.delivery_id)]


@pytest.mark.parametrize("failed", [(), ("receive",)])
def test_a_run_that_received_nothing_leaves_a_night_alone_that_another_one_served(
    warehouse_url: str, server: Server, failed: tuple[str, ...]
) -> None:
    delivery_id = accepted(warehouse_url, NIGHT, name="served")
    with connect() as connection:
        ledger.record_night(connection, "maple", NIGHT, "published", delivery_id=delivery_id, run_id="served")
    before = query(warehouse_url, "select * from rollcall.night")
    report(district(), NIGHT, "idle", server.account(), failed_tasks=failed)
    assert query(warehouse_url, "select * from rollcall.night") == before
