"""Deliveries that come by day or by hand, through the real scheduler and triggerer."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollcall.stack import restart
from tests.e2e.conftest import BY_DAY, Export
from tests.e2e.operator_at_work import Desk


def runs(desk: Desk) -> list[str]:
    """The district's runs that an arrival started, oldest first."""
    listing = desk.api("GET", f"/api/v2/dags/roster__{BY_DAY}/dagRuns", params={"order_by": "run_after"})["dag_runs"]
    return [run["dag_run_id"] for run in listing if run["run_type"] == "asset_triggered"]


def renamed(folder: Path, name: str) -> str:
    """A night's folder in which the district has another name."""
    orgs = folder / "orgs.csv"
    orgs.write_text(orgs.read_text(encoding="utf-8").replace(BY_DAY.title(), name), encoding="utf-8")
    return str(folder)


def test_by_day_each_delivery_starts_one_run_and_by_hand_the_night_is_chosen(
    desk: Desk, districts_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLCALL_DISTRICTS_DIR", str(districts_dir))
    sis = Export(BY_DAY, tmp_path)
    for night in (1, 2):
        delivery = sis.write(night)
        desk.upload(BY_DAY, delivery.files)
        desk.until("a run that nobody started", lambda n=night: len(runs(desk)) == n)
        assert desk.ended(BY_DAY, runs(desk)[-1]) == "success"
        assert desk.roster_rows(BY_DAY) == delivery.expected.roster_rows
        if night == 1:
            restart("triggerer", desk.state.state_dir)
    today = datetime.now(UTC).date()
    assert desk.night(BY_DAY, today) == "published"

    late = renamed(sis.write(3).folder, "Larch Unified")
    by_hand = desk.rollcall("inject", BY_DAY, late, "--by", "Ada", "--wait", "--json")
    assert by_hand.returncode == 0, by_hand.stdout + by_hand.stderr
    assert json.loads(by_hand.stdout)["state"] == "published"
    published = desk.published(BY_DAY)

    past = str(today - timedelta(days=7))
    older = renamed(sis.write(4).folder, "Larch of old")
    refused = desk.rollcall("inject", BY_DAY, older, "--night", past, "--wait", "--json")
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert f"before the first one of {BY_DAY}, {today}" in refused.stderr
    assert desk.published(BY_DAY) == published
    assert len(runs(desk)) == 2
