"""Bring the local stack up and down."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rollcall import private
from rollcall.private import make_folder
from rollcall.settings import Settings, passed_on, settings
from rollcall.stack import airflow, postgres, processes, sftp
from rollcall.stack.errors import StackError
from rollcall.stack.processes import STOP_SIGNALS, Record, StopSignals
from rollcall.stack.state import StackState, close_state_folder, district_ids, load_or_create

Progress = Callable[[str], None]
SERVICES = (postgres.NAME, sftp.NAME, *airflow.NAMES)
_AIRFLOW_PATIENCE = 240.0


class ServiceStatus(BaseModel):
    """One service of the stack."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: Literal["alive", "dead", "stopped"]
    pid: int | None
    log: Path | None


def up(
    state_dir: Path | None = None,
    *,
    districts_dir: Path | None = None,
    stable_after_seconds: float | None = None,
    poll_interval_seconds: float | None = None,
    publication_poll_seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
    extra_env: Mapping[str, str] | None = None,
    with_airflow: bool = True,
    progress: Progress = lambda _: None,
    after_postgres: Callable[[StackState], None] | None = None,
) -> StackState:
    """Start what is not running, and wait until all of it is healthy. Safe to repeat.

    Settings come from the arguments, else from the environment (``ROLLCALL_...``, ``AIRFLOW_CONN_...``), else they are
    those of the last start. Airflow's processes are started anew if their settings or the package's code have changed.

    Args:
        state_dir: where the stack lives; ``ROLLCALL_STATE_DIR`` by default.
        districts_dir: the folder of the district files; each gets an SFTP account and a connection.
        stable_after_seconds: how long a file must stay as it is before it counts as uploaded.
        poll_interval_seconds: how often an inbox is looked at.
        publication_poll_seconds: how often a run that waits for its publication asks.
        environment: where settings and connections are looked for, in the place of this process's environment.
        extra_env: more variables for Airflow's processes, such as ``AIRFLOW__CORE__PARALLELISM``.
        with_airflow: False starts PostgreSQL and the SFTP server only.
        progress: is told, in a person's words, what goes on.
        after_postgres: called once the databases exist, while Airflow's own is prepared; Airflow starts after it.

    Raises:
        StackError: a service does not come up; the message names its log.
    """
    config = _config(state_dir, districts_dir)
    given = {
        "ROLLCALL_STABLE_AFTER_SECONDS": stable_after_seconds,
        "ROLLCALL_POLL_INTERVAL_SECONDS": poll_interval_seconds,
        "ROLLCALL_PUBLICATION_POLL_SECONDS": publication_poll_seconds,
    }
    options = _kept_environment(os.environ if environment is None else environment)
    options |= {name: f"{value:g}" for name, value in given.items() if value is not None}
    options |= dict(extra_env or {})
    with _lock(config.state_dir.resolve()):
        state = _prepare(config, options)
        _start_all(state, with_airflow, progress, after_postgres)
    return state


def down(state_dir: Path | None = None, *, progress: Progress = lambda _: None) -> None:
    """Stop exactly what `up` started, Airflow first and PostgreSQL last. Safe to repeat."""
    root = _config(state_dir, None).state_dir.resolve()
    if StackState.load(root) is None:
        progress("No stack was ever started here.")
        return
    with _lock(root), ThreadPoolExecutor() as pool:
        run_dir = root / "run"
        for group in ([*airflow.NAMES, sftp.NAME], [postgres.NAME]):
            list(pool.map(lambda name: _stop(run_dir, name, progress), group))


def status(state_dir: Path | None = None) -> list[ServiceStatus]:
    """Every service: alive, dead (it was started and is gone) or stopped."""
    run_dir = _config(state_dir, None).state_dir.resolve() / "run"
    return [_status(run_dir, name) for name in SERVICES]


def kill(service: str, state_dir: Path | None = None) -> int | None:
    """SIGKILL a service's main process, as a crash would; `up` recovers. Its pid, or None if it was not running."""
    return processes.kill(_config(state_dir, None).state_dir.resolve() / "run", _known(service))


def restart(service: str, state_dir: Path | None = None) -> StackState:
    """Stop one service, start it again and wait until it is healthy.

    Raises:
        StackError: there is no such service or no stack, or the service does not come up.
    """
    with locked(state_dir) as state:
        processes.stop(state.run_dir, _known(service), _stop_signals(service))
        _wait(state, _ensure_running(state, service))
        return state


@contextlib.contextmanager
def locked(state_dir: Path | None) -> Iterator[StackState]:
    """The state of a stack that nobody else changes meanwhile.

    Raises:
        StackError: no stack was ever started there.
    """
    root = _config(state_dir, None).state_dir.resolve()
    if StackState.load(root) is None:
        raise StackError(f"No stack was ever started in {root}. Start it with `rollcall up`.")
    with _lock(root):
        state = StackState.load(root)
        if state is None:
            raise StackError(f"{root}/stack.json has just been removed. Start the stack with `rollcall up`.")
        yield state


def _config(state_dir: Path | None, districts_dir: Path | None) -> Settings:
    config = settings()
    given = {"state_dir": state_dir, "districts_dir": districts_dir}
    return config.model_copy(update={name: path for name, path in given.items() if path is not None})


