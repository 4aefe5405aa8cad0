"""The DAGs as Airflow reads them: how soon what was killed or failed is tried again."""

import importlib.util
from datetime import timedelta
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


@pytest.mark.parametrize("file", ["conform", "upkeep", "district_roster"])
def test_a_task_that_was_killed_is_tried_again_within_seconds(file: str) -> None:
    """Airflow's default is five minutes, in which `conform` kept every district waiting."""
    for task in dag(file).tasks:
        assert task.retries >= 3, task.task_id
        assert task.retry_delay <= timedelta(seconds=5), task.task_id
        assert task.max_retry_delay <= timedelta(minutes=1), task.task_id


def test_a_dead_process_is_noticed_in_half_a_minute_on_the_local_stack_and_on_a_server() -> None:
    """Airflow's default is five minutes here, too."""
    compose: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yaml").read_text())
    for environment in (TUNING, compose["services"]["scheduler"]["environment"]):
        assert {name: int(environment[name]) for name in SECONDS_UNTIL_NOTICED} == SECONDS_UNTIL_NOTICED
