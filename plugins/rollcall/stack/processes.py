"""Start, watch and stop the services: processes that outlive the command that started them."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from rollcall.private import UMASK, append, make_folder, write_private
from rollcall.stack.errors import StackError
from rollcall.stack.state import HOST

_CREATE_TIME_TOLERANCE = 2.0
_SAME_BOOT = 10.0
LOG_LIMIT_BYTES = 20_000_000
# Below the range from which systems hand out ports to outgoing connections, so that nothing slips in between.
_PORTS = range(20_000, 30_000)

StopSignals = Sequence[tuple[signal.Signals, float]]
# Signals to stop a service with, each with the seconds that it has.
STOP_SIGNALS: StopSignals = ((signal.SIGTERM, 15.0),)

# Popen objects of services that this process started, so that the dead ones are reaped.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Service:
    """A program of the stack and how to run it."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    log: Path
    identity: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""

    @property
    def fingerprint(self) -> str:
        """Changes when the service has to be started anew to see its settings or its code."""
        own = {name: value for name, value in self.env.items() if name.startswith(("AIRFLOW", "ROLLCALL"))}
        return hashlib.sha256(json.dumps([list(self.argv), own, self.code], sort_keys=True).encode()).hexdigest()


class Record(BaseModel):
    """What ``<state_dir>/run/<service>.json`` says about a started service."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int
    create_time: float
    boot_time: float = 0.0
    fingerprint: str
    log: Path

    def process(self) -> psutil.Process | None:
        """The service's process, or None if it has died or its pid now belongs to something else."""
        _reap()
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _CREATE_TIME_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def read_record(run_dir: Path, name: str) -> Record | None:
    """The record of a service, or None if it was never started or its record cannot be read."""
    try:
        return Record.model_validate_json((run_dir / f"{name}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def running(run_dir: Path, name: str) -> psutil.Process | None:
    """The process of a service that up started, if it is alive."""
    record = read_record(run_dir, name)
    return record.process() if record else None


def start(service: Service, run_dir: Path) -> Record:
    """Start a service, detached, and record it; what a dead predecessor left running is ended first."""
    _kill(_leftovers(read_record(run_dir, service.name)))
    make_folder(service.log.parent)
    roll_log(service.log)
    with append(service.log) as log:
        child = subprocess.Popen(
            list(service.argv),
            env=dict(service.env),
            cwd=service.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=UMASK,
            **service.identity,
        )
    _children.append(child)
    record = Record(
        name=service.name,
        pid=child.pid,
        create_time=psutil.Process(child.pid).create_time(),
        boot_time=psutil.boot_time(),
        fingerprint=service.fingerprint,
        log=service.log,
    )
    write_private(run_dir / f"{service.name}.json", record.model_dump_json())
    return record


def stop(run_dir: Path, name: str, stop_signals: StopSignals) -> bool:
    """Stop a service and everything it started: politely, then by SIGKILL. False if it was not running."""
    record = read_record(run_dir, name)
    process = record.process() if record else None
    if process is None:
        _kill(_leftovers(record))
    else:
        family = _family(process)
        _ask_to_stop(process, stop_signals)
        _kill(_merge(family, _session(process.pid), [process]))
    (run_dir / f"{name}.json").unlink(missing_ok=True)
    return process is not None


def _ask_to_stop(process: psutil.Process, stop_signals: StopSignals) -> None:
    for number, patience in stop_signals:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        if not psutil.wait_procs([process], timeout=patience)[1]:
            return


def kill(run_dir: Path, name: str) -> int | None:
    """SIGKILL the service's main process alone, as a crash would. Its pid, or None if it was not running."""
    process = running(run_dir, name)
    if process is None:
        return None
    process.kill()
    psutil.wait_procs([process], timeout=10)
    return process.pid


def wait_until(check: Callable[[], bool], record: Record, timeout: float, what: str) -> None:
    """Wait until a service answers.

    Raises:
        StackError: it died, or the time is over; the message ends with the last lines of its log.
    """
    deadline = time.monotonic() + timeout
    while not check():
        if record.process() is None:
            raise StackError(f"{record.name} stopped before {what}. Its log is {record.log}:\n{tail(record.log)}")
        if time.monotonic() > deadline:
            raise StackError(
                f"{record.name} is running, but after {timeout:.0f} s still not {what}. "
                f"Its log is {record.log}:\n{tail(record.log)}"
            )
        time.sleep(0.1)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def free_port(wanted: int = 0) -> int:
    """``wanted`` if nothing listens there, else a port that is free.

    Raises:
        StackError: no free port was found.
    """
    candidates = SystemRandom().sample(_PORTS, 200)
    for port in [wanted, *candidates] if wanted else candidates:
        if _is_free(port):
            return port
    raise StackError(f"No free port on {HOST} among 200 tried between {_PORTS.start} and {_PORTS.stop}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def roll_log(log: Path) -> None:
    """Put a service's log aside once it is long, in place of the one before; the service goes on writing.

    Args:
        log: The log; that it is there is not needed.
    """
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        shutil.copy2(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)  # whoever writes appends


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _session(leader: int) -> list[psutil.Process]:
    """Every process of a service's session, also those whose parent has died."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == leader:
                found.append(process)
    return found


def _leftovers(record: Record | None) -> list[psutil.Process]:
    """What a service that was killed left running.

    No system gives out the id of a session that still has members, so whoever is in it is ours: unless the machine was
    started anew since, or the id, free again, belongs to somebody else's leader.
    """
    if record is None or psutil.pid_exists(record.pid) or abs(record.boot_time - psutil.boot_time()) > _SAME_BOOT:
        return []
    return _session(record.pid)


def _merge(*groups: Sequence[psutil.Process]) -> list[psutil.Process]:
    return list({process.pid: process for group in groups for process in group}.values())


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)