_OWN_CONNECTIONS = frozenset({"AIRFLOW_CONN_WAREHOUSE"})
"""The stack brings its own warehouse: another one in the caller's environment is not this stack's."""

_KEPT_OF_AIRFLOW = ("AIRFLOW_CONN_", "AIRFLOW__METRICS__", "AIRFLOW__OPENLINEAGE__", "AIRFLOW__TRACES__")
"""How variables of Airflow's begin that are kept: other systems that it tells something."""


def _kept_environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = passed_on()
    return {
        name: value
        for name, value in environment.items()
        if value and (name in kept or (name.startswith(_KEPT_OF_AIRFLOW) and name not in _OWN_CONNECTIONS))
    }


@contextlib.contextmanager
def _lock(state_dir: Path) -> Iterator[None]:
    """One `up` or `down` at a time for a stack; the lock ends with the process that holds it."""
    make_folder(state_dir / "run")
    with private.locked(state_dir / "run" / "lock"):
        yield


def _prepare(config: Settings, options: Mapping[str, str]) -> StackState:
    """Folders, passwords, ports, accounts: everything that has to be there before a process starts."""
    state = load_or_create(config, options).with_accounts(district_ids(config.districts_dir))
    close_state_folder(state.state_dir)
    postgres.let_server_user_pass(state.state_dir)
    make_folder(state.logs_dir)
    airflow.prepare_home(state)
    state = state.model_copy(
        update={**_ports(state), "sftp_host_key": sftp.ensure_key(state.state_dir / "sftp_host_key")}
    )
    sftp.sync_accounts(state)
    state.save()
    return state


def _ports(state: StackState) -> dict[str, int]:
    wanted = {"postgres_port": postgres.NAME, "sftp_port": sftp.NAME, "airflow_port": "api-server"}
    ports: dict[str, int] = {}
    for field, name in wanted.items():
        port: int = getattr(state, field)
        if port == 0 or processes.running(state.run_dir, name) is None:
            port = processes.free_port(port)
        ports[field] = port
    return ports


def _start_all(
    state: StackState, with_airflow: bool, progress: Progress, after_postgres: Callable[[StackState], None] | None
) -> None:
    began = time.monotonic()
    initialisation = airflow.Initialisation(state) if with_airflow else None
    with ThreadPoolExecutor() as pool:
        try:
            if initialisation:
                initialisation.begin()
            progress("Starting PostgreSQL and the SFTP server ...")
            sftp_record = sftp.ensure_running(state)
            database = postgres.ensure_running(state)
            after = pool.submit(copy_context().run, after_postgres, state) if after_postgres else None
            if initialisation:
                progress("Preparing Airflow's database ...")
                initialisation.finish()
            if after:
                after.result()
            if initialisation:
                _start_airflow(state, database, progress, pool)
            _wait(state, sftp_record)
        finally:
            if initialisation:
                initialisation.abandon()
    progress(f"The stack is up ({time.monotonic() - began:.0f} s).")


def _start_airflow(state: StackState, database: Record, progress: Progress, pool: ThreadPoolExecutor) -> None:
    progress("Starting Airflow ...")
    records = [airflow.ensure_running(state, name) for name in airflow.NAMES]
    for waiting in [pool.submit(_wait_airflow, state, record, database) for record in records]:
        waiting.result()


def _wait_airflow(state: StackState, record: Record, database: Record) -> None:
    """Wait until the process is healthy; one that a crash of the database takes down is started once more."""
    try:
        _wait(state, record, since=database.create_time)
    except StackError:
        if record.create_time > database.create_time or record.process() is not None:
            raise
        _wait(state, airflow.ensure_running(state, record.name))


def _ensure_running(state: StackState, name: str) -> Record:
    if name == postgres.NAME:
        return postgres.ensure_running(state)
    if name == sftp.NAME:
        return sftp.ensure_running(state)
    return airflow.ensure_running(state, name)


def _wait(state: StackState, record: Record, since: float = 0.0) -> None:
    if record.name == sftp.NAME:
        processes.wait_until(lambda: sftp.is_ready(state), record, 30, "ready for logins")
    elif record.name != postgres.NAME:
        processes.wait_until(lambda: airflow.is_healthy(state, record, since), record, _AIRFLOW_PATIENCE, "healthy")


def _stop_signals(name: str) -> StopSignals:
    return postgres.STOP_SIGNALS if name == postgres.NAME else STOP_SIGNALS


def _stop(run_dir: Path, name: str, progress: Progress) -> None:
    if processes.stop(run_dir, name, _stop_signals(name)):
        progress(f"Stopped {name}.")


def _status(run_dir: Path, name: str) -> ServiceStatus:
    record = processes.read_record(run_dir, name)
    if record is None:
        return ServiceStatus(name=name, state="stopped", pid=None, log=None)
    alive = record.process() is not None
    return ServiceStatus(
        name=name, state="alive" if alive else "dead", pid=record.pid if alive else None, log=record.log
    )


def _known(service: str) -> str:
    if service not in SERVICES:
        raise StackError(f"There is no service {service!r}; there are {', '.join(SERVICES)}.")
    return service
