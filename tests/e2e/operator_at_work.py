"""What an operator, a district and an analyst do to a running stack, for the tests to read like their day."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psycopg

from rollcall.airflow_api import airflow_api
from rollcall.stack import StackState
from simulator.upload import Account, upload

PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Desk:
    """A running stack, and the two ways to look at it: Airflow's REST API and SQL."""

    state: StackState

    def api(self, method: str, path: str, **options: Any) -> Any:
        """One request to Airflow's REST API, as the UI makes it."""
        response = self._logged_in.request(method, path, **options).raise_for_status()
        return response.json() if response.content else None

    @cached_property
    def _logged_in(self) -> httpx.Client:
        """Logged in once: to check a password costs the server more than any answer."""
        state = self.state
        with airflow_api(state.airflow_url, state.airflow_user, state.airflow_password) as session:
            return httpx.Client(
                base_url=session.base_url,
                headers=session.headers,
                timeout=session.timeout,
                limits=httpx.Limits(max_keepalive_connections=0),  # the server may be another one by the next request
            )

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with psycopg.connect(self.state.warehouse_url) as connection:
            return connection.execute(statement, values).fetchall()

    def until(self, what: str, check: Callable[[], Any]) -> Any:
        """Wait for something to become true; its value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                value = check()
            except httpx.HTTPError:
                value = None
            if value:
                return value
            time.sleep(0.5)
        raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain for: {what}")

    def rollcall(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """The command line, as an operator calls it."""
        served = {"ROLLCALL_STATE_DIR": self.state.state_dir, "ROLLCALL_DISTRICTS_DIR": self.state.districts_dir}
        environment = {**os.environ, **{name: str(path) for name, path in served.items()}}
        return subprocess.run(
            [Path(sys.executable).with_name("rollcall"), *arguments],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def upload(self, district: str, files: tuple[Path, ...] | list[Path]) -> None:
        """What the district's export does."""
        login = self.state.accounts[district]
        host_key = self.state.sftp_host_key
        upload(Account(self.state.sftp_host, self.state.sftp_port, login.username, login.password, host_key), files)

    def start(
        self,
        district: str,
        night: date,
        *,
        wait_seconds: int = PATIENCE_SECONDS,
        source: str = "inbox",
        judge_in_full: bool = False,
    ) -> str:
        """Start a district's run for a night; the run's id."""
        conf = {
            "service_date": night.isoformat(),
            "wait_seconds": wait_seconds,
            "source": source,
            "judge_in_full": judge_in_full,
        }
        run = self.api("POST", f"/api/v2/dags/roster__{district}/dagRuns", json={"logical_date": None, "conf": conf})
        return str(run["dag_run_id"])

    def run_state(self, district: str, run_id: str) -> str:
        """The colour of a run."""
        return str(self.api("GET", f"/api/v2/dags/roster__{district}/dagRuns/{run_id}")["state"])

    def tasks(self, district: str, run_id: str) -> dict[str, str]:
        """The states of a run's tasks; a mapped one is named ``check[orgs, users]``."""
        listing = self.api(
            "GET", f"/api/v2/dags/roster__{district}/dagRuns/{run_id}/taskInstances", params={"limit": 100}
        )
        return {
            item["task_id"] + (f"[{item['rendered_map_index']}]" if item["map_index"] >= 0 else ""): item["state"]
            for item in listing["task_instances"]
        }

    def how_it_went(self, district: str, run_id: str) -> str:
        """What became of a run's tasks, and what the ledger says of its night."""
        told = self.sql("select outcome, message from rollcall.night where run_id = %s", run_id)
        return f"{self.tasks(district, run_id)}, {told}"

    def ended(self, district: str, run_id: str) -> str:
        """Wait for a run to end; its colour."""
        return str(
            self.until(
                f"the end of {district}'s run",
                lambda: (state := self.run_state(district, run_id)) in ("success", "failed") and state,
            )
        )

    def night(self, district: str, night: date) -> str | None:
        """How the ledger says that a district's night stands."""
        rows = self.sql(
            """
            select coalesce(delivery.state, night.outcome) from rollcall.night
            left join rollcall.delivery using (delivery_id) where night.district_id = %s and night.service_date = %s
            """,
            district,
            night,
        )
        return rows[0][0] if rows else None

    def until_night(self, district: str, night: date, outcome: str) -> None:
        """Wait until the ledger says so."""
        self.until(f"{district}: {outcome}", lambda: self.night(district, night) == outcome)

    def until_task(self, district: str, run_id: str, task_id: str, state: str) -> None:
        """Wait until a task is in a state."""
        self.until(f"{task_id}: {state}", lambda: self.tasks(district, run_id).get(task_id) == state)

    def clear(self, district: str, run_id: str, *task_ids: str) -> None:
        """Press "clear": tasks with all that follows them, or the whole run."""
        if not task_ids:
            self.api("POST", f"/api/v2/dags/roster__{district}/dagRuns/{run_id}/clear", json={"dry_run": False})
            return
        self.api(
            "POST",
            f"/api/v2/dags/roster__{district}/clearTaskInstances",
            json={
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": list(task_ids),
                "include_downstream": True,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Press a DAG's switch."""
        self.api("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})

    def required_actions(self, district: str) -> list[dict[str, Any]]:
        """What waits for an answer under "Required actions"."""
        path = f"/api/v2/dags/roster__{district}/dagRuns/~/hitlDetails"
        return list(self.api("GET", path, params={"response_received": False})["hitl_details"])

    def answer(self, district: str, run_id: str, choice: str, why: str) -> None:
        """Press Approve or Discard in the UI."""
        path = f"/api/v2/dags/roster__{district}/dagRuns/{run_id}/taskInstances/hold/-1/hitlDetails"
        self.api("PATCH", path, json={"chosen_options": [choice], "params_input": {"why": why}})

    def roster_rows(self, district: str) -> int:
        """What an analyst counts."""
        return int(self.sql("select count(*) from roster.roster where district_id = %s", district)[0][0])

    def published(self, district: str) -> tuple[Any, ...] | None:
        """Sequence, delivery and effective date that readers see."""
        rows = self.sql(
            "select sequence, delivery_id, effective_date from rollcall.publication where district_id = %s", district
        )
        return rows[0] if rows else None

    def task_log(self, district: str, run_id: str, task_id: str) -> str:
        """Everything that a task's attempts logged, mapped ones together."""
        folder = self.state.logs_dir / "airflow" / f"dag_id=roster__{district}" / f"run_id={run_id}"
        return "\n".join(
            path.read_text(errors="replace") for path in sorted((folder / f"task_id={task_id}").rglob("*.log"))
        )
