"""What only the whole stack can show: no personal data anywhere in Airflow, and nights without a delivery."""

from pathlib import Path

import httpx
from helpers.planted import leaks, plant, texts_of_files, texts_of_tables

from rollcall.airflow_api import airflow_api
from tests.e2e.conftest import NIGHT_1, PAUSED, Export
from tests.e2e.operator_at_work import Desk


def test_law_07_no_personal_data_in_logs_xcom_ledger_or_receipts(desk: Desk, tmp_path: Path) -> None:
    delivery = Export("juniper", tmp_path).write(1)
    plant(delivery.folder)
    desk.upload("juniper", delivery.files)
    run = desk.start("juniper", NIGHT_1)
    assert desk.ended("juniper", run) == "success"
    planted = desk.sql("select count(*) from roster.dim_student where family_name = 'Zzyzxworth'")[0][0]
    assert planted >= 1, "the planted students are published, so they were everywhere that they may be"

    state_dir = desk.state.state_dir
    found = leaks(texts_of_files(desk.state.logs_dir, state_dir / "dbt", state_dir / "sftp" / "juniper" / "receipts"))
    found += leaks(texts_of_files(state_dir / "archive" / "juniper" / "receipts"))
    found += leaks(texts_of_tables(desk.state.airflow_db_url, "public"))
    found += leaks(texts_of_tables(desk.state.warehouse_url, "rollcall", "audit"))
    assert found == []


def test_the_warehouse_is_documented_behind_the_login_and_in_the_navigation(desk: Desk) -> None:
    page = f"{desk.state.airflow_url}/warehouse-docs/"
    assert httpx.get(page, trust_env=False).status_code == 401
    assert httpx.get(f"{page}openapi.json", trust_env=False).status_code == 404
    with airflow_api(desk.state.airflow_url, desk.state.service_user, desk.state.service_password) as session:
        answer = session.get("/warehouse-docs/").raise_for_status()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '"unique_id": "model.rollcall.roster"' in answer.text, "the models"
    assert '"name": "primary_teacher_family_name", "comment": ' in answer.text, "the database's catalog"
    plugins = desk.api("GET", "/api/v2/plugins")["plugins"]
    views = [view for plugin in plugins for view in plugin["external_views"] if view["name"] == "Warehouse docs"]
    assert [(view["category"], view["href"]) for view in views] == [("docs", "warehouse-docs/")]


def test_a_night_on_which_nothing_is_expected_is_skipped_and_green(desk: Desk) -> None:
    def scheduled_run() -> str | None:
        runs = desk.api("GET", f"/api/v2/dags/roster__{PAUSED}/dagRuns")["dag_runs"]
        return next((run["dag_run_id"] for run in runs if run["state"] in ("success", "failed")), None)

    run = desk.until("a scheduled run", scheduled_run)
    desk.pause(f"roster__{PAUSED}", paused=True)
    assert desk.run_state(PAUSED, run) == "success"
    tasks = desk.tasks(PAUSED, run)
    assert tasks["wait_for_delivery"] == tasks["decide"] == tasks["await_publication"] == "skipped"
    assert tasks["report"] == "success"
    outcome, message = desk.sql("select outcome, message from rollcall.night where district_id = %s", PAUSED)[0]
    assert outcome == "not_expected"
    assert "summer" in message
