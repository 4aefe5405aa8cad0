"""``rollcall status``: how each district stands, and since when it has not been good."""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpers.deliveries import execute
from helpers.inbox import district
from typer.testing import CliRunner

from rollcall import ledger
from rollcall.cli import app
from rollcall.ledger import DeliveryState
from rollcall.settings import settings
from rollcall.warehouse import connect

FIRST_NIGHT = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    monkeypatch.setenv("ROLLCALL_DISTRICTS_DIR", str(tmp_path))
    settings.cache_clear()
    with connect() as connection:
        ledger.record_district(connection, district())
    yield
    settings.cache_clear()


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
    delivery = ledger.open_delivery(connection, "maple", night, f"run_{number}")
    ledger.set_state(connection, delivery.delivery_id, to_state(state), "Because.")
    told = "in_progress" if outcome == "held" else outcome
    ledger.record_night(connection, "maple", night, told, delivery_id=delivery.delivery_id)
    if outcome == "published":
        connection.execute(
            "insert into rollcall.publication values ('maple', %s, %s, %s, now(), null) on conflict (district_id) "
            "do update set sequence = excluded.sequence, effective_date = excluded.effective_date",
            (number, delivery.delivery_id, night),
        )


def to_state(name: str) -> DeliveryState:
    return name  # type: ignore[return-value]


def status(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["status", *options])
    return result.exit_code, result.stdout


def maple() -> dict[str, Any]:
    (state,) = json.loads(status("--json")[1])
    return dict(state)


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


def test_a_paused_district_is_paused_whatever_its_last_night_was(
    nights: Callable[..., None], tmp_path: Path, warehouse_url: str
) -> None:
    from rollcall.settings import PROJECT_ROOT

    defaults = PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml"
    (tmp_path / defaults.name).write_bytes(defaults.read_bytes())
    pause = "{first_night: 2020-01-01, last_night: 2099-12-31, reason: summer}"
    (tmp_path / "maple.yaml").write_text(f"name: Maple\npauses: [{pause}]\n")
    nights("missing")
    assert (maple()["state"], maple()["nights_since"]) == ("paused", 1)
    execute(warehouse_url, "delete from rollcall.night")
    assert maple()["state"] == "paused"


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
