"""What it costs to read the DAG file of many districts: as the dag processor does, and as each task's process does."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rollcall.settings import PROJECT_ROOT

PARSE = """
import json, os, sys, time
from airflow.sdk.definitions.dag import DAG  # what a forked task has imported already
import rollcall.airflow.sensors.delivery, rollcall.airflow.triggers.arrival_watch, rollcall.airflow.operators.hold
import rollcall.airflow.sensors.publication
sys.path.insert(0, sys.argv[1])
began, used = time.monotonic(), time.process_time()
import district_roster
dags = [value for value in vars(district_roster).values() if isinstance(value, DAG)]
parsed, parsing = time.monotonic() - began, time.process_time() - used
print(json.dumps({"dags": len(dags), "seconds": round(parsed, 3), "cpu_seconds": round(parsing, 3)}))
"""


def measure_parsing(files: int, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Parse the DAG file with so many district files, once for all DAGs and once for the one that a task wants."""
    folder = work / "fleet-parsing"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", folder)
    for number in range(files):
        (folder / f"fleet-{number:04d}.yaml").write_text(f"name: Fleet {number}\nfirst_delivery: accept\n")
    every = _parse(folder, None)
    own = _parse(folder, "roster__fleet-0000")
    shutil.rmtree(folder)
    say(f"{files} district files: all DAGs {every}, one task's {own}")
    return {"files": files, "all_dags": every, "one_task": own}


def _parse(districts: Path, dag_id: str | None) -> dict[str, Any]:
    """In a fresh process, without what it costs to import Airflow."""
    environment = {"ROLLCALL_DISTRICTS_DIR": str(districts), "PATH": "/usr/bin:/bin", "HOME": str(districts)}
    environment |= {"AIRFLOW_HOME": str(districts / "airflow")}
    if dag_id:  # as the supervisor of a task says which DAG is wanted
        environment |= {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": dag_id, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "check"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(PROJECT_ROOT / "dags")],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"process_seconds": round(time.monotonic() - began, 1)}
