"""The DAGs as Airflow reads them: how soon what was killed or failed is tried again."""

import importlib.util
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG
from helpers.inbox import district

from rollcall.settings import PROJECT_ROOT
from rollcall.stack.airflow import TUNING

SECONDS_UNTIL_NOTICED = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 30,
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
}


def dag(file: str) -> DAG:
    """The DAG that a file of dags/ makes; of the factory, that of one district."""
    spec = importlib.util.spec_from_file_location(file, PROJECT_ROOT / "dags" / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: DAG = module.district_dag(district()) if hasattr(module, "district_dag") else module.dag
    return made


@pytest.mark.parametrize("file", ["conform", "mart_tests", "roll_up", "upkeep", "district_roster"])
def test_a_task_that_was_killed_is_tried_again_within_seconds(file: str) -> None:
    """Airflow's default is five minutes, in which `conform` kept every district waiting."""
    for task in dag(file).tasks:
        assert task.retries >= 3, task.task_id
        assert task.retry_delay <= timedelta(seconds=5), task.task_id
        assert task.max_retry_delay <= timedelta(minutes=1), task.task_id


def test_ten_minutes_without_the_sftp_service_are_outlasted() -> None:
    receive = dag("district_roster").get_task("receive")
    least = [min(receive.retry_delay * 2**number, receive.max_retry_delay) for number in range(receive.retries or 0)]
    assert sum(least, timedelta()) > timedelta(minutes=10)


READ_BY_A_TASK = """
import os, sys
read = []
sys.addaudithook(lambda event, found: read.append(str(found[0])) if event == "open" else None)
import district_roster
from airflow.sdk import DAG
print(sorted(value.dag_id for value in vars(district_roster).values() if isinstance(value, DAG)))
folder, names = os.environ["ROLLCALL_DISTRICTS_DIR"], (path.rpartition("/") for path in read)
print(sorted({name for parent, _, name in names if parent == folder}))
"""


@pytest.mark.parametrize(
    ("wanted", "dags", "files"),
    [
        ("roster__elm", ["roster__elm"], ["_defaults.yaml", "elm.yaml"]),
        ("roster__gone", [], ["gone.yaml"]),
        ("", ["roster__elm", "roster__fir"], ["_defaults.yaml", "broken.yaml", "elm.yaml", "fir.yaml"]),
    ],
)
def test_a_task_reads_the_file_of_its_own_district_and_no_other(
    tmp_path: Path, wanted: str, dags: list[str], files: list[str]
) -> None:
    """To read a thousand costs two seconds of a core, at the start of every task."""
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", tmp_path)
    for name in ("elm", "fir"):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name.title()}\n")
    (tmp_path / "broken.yaml").write_text("name: [")
    environment = {
        "ROLLCALL_DISTRICTS_DIR": str(tmp_path),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "PYTHONPATH": str(PROJECT_ROOT / "dags"),
        "PATH": os.defpath,
    }
    if wanted:  # as the process that starts a task says it
        environment |= {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": wanted, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "check"}
    done = subprocess.run(
        [sys.executable, "-c", READ_BY_A_TASK], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-2:] == [str(dags), str(files)]


def test_a_dead_process_is_noticed_in_half_a_minute_on_the_local_stack_and_on_a_server() -> None:
    """Airflow's default is five minutes here, too."""
    compose: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yaml").read_text())
    for environment in (TUNING, compose["services"]["scheduler"]["environment"]):
        assert {name: int(environment[name]) for name in SECONDS_UNTIL_NOTICED} == SECONDS_UNTIL_NOTICED
