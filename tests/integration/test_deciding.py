"""``rollcall approve`` and ``discard`` while Airflow cannot be asked; with it, see tests/e2e."""

import os
import pwd
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from helpers.deliveries import execute, query
from helpers.inbox import district
from typer.testing import CliRunner

from rollcall import ledger
from rollcall.airflow_api import AirflowUnreachableError
from rollcall.cli import app
from rollcall.decision.acceptance import accept_approved
from rollcall.decision.holds import open_hold
from rollcall.decision.reasons import Reason
from rollcall.settings import working_on
from rollcall.ui import pressing
from rollcall.warehouse import connect

NIGHT = date(2026, 11, 23)
LOGIN = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def world(warehouse_url: str) -> Iterator[None]:
    with working_on(airflow_url="http://127.0.0.1:9"):
        yield


@pytest.fixture
def held() -> int:
    """A delivery that waits for a person; of its run Airflow knows nothing."""
    return hold_delivery("run_1", NIGHT)


def hold_delivery(run_id: str, night: date) -> int:
    with connect() as connection:
        ledger.record_district(connection, district())
        delivery = ledger.open_delivery(connection, district(), night, run_id)
        ledger.record_night(connection, "maple", night, "failed", delivery_id=delivery.delivery_id, run_id=run_id)
        open_hold(connection, delivery, (Reason("hold_first_delivery", "It is the first."),), "It is the first.", None)
    return delivery.delivery_id


def run(*arguments: Any) -> tuple[int, str]:
    """The command line's exit code, and what it prints, on one line."""
    outcome = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return outcome.exit_code, " ".join(outcome.output.split())


def decided(url: str) -> list[tuple[Any, ...]]:
    return query(
        url, "select settlement, decided_by, login, outcome from rollcall.hold_decision order by hold_decision_id"
    )


def status() -> str:
    return run("status")[1]


def test_an_approval_is_accepted_in_the_ledger_and_the_answer_says_when_it_is_built(
    held: int, warehouse_url: str
) -> None:
    exit_code, told = run("approve", held, "--by", "Ada", "--why", "they moved")
    assert exit_code == 0
    assert "does not answer (ConnectError): the ledger alone says who was first." in told
    assert f"Delivery {held} of maple: approved by Ada: they moved It is accepted as sequence 1 of maple." in told
    assert "Once Airflow is up, it is built when `conform` next looks: `*/10 * * * *`, UTC." in told
    assert query(warehouse_url, "select state from rollcall.delivery") == [("accepted",)]
    assert decided(warehouse_url) == [("approved", "Ada", LOGIN, "settled")]
    assert "In progress (1)" in status(), "the run had failed, and says nothing any more"


def test_a_hold_is_discarded_by_the_login_if_nobody_says_who_they_are(held: int, warehouse_url: str) -> None:
    exit_code, told = run("discard", held, "--why", "half of it")
    assert exit_code == 0
    assert f"discarded by {LOGIN}: half of it The delivery was discarded; the last good roster stays." in told
    assert decided(warehouse_url) == [("discarded", LOGIN, LOGIN, "settled")]
    assert "Discarded (1)" in status()


def test_who_comes_second_is_told_so_and_is_a_row(held: int, warehouse_url: str) -> None:
    run("discard", held, "--by", "Ada", "--why", "half of it")
    exit_code, told = run("approve", held, "--by", "Bob", "--why", "fine")
    assert exit_code == 1
    assert "discarded by Ada: half of it Somebody was faster; their decision stands" in told
    assert "accepted" not in told
    assert decided(warehouse_url)[1:] == [("approved", "Bob", LOGIN, "overtaken")]
    assert run("discard", held, "--by", "Ada", "--why", "half of it")[0] == 0, "the same again is no news"


def test_law_10_what_was_overtaken_is_refused_and_the_refusal_is_a_row(held: int, warehouse_url: str) -> None:
    newer = hold_delivery("run_2", date(2026, 11, 24))
    execute(warehouse_url, "update rollcall.delivery set state = 'published' where delivery_id = %s", newer)
    outcome = CliRunner().invoke(app, ["approve", str(held), "--by", "Ada", "--why", "fine"])
    assert f"older than delivery {newer}" in str(outcome.exception)
    assert decided(warehouse_url) == [("approved", "Ada", LOGIN, "refused")]
    assert run("discard", held, "--by", "Ada", "--why", "old")[0] == 0


def test_what_is_being_checked_again_is_accepted_when_that_has_ended(held: int, warehouse_url: str) -> None:
    execute(
        warehouse_url,
        "insert into rollcall.delivery_file (delivery_id, file, sent_name, archive_path, sha256, size_bytes)"
        " values (%s, 'users', 'users.csv', '', '', 0)",
        held,
    )
    exit_code, told = run("approve", held, "--by", "Ada", "--why", "fine")
    assert exit_code == 0
    assert "It is not accepted yet." in told
    assert "the gate has not finished with users.csv. `conform` accepts it once that is done." in told
    assert "is built" not in told
    execute(warehouse_url, "update rollcall.delivery_file set gated = 'together'")
    assert accept_approved() == [held]


def test_the_page_decides_as_the_command_line_does(held: int, warehouse_url: str) -> None:
    told = pressing.decide(held, "approved", "ada", "they moved")
    assert f"Delivery {held} of maple: approved by ada: they moved" in told
    assert "It is accepted as sequence 1 of maple." in told
    assert pressing.FASTER in pressing.decide(held, "discarded", "grace", "half of it")
    assert query(
        warehouse_url, "select decided_by, login, via, outcome from rollcall.hold_decision order by hold_decision_id"
    ) == [("ada", None, "page", "settled"), ("grace", None, "page", "overtaken")]


def test_a_delivery_is_not_taken_again_without_its_row_nor_noted_without_its_run(held: int, warehouse_url: str) -> None:
    with connect() as connection:
        delivery = ledger.delivery(connection, held)
    with pytest.raises(AirflowUnreachableError):
        pressing.take_again(delivery, "ada", "its rules are others now")
    assert query(warehouse_url, "select count(*) from rollcall.delivery_again") == [(0,)]
