"""``rollcall status``: how each district stands, and since when it has not been good."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpers.deliveries import execute, query
from helpers.inbox import district
from helpers.on_record import rekeyed
from typer.testing import CliRunner

from rollcall import ledger
from rollcall.cli import app
from rollcall.report.status import DistrictState, district_states
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.states import DeliveryState
from rollcall.warehouse import connect

FIRST_NIGHT = date(2026, 11, 20)
DEFAULTS = PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml"


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path) -> Iterator[None]:
    with working_on(districts_dir=tmp_path):
        with connect() as connection:
            ledger.record_district(connection, district())
        yield


@pytest.fixture
def nights(warehouse_url: str) -> Callable[..., None]:
    """Nights that ended in some states, one after the other; the published ones move the pointer."""

    def act(*outcomes: str) -> None:
        for number, outcome in enumerate(outcomes, start=1):
            with connect(role=None) as connection:
                one_night(connection, number, outcome)

    return act


def one_night(connection: Any, number: int, outcome: str) -> None:
    night, state = FIRST_NIGHT + timedelta(days=number - 1), outcome
    if outcome in ("missing", "waiting", "not_expected"):
        ledger.record_night(connection, "maple", night, outcome, message="Nothing came.")
        return
    delivery = ledger.open_delivery(connection, district(), night, f"run_{number}")
    ledger.set_state(connection, delivery.delivery_id, DeliveryState(state), "Because.")
    told = "in_progress" if outcome == "held" else outcome
    ledger.record_night(connection, "maple", night, told, delivery_id=delivery.delivery_id)
    if outcome == "published":
        connection.execute(
            "insert into rollcall.publication values ('maple', %s, %s, %s, now(), null) on conflict (district_id) "
            "do update set sequence = excluded.sequence, effective_date = excluded.effective_date",
            (number, delivery.delivery_id, night),
        )


def status(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["status", *options])
    return result.exit_code, result.stdout


def maple() -> dict[str, Any]:
    (state,) = json.loads(status("--json")[1])
    return dict(state)


def test_the_ledger_knows_the_states_that_the_program_knows(warehouse_url: str) -> None:
    ((constraint,),) = query(
        warehouse_url,
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = 'rollcall.delivery'::regclass and conname = 'delivery_state_check'",
    )
    assert set(re.findall(r"'(\w+)'", constraint)) == set(DeliveryState)


def test_a_night_ends_in_no_other_word_than_the_programs(warehouse_url: str) -> None:
    with (
        connect(warehouse_url) as connection,
        pytest.raises(ValueError, match="'vanished' is not a valid NightOutcome"),
    ):
        ledger.record_night(connection, "maple", FIRST_NIGHT, "vanished")


def test_a_good_night(nights: Callable[..., None]) -> None:
    nights("published")
    assert maple() == {
        "district": "maple", "state": "published", "night": "2026-11-20", "delivery": 1, "published_sequence": 1,
        "last_good": "2026-11-20", "nights_since": 0, "message": "Because.",
    }  # fmt: skip
    assert status()[0] == 0


def test_nights_in_a_row_without_a_roster_are_counted(nights: Callable[..., None]) -> None:
    nights("missing", "published", "rejected", "not_expected", "missing", "held")
    assert (maple()["state"], maple()["last_good"], maple()["nights_since"]) == ("held", "2026-11-21", 3)
    code, table = status()
    assert code == 1
    assert "2026-11-21, 3 nights without" in table


def test_a_file_name_in_the_message_is_no_markup(nights: Callable[..., None], warehouse_url: str) -> None:
    nights("missing")
    message = "only [/][link=https://example.org]press[/link].txt."
    execute(warehouse_url, "update rollcall.night set message = %s", message)
    code, table = status()
    assert code == 1
    assert message in table


def test_a_night_that_is_not_over_does_not_count(nights: Callable[..., None]) -> None:
    nights("published", "waiting")
    assert (maple()["state"], maple()["nights_since"]) == ("late", 0)


def test_a_district_that_was_never_good_says_so(nights: Callable[..., None]) -> None:
    nights("rejected")
    assert (maple()["last_good"], maple()["nights_since"]) == (None, 1)
    assert "never, 1 night without" in status()[1]


def test_a_district_that_was_removed_waits_for_nobody_and_keeps_its_history(
    nights: Callable[..., None], tmp_path: Path
) -> None:
    nights("published", "missing", "held")
    assert maple()["state"] == "held"
    (tmp_path / "maple.yaml.removed").touch()
    assert status()[0] == 0
    found = maple()
    assert (found["state"], found["last_good"], found["nights_since"]) == ("removed", str(FIRST_NIGHT), 0)
    told = CliRunner().invoke(app, ["history", "maple"])
    assert [line.split()[0] for line in told.stdout.splitlines()[1:]] == ["2026-11-22", "2026-11-21", "2026-11-20"]
    before = CliRunner().invoke(app, ["history", "maple", "--before", "2026-11-21", "--json"])
    assert [night["outcome"] for night in json.loads(before.stdout)["nights"]] == ["published"]
    assert CliRunner().invoke(app, ["history", "nobody"]).exit_code == 1


def test_a_paused_district_is_paused_whatever_its_last_night_was(
    nights: Callable[..., None], file: Callable[..., None], warehouse_url: str
) -> None:
    file("pauses: [{first_night: 2020-01-01, last_night: 2099-12-31, reason: summer}]")
    nights("missing")
    assert (maple()["state"], maple()["nights_since"]) == ("paused", 1)
    execute(warehouse_url, "delete from rollcall.night")
    assert maple()["state"] == "paused"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., None]:
    """Gives maple its file: the run starts at 07:00 UTC, the deadline is 11:00 UTC."""

    def write(*lines: str) -> None:
        (tmp_path / DEFAULTS.name).write_bytes(DEFAULTS.read_bytes())
        (tmp_path / "maple.yaml").write_text("\n".join(["name: Maple", *lines]))

    return write


def maple_at(day: int, hour: int, minute: int = 0) -> DistrictState:
    """Maple's state at a moment of November 2026, in UTC."""
    with connect() as connection:
        (state,) = district_states(connection, datetime(2026, 11, day, hour, minute, tzinfo=UTC))
    return state


