"""Nights that cannot be, and a night that several runs want, through Airflow's REST API and scheduler."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollcall.airflow_api import AirflowUnreachableError
from tests.e2e.conftest import NIGHT_1, Export
from tests.e2e.operator_at_work import Desk


def test_law_10_the_api_starts_no_night_to_come_and_of_three_runs_one_takes_the_delivery(
    desk: Desk, tmp_path: Path
) -> None:
    to_come = datetime.now(UTC).date() + timedelta(days=2)
    with pytest.raises(AirflowUnreachableError, match="400"):
        desk.start("linden", to_come.replace(year=9999))
    slip = desk.start("linden", to_come)
    assert desk.ended("linden", slip) == "failed"
    assert desk.tasks("linden", slip)["wait_for_delivery"] == "failed"
    assert f"The night of {to_come} has not come" in desk.task_log("linden", slip, "wait_for_delivery")
    written = "select count(*) from rollcall.{} where district_id = 'linden'"
    assert desk.sql(written.format("night")) == desk.sql(written.format("delivery")) == [(0,)]

    runs = [desk.start("linden", NIGHT_1, wait_seconds=60) for _ in range(3)]
    for run in runs:
        desk.until_task("linden", run, "wait_for_delivery", "deferred")
    delivery = Export("linden", tmp_path).write(1)
    desk.upload("linden", delivery.files)
    assert {desk.ended("linden", run) for run in runs} == {"success"}
    assert desk.roster_rows("linden") == delivery.expected.roster_rows
    assert desk.sql(written.format("delivery")) == [(1,)]
    received = [run for run in runs if desk.tasks("linden", run)["receive"] == "success"]
    assert len(received) == 1
    skipped = {task for run in runs if run not in received for task in desk.tasks("linden", run).values()}
    assert skipped <= {"success", "skipped"}

    ended = "select outcome, delivery_id, run_id from rollcall.night where district_id = 'linden'"
    before = desk.sql(ended)
    assert before[0][0::2] == ("published", received[0])
    clear = {"dry_run": False, "dag_run_id": received[0], "task_ids": ["receive"], "only_failed": False}
    desk.api("POST", "/api/v2/dags/roster__linden/clearTaskInstances", json={**clear, "reset_dag_runs": True})
    desk.until("receive, again", lambda: desk.task_log("linden", received[0], "receive").count("is published") >= 1)
    assert desk.ended("linden", received[0]) == "success"
    assert desk.sql(ended) == before
