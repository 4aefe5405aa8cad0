"""What ``rollcall up`` and the demo print of the stack's logins."""

import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from rollcall.cli import stack
from rollcall.cli.demo import night_before_the_due_one, print_where_to_look
from rollcall.districts import load_district
from rollcall.settings import PROJECT_ROOT
from rollcall.stack import StackState

STATE = StackState(
    state_dir=Path("/state"), home=PROJECT_ROOT, districts_dir=PROJECT_ROOT, postgres_port=5999, airflow_port=8999
)
MAY_BE_SEEN = {"airflow_password", "reader_password"}


def printed_by_up(monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    monkeypatch.setattr(stack, "console", Console(file=out))
    stack.print_addresses(STATE)
    return out.getvalue()


def printed_by_the_demo(_: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    print_where_to_look(STATE, date(2027, 2, 3), 100.0, Console(file=out))
    return out.getvalue()


@pytest.mark.parametrize("printed_by", [printed_by_up, printed_by_the_demo])
def test_a_readers_login_is_printed_and_no_secret(monkeypatch: pytest.MonkeyPatch, printed_by: object) -> None:
    told = printed_by(monkeypatch)  # type: ignore[operator]
    assert f"psql {STATE.reader_url}" in told
    secrets = {name for name, kind in StackState.model_fields.items() if not kind.repr} - MAY_BE_SEEN
    assert {"warehouse_password", "postgres_password", "fernet_key", "service_password"} <= secrets
    for name in secrets:
        assert getattr(STATE, name) not in told, name


def test_the_demo_prints_how_to_read_its_first_night(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "-c \"set roster.as_of = '2027-02-03'\" -c 'select" in printed_by_the_demo(monkeypatch)


@pytest.mark.parametrize(
    ("moment", "first_night"),
    [
        ("2026-11-26 06:59", "2026-11-24"),  # the run of the 26th starts at 07:00 UTC: the 25th was the last one due
        ("2026-11-26 07:01", "2026-11-25"),
        ("2026-11-27 03:00", "2026-11-25"),
        ("2027-01-01 12:00", "2026-12-31"),
        ("2027-07-01 12:00", "2027-06-30"),
    ],
)
def test_the_demos_second_night_is_the_latest_that_was_due(moment: str, first_night: str) -> None:
    district = load_district(PROJECT_ROOT / "dags" / "districts" / "lakeside-usd.yaml")
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert night_before_the_due_one(district, now) == date.fromisoformat(first_night)