def test_a_night_without_a_run_is_late_and_after_its_deadline_missing(
    nights: Callable[..., None], file: Callable[..., None]
) -> None:
    """A dead scheduler writes nothing into the ledger: the last good night is no good news ten days later."""
    file()
    nights("published")  # of the 20th
    state = maple_at(21, 6, 59)
    assert (state.state, state.night, state.nights_since) == ("published", FIRST_NIGHT, 0)
    assert maple_at(21, 7, 10).state == "published", "a busy scheduler needs a moment"
    state = maple_at(21, 7, 30)
    assert (state.state, state.night, state.nights_since) == ("late", date(2026, 11, 21), 0)
    state = maple_at(21, 11, 1)
    assert (state.state, state.night, state.nights_since) == ("missing", date(2026, 11, 21), 1)
    assert maple_at(30, 8).state == "missing", "tonight's run may still come, those before will not"
    state = maple_at(30, 12)
    assert (state.state, state.night, state.delivery) == ("missing", date(2026, 11, 30), None)
    assert (state.last_good, state.nights_since, state.published_sequence) == (FIRST_NIGHT, 10, 1)
    assert state.message is not None
    assert state.message.startswith("No run has started for 10 nights, since 2026-11-21.")


def test_status_knows_what_day_it_is(nights: Callable[..., None], file: Callable[..., None]) -> None:
    """Years later, by this machine's clock: the command, too, says so, and exits 1."""
    file()
    nights("published")
    with connect(role=None) as connection:
        connection.execute("update rollcall.night set service_date = '2020-01-01'")
        connection.execute("update rollcall.publication set effective_date = '2020-01-01'")
    assert maple()["state"] == "missing", "whatever the hour: only tonight's run may still come"
    assert maple()["nights_since"] > 300
    code, table = status()
    assert code == 1
    assert "2020-01-01," in table


