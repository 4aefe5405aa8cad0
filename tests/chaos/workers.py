"""Two Celery workers that share no disk; one is killed while it lands.

``PYTHONPATH=tests python -m tests.chaos.workers`` needs the packages of requirements-several-machines.txt,
`redis-server`, and root: each worker runs in a mount namespace of its own, in which the stack's folder is empty.
Whatever it did not get by network it does not have.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg
from helpers.s3 import BUCKET, CONNECTION, s3_server

from rollcall.private import make_folder
from rollcall.stack.airflow import environment
from rollcall.stack.processes import free_port
from tests.chaos.ground import NEIGHBOR, Ground, Night, ground

DISTRICTS = ("alder", "birch", "cedar", "elm", "fir")
STUDENTS = 200
TASKS_AT_A_TIME = 2
STORE_TIMEOUT_SECONDS = 30
INTO_LANDING_SECONDS = 0.5


def main() -> int:
    """Play the nights, and tell how each ended; an exception when one did not end well."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rollcall-workers-")))
        work.chmod(0o755)  # PostgreSQL runs as a user of its own, which has to get there
        broker = stack.enter_context(_redis(work))
        store = stack.enter_context(s3_server(read_timeout_seconds=STORE_TIMEOUT_SECONDS))
        settings = {
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__OPERATION_TIMEOUT": "10",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            f"AIRFLOW_CONN_{CONNECTION.upper()}": store.connection,
            "ROLLCALL_ARCHIVE_URL": f"s3://{CONNECTION}@{BUCKET}/prod",
        }
        there = stack.enter_context(ground(work, DISTRICTS, small_disks=False, settings=settings))
        workers = [stack.enter_context(_worker(there, number)) for number in (1, 2)]
        nights = _begin(there, 1)
        _kill_the_one_that_lands(there, nights, workers)
        _until_published(nights)
        stack.enter_context(_worker(there, 3))
        _until_published(_begin(there, 2))
        _look_that_nothing_is_doubled(there)
        assert not (there.state_dir / "archive").exists(), "something was archived on a disk"
        print(f"{len(store.objects())} objects in the store, {len(store.unfinished())} uploads unfinished.")
    return 0


def _begin(there: Ground, number: int) -> list[Night]:
    """A night of every district, uploaded."""
    return [there.begin(district, number, students=STUDENTS) for district in (NEIGHBOR, *DISTRICTS)]


def _until_published(nights: list[Night]) -> None:
    """Wait until readers see exactly what each district sent, and tell how long it took."""
    begun = time.monotonic()
    for night in nights:
        seconds = night.until_published(begun)
        told = f"{night.district} published, {night.roster_rows:,} rows, after {seconds:.0f} s"
        print(f"night {night.number}: {told}", flush=True)


def _kill_the_one_that_lands(there: Ground, nights: list[Night], workers: list[psutil.Popen]) -> None:
    """SIGKILL for a worker and all that it started, in the middle of landing."""
    landing = there.until(
        "a delivery is landed",
        lambda: [pid for night in nights for pid in night.instances("check", "running") if pid],
        every=0.05,
    )
    time.sleep(INTO_LANDING_SECONDS)
    worker = next(each for each in workers if landing[0] in {child.pid for child in each.children(recursive=True)})
    for process in (worker, *worker.children(recursive=True)):
        process.kill()
    worker.wait()
    print("A worker was killed while it landed a delivery.", flush=True)


def _look_that_nothing_is_doubled(there: Ground) -> None:
    """One delivery for each district and night, each published in its turn."""
    rows = there.desk.sql(
        "select district_id, array_agg(accepted_sequence order by service_date), bool_and(state = 'published')"
        " from rollcall.delivery group by district_id order by district_id"
    )
    assert rows == [(district, [1, 2], True) for district in sorted((NEIGHBOR, *DISTRICTS))], rows
    with psycopg.connect(there.state.airflow_db_url) as connection:
        again = connection.execute("select dag_id, task_id from task_instance where try_number > 1").fetchall()
    print(f"Tried again: {', '.join(f'{dag} {task}' for dag, task in again)}.")


@contextmanager
def _redis(work: Path) -> Iterator[str]:
    """A queue; its URL."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(work), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _worker(there: Ground, number: int) -> Iterator[psutil.Popen]:
    """A worker with folders of its own, which sees nothing of the stack's."""
    own = there.work / f"worker_{number}"
    for folder in (own, own / "home", own / "state"):
        make_folder(folder)
    (own / "home" / "airflow.cfg").touch()
    settings = {
        "AIRFLOW_HOME": str(own / "home"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(own / "logs"),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "C_FORCE_ROOT": "1",
        "ROLLCALL_STATE_DIR": str(own / "state"),
    }
    celery = f"airflow celery worker --celery-hostname worker{number}@here --concurrency {TASKS_AT_A_TIME}"
    alone = f"mount -t tmpfs none '{there.state_dir}' && exec {celery}"
    with (own / "worker.log").open("wb") as log:
        process = psutil.Popen(
            ["unshare", "--mount", "sh", "-c", alone],
            env=environment(there.state) | settings,
            cwd=own,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.is_running():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
