"""Airflow's four processes: their environment, their start, their health."""

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rollcall.districts import CONNECTION_PREFIX
from rollcall.private import FILE, FOLDER, UMASK, append, make_folder, write_private
from rollcall.stack import processes
from rollcall.stack.airflow_plan import Plan, SftpConnection, User
from rollcall.stack.errors import StackError
from rollcall.stack.processes import Record, Service
from rollcall.stack.state import StackState

NAMES = ("api-server", "scheduler", "dag-processor", "triggerer")
_ARGUMENTS = {
    "api-server": ["--worker-timeout", "10"],
    "scheduler": ["--skip-serve-logs"],
    "triggerer": ["--skip-serve-logs"],
}
_HEALTH_KEYS = {"scheduler": "scheduler", "triggerer": "triggerer", "dag-processor": "dag_processor"}
CONFIG_DIR = Path(__file__).resolve().parent / "airflow_config"

# For two cores and a person who watches. `up(extra_env=...)` overrides any of them.
TUNING = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "6",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "16",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "180",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY": "64",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
}
_QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "SCARF_ANALYTICS": "false",
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
}


def environment(state: StackState) -> dict[str, str]:
    """The whole environment of an Airflow process of this stack, secrets included.

    Of the caller's environment, the variables of other Airflow, dbt and PostgreSQL set-ups are left out; what the stack
    keeps of it (connections and Rollcall's settings) is in ``state.options``.
    """
    return {**_inherited(), **_QUIET, **TUNING, **_identity(state), **_rollcall(state), **state.options}


def service(state: StackState, name: str) -> Service:
    """How to run one of Airflow's processes."""
    return Service(
        name=name,
        argv=[sys.executable, "-m", "airflow", name, *_ARGUMENTS.get(name, [])],
        env=environment(state),
        cwd=state.airflow_home,
        log=state.logs_dir / f"{name}.log",
        code=_code_digest(state.home / "plugins"),
    )


def ensure_running(state: StackState, name: str) -> Record:
    """Start a process if it is down, or anew if its settings or our code have changed; does not wait for it."""
    wanted = service(state, name)
    record = processes.read_record(state.run_dir, name)
    if record is not None and record.process() is not None:
        if record.fingerprint == wanted.fingerprint:
            return record
        processes.stop(state.run_dir, name, processes.STOP_SIGNALS)
    return processes.start(wanted, state.run_dir)


def prepare_home(state: StackState) -> None:
    """Make AIRFLOW_HOME. The configuration file is empty: everything comes from the environment."""
    make_folder(state.airflow_home)
    (state.airflow_home / "airflow.cfg").touch(mode=FILE)


class Initialisation:
    """The metadata database being brought in line by a process of its own; skipped when nothing has changed."""

    def __init__(self, state: StackState) -> None:
        self._state = state
        self._marker = state.run_dir / "airflow_init"
        self._log = state.logs_dir / "airflow_init.log"
        self._plan = plan(state).model_dump_json()
        self._digest = _digest(state, self._plan)
        self._child: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Start importing Airflow; the database need not be up yet."""
        if self._marker.exists() and self._marker.read_text() == self._digest:
            return
        self._marker.unlink(missing_ok=True)
        with append(self._log) as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "rollcall.stack.airflow_init"],
                env=environment(self._state),
                cwd=self._state.airflow_home,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                umask=UMASK,
            )

    def finish(self) -> None:
        """Send the plan, now that the database is up, and wait until it is done.

        Raises:
            StackError: it failed; the message ends with the last lines of its log.
        """
        if self._child is None:
            return
        self._child.communicate(self._plan)
        if self._child.returncode != 0:
            raise StackError(
                f"Airflow's database could not be prepared. The log is {self._log}:\n{processes.tail(self._log)}"
            )
        write_private(self._marker, self._digest)

    def abandon(self) -> None:
        """End the process if something else has failed."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()