def test_nights_on_which_nothing_is_expected_are_not_missed(
    nights: Callable[..., None], file: Callable[..., None]
) -> None:
    file("expected_weekdays: [monday, friday]")
    nights("published")  # of Friday the 20th
    assert maple_at(22, 12).state == "published"
    state = maple_at(25, 12)
    assert (state.state, state.night, state.nights_since) == ("missing", date(2026, 11, 23), 1)
    file("pauses: [{first_night: 2026-11-21, last_night: 2026-11-25}]")
    assert maple_at(25, 12).state == "paused"
    assert (maple_at(26, 6).state, maple_at(26, 12).nights_since) == ("published", 1)


def test_nights_without_a_run_between_others_count(nights: Callable[..., None], file: Callable[..., None]) -> None:
    file()
    nights("published", "missing")
    with connect() as connection:
        one_night(connection, 5, "rejected")  # of the 24th
    assert (maple_at(24, 12).state, maple_at(24, 12).nights_since) == ("rejected", 4)
    assert maple_at(25, 12).message == (
        "No run has started for the night of 2026-11-25. Look whether Airflow's scheduler runs and roster__maple is "
        "not paused, then trigger it with Night 2026-11-25."
    )


def test_a_hold_is_not_forgotten_over_a_later_night(nights: Callable[..., None], file: Callable[..., None]) -> None:
    file()
    nights("published", "held")
    assert (maple_at(21, 12).state, maple_at(21, 12).message) == ("held", "Because.")
    told = maple_at(22, 12)
    assert told.state == "missing"
    assert (told.message or "").endswith("Delivery 2 of 2026-11-21 still waits for a decision.")
    with connect() as connection:
        one_night(connection, 3, "missing")
    assert maple_at(22, 12).message == "Nothing came. Delivery 2 of 2026-11-21 still waits for a decision."
    file("pauses: [{first_night: 2026-11-22, last_night: 2026-11-25}]")
    waits = maple_at(23, 12)
    assert (waits.state, waits.night, waits.delivery) == ("held", date(2026, 11, 21), 2), "a pause does not hide it"
    assert waits.message == "Delivery 2 of 2026-11-21 still waits for a decision."
    file("expected_weekdays: [monday]")
    with connect() as connection:
        one_night(connection, 4, "not_expected")
    assert maple_at(23, 6).state == "held", "nor does a day without deliveries"


def test_a_run_that_waits_beyond_its_deadline_is_stuck(nights: Callable[..., None], file: Callable[..., None]) -> None:
    """A dead triggerer lets runs wait for ever."""
    file()
    nights("published", "waiting")
    with connect(role=None) as connection:
        connection.execute("update rollcall.night set updated_at = '2026-11-21 07:00:05+00'")
    assert (maple_at(21, 10).state, maple_at(21, 11, 10).state) == ("late", "late")
    stuck = maple_at(21, 12)
    assert (stuck.state, stuck.nights_since) == ("missing", 1)
    assert "triggerer" in (stuck.message or "")


def test_a_night_that_nobody_can_have_had_pins_nothing(nights: Callable[..., None], file: Callable[..., None]) -> None:
    file()
    nights("published")
    with connect(role=None) as connection:
        connection.execute("set local session_replication_role = replica")  # as an earlier version let it in
        connection.execute("insert into rollcall.night (district_id, service_date, outcome) "
                           "values ('maple', '9999-12-31', 'missing')")  # fmt: skip
    assert (maple_at(20, 12).state, maple_at(20, 12).night) == ("published", FIRST_NIGHT)


