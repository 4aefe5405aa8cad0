"""The ground of this benchmark: a whole local stack with Airflow, and the clocks of its processes."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.fleet.shapes import HOW_MANY
from rollcall.airflow_api import airflow_api
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack import StackState, down, up
from rollcall.stack.processes import read_record
from rollcall.stack.warehouse import prepare_warehouse
from simulator.upload import Account, upload

SERVICES = ("postgres", "sftp", "api-server", "scheduler", "dag-processor", "triggerer")
NEVER = "0 0 29 2 *"
PATIENCE_SECONDS = 3_600


@dataclass(frozen=True)
class Ground:
    """A running stack, and the two ways to look at it: Airflow's REST API and SQL."""

    state: StackState

    def airflow(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of Airflow's own database."""
        with psycopg.connect(self.state.airflow_db_url) as connection:
            return connection.execute(statement, values or None).fetchall()

    def warehouse(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with psycopg.connect(self.state.warehouse_url) as connection:
            return connection.execute(statement, values or None).fetchall()

    def process(self, service: str) -> psutil.Process:
        """The process of a service."""
        record = read_record(self.state.run_dir, service)
        assert record is not None, service
        return psutil.Process(record.pid)

    def cpu(self, service: str) -> float:
        """Seconds of processor time of a service so far: its process, all below it, and those of them that ended."""
        return tree_cpu_seconds(self.process(service))

    def cpus(self) -> dict[str, float]:
        """The same of all services."""
        return {service: self.cpu(service) for service in SERVICES}

    def send(self, district: str, files: Sequence[Path]) -> None:
        """Upload as the district's own system does."""
        state = self.state
        login = state.accounts[district]
        account = Account(state.sftp_host, state.sftp_port, login.username, login.password, state.sftp_host_key)
        upload(account, list(files))

    def start(self, dag_ids: Sequence[str], conf: Mapping[str, object] | None = None) -> list[str]:
        """Start a run of each DAG; the runs' ids."""
        state = self.state
        with airflow_api(state.airflow_url, state.airflow_user, state.airflow_password) as api:
            answers = [
                api.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": dict(conf or {})})
                for dag_id in dag_ids
            ]
        return [str(answer.raise_for_status().json()["dag_run_id"]) for answer in answers]

    def until(self, what: str, look: Callable[[], Any], every: float = 0.5) -> Any:
        """Wait until a look finds something; what it found.

        Raises:
            TimeoutError: it never did.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := look()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {PATIENCE_SECONDS} s in vain for {what}")
            time.sleep(every)
        return found

    def until_known(self, dag_ids: Sequence[str]) -> None:
        """Wait until Airflow can start these DAGs: it writes down what a DAG is after that there is one."""
        known = "select count(distinct dag_id) from serialized_dag inner join dag using (dag_id)"
        wanted = f"{known} where dag_id = any(%s) and not is_stale"
        self.until("the DAGs", lambda: self.airflow(wanted, list(dag_ids)) == [(len(dag_ids),)])

    def until_ended(self, run_ids: Sequence[str]) -> dict[str, int]:
        """Wait until runs have ended; how many did how."""
        unended = "select count(*) from dag_run where run_id = any(%s) and state in ('queued', 'running')"
        self.until("the end of the runs", lambda: self.airflow(unended, list(run_ids)) == [(0,)])
        return {
            str(state): int(count)
            for state, count in self.airflow(
                "select state, count(*) from dag_run where run_id = any(%s) group by 1", list(run_ids)
            )
        }

    def executions(self, run_ids: Sequence[str]) -> int:
        """How many processes some runs have started, each try and each resumption counted."""
        counted = self.airflow("select count(*) from log where event = 'running' and run_id = any(%s)", list(run_ids))
        return int(counted[0][0])


def tree_cpu_seconds(root: psutil.Process) -> float:
    """The processor time of a process and of all below it, those included that have ended."""
    seconds = 0.0
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


@contextmanager
def fleet_ground(work: Path, districts: Sequence[str], *, shapes: int = 0, **how: Any) -> Iterator[Ground]:
    """A new stack with Airflow below a folder, gone afterwards.

    Args:
        work: The folder.
        districts: Their ids; each gets a file, an account and a DAG.
        shapes: How many DAGs of each shape that do nothing there are to be.
        how: Further arguments of ``up``.
    """
    state_dir, districts_dir, dags = work / "fleet", work / "fleet-districts", work / "fleet-dags"
    _remove(state_dir, districts_dir, dags)
    districts_dir.mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", districts_dir)
    for district in districts:
        lines = {"name": district.title(), "first_delivery": "accept", "schedule": NEVER}
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())
        (districts_dir / f"{district}.yaml").write_text(text)
    dags.mkdir()
    for path in (*(PROJECT_ROOT / "dags").glob("*.py"), Path(__file__).with_name("shapes.py")):
        (dags / path.name).symlink_to(path)
    try:
        with working_on(state_dir=state_dir):
            yield Ground(
                up(
                    state_dir,
                    districts_dir=districts_dir,
                    environment={},  # no other stack's settings
                    extra_env={"AIRFLOW__CORE__DAGS_FOLDER": str(dags), HOW_MANY: str(shapes)},
                    after_postgres=prepare_warehouse,
                    **how,
                )
            )
    finally:
        _remove(state_dir, districts_dir, dags)


def conf_of(night: date) -> dict[str, object]:
    """What a person says who starts a district's run for a night."""
    return {"service_date": night.isoformat(), "source": "inbox", "wait_seconds": 3_600}


def _remove(state_dir: Path, *folders: Path) -> None:
    """Stop the stack that is there, if there is one, and remove its files."""
    if state_dir.exists():
        down(state_dir)
    for folder in (state_dir, *folders):
        shutil.rmtree(folder, ignore_errors=True)
