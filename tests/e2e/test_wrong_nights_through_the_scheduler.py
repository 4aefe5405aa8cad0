"""Nights that cannot be, and a night that several runs want, through Airflow's REST API and scheduler."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import NIGHT_1, Export
from tests.e2e.operator_at_work import Desk


def test_law_10_the_api_starts_no_night_to_come_and_of_three_runs_one_takes_the_delivery(
    desk: Desk, tmp_path: Path
) -> None:
    to_come = datetime.now(UTC).date() + timedelta(days=2)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        desk.start("willow", to_come.replace(year=9999))
    slip = desk.start("willow", to_come)
    assert desk.ended("willow", slip) == "failed"
    assert desk.tasks("willow", slip)["wait_for_delivery"] == "failed"
    assert f"The night of {to_come} has not come" in desk.task_log("willow", slip, "wait_for_delivery")
    written = "select count(*) from rollcall.{} where district_id = 'willow'"
    assert desk.sql(written.format("night")) == desk.sql(written.format("delivery")) == [(0,)]

    runs = [desk.start("willow", NIGHT_1, wait_seconds=60) for _ in range(3)]
    for run in runs:
        desk.until_task("willow", run, "wait_for_delivery", "deferred")
    delivery = Export("willow", tmp_path).write(1)
    desk.upload("willow", delivery.files)
    assert {desk.ended("willow", run) for run in runs} == {"success"}
    assert desk.roster_rows("willow") == delivery.expected.roster_rows
    assert desk.sql(written.format("delivery")) == [(1,)]
    received = [run for run in runs if desk.tasks("willow", run)["receive"] == "success"]
    assert len(received) == 1
    skipped = {task for run in runs if run not in received for task in desk.tasks("willow", run).values()}
    assert skipped <= {"success", "skipped"}

    ended = "select outcome, delivery_id, run_id from rollcall.night where district_id = 'willow'"
    before = desk.sql(ended)
    assert before[0][0::2] == ("published", received[0])
    clear = {"dry_run": False, "dag_run_id": received[0], "task_ids": ["receive"], "only_failed": False}
    desk.api("POST", "/api/v2/dags/roster__willow/clearTaskInstances", json={**clear, "reset_dag_runs": True})
    desk.until("receive, again", lambda: desk.task_log("willow", received[0], "receive").count("is published") >= 1)
    assert desk.ended("willow", received[0]) == "success"
    assert desk.sql(ended) == before