def test_a_district_whose_file_is_broken_says_so(nights: Callable[..., None], file: Callable[..., None]) -> None:
    """No run of it starts, so the ledger's last word is no news."""
    file("timezone: Mars/Olympus")
    nights("published")
    code, table = status()
    assert (code, maple()["state"], maple()["last_good"]) == (1, "misconfigured", "2026-11-20")
    assert maple()["message"].startswith("maple.yaml: timezone: 'Mars/Olympus' is not a time zone")
    assert "Misconfigured (1)  Fix the district's file as the message says." in table
    assert "rollcall districts check" in table


def test_a_district_without_a_night_yet_is_new(file: Callable[..., None], warehouse_url: str) -> None:
    file()
    assert maple_at(30, 12).state == "new"
    execute(warehouse_url, "delete from rollcall.district")
    assert maple_at(30, 12).state == "new"


def test_airflow_that_does_not_answer_is_said_and_keeps_nothing_back(nights: Callable[..., None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never says a word
        nights("published")
        with working_on(airflow_url=f"http://127.0.0.1:{silent.getsockname()[1]}"):
            result = CliRunner().invoke(app, ["status", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["state"] == "published"
    assert result.stderr.startswith("api-server is dead: Airflow at http://127.0.0.1:")


def test_a_rollback_is_told_until_the_next_night(nights: Callable[..., None]) -> None:
    nights("published", "published")
    with connect(role=None) as connection:
        connection.execute(
            """
            with back as (
                insert into rollcall.delivery
                    (district_id, service_date, run_id, source, state, state_reason, arrived_at)
                values ('maple', %s, 'back', 'rollback', 'published', 'Rolled back by Jo.', now() + interval '1 second')
                returning delivery_id
            )
            update rollcall.publication set sequence = 3, delivery_id = back.delivery_id from back
            """,
            (FIRST_NIGHT + timedelta(days=1),),
        )
    code, _ = status()
    told = maple()
    assert (code, told["state"], told["message"]) == (0, "rolled_back", "Rolled back by Jo.")
    assert (told["delivery"], told["published_sequence"], told["last_good"]) == (3, 3, "2026-11-21")

    with connect() as connection:
        one_night(connection, 3, "missing")
    assert maple()["state"] == "missing"


def test_new_ids_that_could_not_be_built_need_somebody_until_something_newer_is_published(
    nights: Callable[..., None],
) -> None:
    nights("published", "published")
    with connect(role=None) as connection:
        given = rekeyed(connection, "maple", FIRST_NIGHT, 3, "accepted", "Other ids, by Ada: new SIS")
    code, _ = status()
    told = maple()
    assert (code, told["state"], told["delivery"]) == (0, "in_progress", given)
    assert told["message"] == f"Delivery {given} waits for its build. Other ids, by Ada: new SIS"

    for state in ("conform_failed", "audit_failed"):
        with connect() as connection:
            ledger.set_state(connection, given, DeliveryState(state), "hist_users: SQLSTATE 23514")
        code, _ = status()
        told = maple()
        assert (code, told["state"], told["delivery"], told["last_good"]) == (1, state, given, "2026-11-21")
        assert "are not published: hist_users: SQLSTATE 23514. Readers keep the old ones." in told["message"]

    with connect() as connection:
        one_night(connection, 3, "missing")
    assert maple()["message"].startswith(f"Nothing came. The new ids of delivery {given} are not published")
    with connect() as connection:
        one_night(connection, 4, "held")
    told = maple()
    assert (told["state"], told["delivery"]) == ("audit_failed", given), "the hold waits for them"
    assert told["message"].endswith("still waits for a decision.")
    with connect(role=None) as connection:
        one_night(connection, 5, "published")
    told = maple()
    assert (told["state"], told["published_sequence"]) == ("published", 5)


def test_status_prints_a_districts_words_word_for_word_and_obeys_nothing_of_them(nights: Callable[..., None]) -> None:
    """An id that rich would take for markup ended `status`; one with escape characters is obeyed by a terminal."""
    nights("published")
    school = "[/] [link=http://evil.example]ok[/link] \x1b[2J"
    with connect() as connection:
        ledger.record_night(connection, "maple", FIRST_NIGHT, "failed", message=f"School {school} is gone.")
        connection.execute("update rollcall.delivery set state_reason = null")
    told = CliRunner().invoke(app, ["status"])
    assert told.exit_code == 1
    assert "School [/] [link=http://evil.example]ok[/link] \\x1b[2J is gone." in " ".join(told.stdout.split())


def test_status_groups_by_what_needs_doing_within_80_columns(
    nights: Callable[..., None], warehouse_url: str, tmp_path: Path
) -> None:
    nights("published", "held")
    execute(warehouse_url, "update rollcall.delivery set state_reason = %s where state = 'held'", "Too few. " * 30)
    execute(
        warehouse_url,
        "insert into rollcall.district (district_id, name, enrollment_end_date) values ('oak', 'Oak', 'inclusive')",
    )
    (tmp_path / DEFAULTS.name).write_bytes(DEFAULTS.read_bytes())
    long_name = "a-very-long-name-of-a-district-that-nobody-would-ever-type"
    (tmp_path / f"{long_name}.yaml").write_text("timezone: Mars/Olympus")
    code, told = status()
    assert code == 1
    assert max(map(len, told.splitlines())) <= 80
    assert [line for line in told.splitlines() if re.match(r"\S", line)] == [
        "2 districts need somebody; 1 do not.",
        "On hold (1)  Read why, then press Approve or Discard.",
        "Misconfigured (1)  Fix the district's file as the message says.",
        "No night yet (1)  ",
    ]
    assert "rollcall approve DELIVERY --why TEXT" in told
    assert f"  {long_name}\n" in told
    needing = json.loads(status("--needs-action", "--json")[1])
    assert {each["district"]: each["state"] for each in needing} == {"maple": "held", long_name: "misconfigured"}


def test_a_night_that_is_over_is_looked_back_at(nights: Callable[..., None], file: Callable[..., None]) -> None:
    file()
    nights("published", "missing", "published")
    past = json.loads(status("--night", "2026-11-21", "--json")[1])
    assert [(each["state"], each["night"]) for each in past] == [("missing", "2026-11-21")]
    assert (status("--night", "2026-11-21")[0], status("--night", "2026-11-20")[0]) == (1, 0)
    refused = CliRunner().invoke(app, ["status", "--night", "2999-01-01"])
    assert (refused.exit_code, "has not come" in refused.stderr) == (2, True)


def test_somebody_who_watches_sees_what_changes(
    nights: Callable[..., None], warehouse_url: str, tmp_path: Path
) -> None:
    nights("published", "held")
    ours, theirs = pty.openpty()
    # Ctrl-C counts, though tests that run in the background ignore it, and what they start.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from rollcall.cli import main"
    command = [sys.executable, "-c", f"{listening}; main()", "status", "--watch", "--needs-action"]
    here = {"AIRFLOW_CONN_WAREHOUSE": warehouse_url, "ROLLCALL_DISTRICTS_DIR": str(tmp_path), "TERM": "xterm"}
    watching = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **here}, start_new_session=True
    )
    os.close(theirs)
    try:
        read_until(ours, b"On hold (1)")
        execute(warehouse_url, "update rollcall.delivery set state = 'discarded'")
        read_until(ours, b"0 districts need somebody")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0
    finally:
        watching.kill()
        os.close(ours)
    refused = CliRunner().invoke(app, ["status", "--watch"])
    assert (refused.exit_code, "for a person at a terminal" in refused.stderr) == (2, True)


def read_until(terminal: int, text: bytes) -> None:
    """Read what a terminal shows until a text has come; colours in the middle of it are no matter."""
    shown = b""
    while text not in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown):
        shown += os.read(terminal, 4096)