def plan(state: StackState) -> Plan:
    """Users and connections of this stack."""
    connections = [
        SftpConnection(
            conn_id=CONNECTION_PREFIX + district,
            host=state.sftp_host,
            port=state.sftp_port,
            login=account.username,
            password=account.password,
            host_key=state.sftp_host_key,
        )
        for district, account in sorted(state.service_accounts.items())
    ]
    users = [
        User(username=state.airflow_user, password=state.airflow_password, role="Admin"),
        User(username=state.service_user, password=state.service_password, role="Op"),
    ]
    return Plan(users=users, connections=connections)


def health(state: StackState) -> dict[str, Any] | None:
    """What the API server says about the stack, or None if it does not answer."""
    return _get(f"{state.airflow_url}/api/v2/monitor/health", timeout=5)


def _get(url: str, timeout: float) -> dict[str, Any] | None:
    # A proxy of the environment would be asked for 127.0.0.1 as well.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, json.JSONDecodeError):
        return None


def is_healthy(state: StackState, record: Record, since: float) -> bool:
    """Whether this very process, not a predecessor of it, has reported as healthy after a moment."""
    report = health(state)
    if report is None:
        return False
    if record.name not in _HEALTH_KEYS:
        # The part that tasks talk to is built at the first request, which blocks the server for seconds: ask now.
        tasks_may_come = _get(f"{state.airflow_url}/execution/health", timeout=60) is not None
        return tasks_may_come and bool(report["metadatabase"]["status"] == "healthy")
    key = _HEALTH_KEYS[record.name]
    beat = report[key].get(f"latest_{key}_heartbeat")
    return (
        report[key]["status"] == "healthy"
        and beat is not None
        and datetime.fromisoformat(beat).timestamp() > max(record.create_time, since)
    )


def _inherited() -> dict[str, str]:
    foreign = ("AIRFLOW_", "DBT_", "GX_", "PG", "ROLLCALL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _identity(state: StackState) -> dict[str, str]:
    url = state.airflow_url
    logs = state.logs_dir / "airflow"
    return {
        "AIRFLOW_HOME": str(state.airflow_home),
        "AIRFLOW__API_AUTH__JWT_SECRET": state.jwt_secret,
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": state.sftp_host,
        "AIRFLOW__API__PORT": str(state.airflow_port),
        "AIRFLOW__API__SECRET_KEY": state.api_secret_key,
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_FOLDER": str(state.home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": state.fernet_key,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(state.home / "plugins"),
        "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": state.airflow_db_url.replace("postgresql:", "postgresql+psycopg2:", 1),
        "AIRFLOW__FAB__UPDATE_FAB_PERMS": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(logs),
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": f"0o{FILE:o}",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": f"0o{FOLDER:o}",
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(logs / "dag_processor"),
        "NO_PROXY": _without_proxy("NO_PROXY"),
        "no_proxy": _without_proxy("no_proxy"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(CONFIG_DIR), os.environ.get("PYTHONPATH", "")])),
    }


def _without_proxy(name: str) -> str:
    known = [host for host in os.environ.get(name, "").split(",") if host]
    return ",".join(dict.fromkeys([*known, "127.0.0.1", "localhost"]))


def _rollcall(state: StackState) -> Mapping[str, str]:
    return {
        "AIRFLOW_CONN_WAREHOUSE": state.warehouse_url,
        "ROLLCALL_AIRFLOW_PASSWORD": state.service_password,
        "ROLLCALL_AIRFLOW_URL": state.airflow_url,
        "ROLLCALL_AIRFLOW_USER": state.service_user,
        "ROLLCALL_DISTRICTS_DIR": str(state.districts_dir),
        "ROLLCALL_HOME": str(state.home),
        "ROLLCALL_STATE_DIR": str(state.state_dir),
    }


def _code_digest(plugins: Path) -> str:
    """Changes with every edit of the package: the processes hold it in memory, the scheduler for all tasks."""
    files = ((path, path.stat()) for path in sorted(plugins.rglob("*.py")))
    words = (f"{path}:{found.st_size}:{found.st_mtime_ns}" for path, found in files)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _digest(state: StackState, plan_json: str) -> str:
    versions = [importlib.metadata.version(f"apache-airflow{part}") for part in ("", "-providers-fab")]
    words = [*versions, plan_json, state.fernet_key, state.airflow_db_url]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
