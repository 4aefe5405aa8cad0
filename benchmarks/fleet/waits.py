"""Many runs that wait at once: what the triggerer, the SFTP server and PostgreSQL hold meanwhile."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from benchmarks.fleet.ground import Ground, conf_of, fleet_ground
from benchmarks.memory import MEGABYTE_IN_KIB
from simulator.profile import Profile

POLL_SECONDS = 60
"""The default of ``poll_interval_seconds``."""
ROUNDS = 3
LOOKS_PER_SECOND = 2


def measure_waits(waits: int, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Start the stack with so many districts, let a run of each wait for a delivery that does not come, and look.

    Args:
        waits: How many.
        work: A folder for the stack.
        say: Told what goes on.
    """
    districts = [f"wait-{number:04d}" for number in range(waits)]
    night = Profile("fleet", "Fleet Unified", 20, seed=1).first_night + timedelta(days=1)
    began = time.monotonic()
    with fleet_ground(work, districts, poll_interval_seconds=POLL_SECONDS) as ground:
        up_after = time.monotonic() - began
        ground.until_known([f"roster__{district}" for district in districts])
        known_after = time.monotonic() - began
        say(f"{waits} districts: up after {up_after:.0f} s, all DAGs known after {known_after:.0f} s")
        quiet = _look(ground, POLL_SECONDS)
        began = time.monotonic()
        ground.start([f"roster__{district}" for district in districts], conf_of(night))
        deferred = "select count(*) from task_instance where task_id = 'wait_for_delivery' and state = 'deferred'"
        ground.until("the waits", lambda: ground.airflow(deferred) == [(waits,)])
        waiting_after = time.monotonic() - began
        say(f"all of them wait after {waiting_after:.0f} s")
        time.sleep(POLL_SECONDS)  # until each has looked once
        found = _look(ground, ROUNDS * POLL_SECONDS)
    say(f"quiet {quiet}; with {waits} waits {found}")
    return {
        "waits": waits,
        "poll_seconds": POLL_SECONDS,
        "up_after_seconds": round(up_after),
        "dags_known_after_seconds": round(known_after),
        "waiting_after_seconds": round(waiting_after),
        "quiet": quiet,
        "waiting": found,
    }


def _look(ground: Ground, seconds: float) -> dict[str, Any]:
    """Memory, processor time per second, and connections, over some time."""
    before, began = ground.cpus(), time.monotonic()
    sftp, warehouse, megabytes = [0], [0], [0.0]
    while time.monotonic() - began < seconds:
        connections = psutil.net_connections("tcp")
        sftp.append(_established(connections, ground.state.sftp_port))
        warehouse.append(_established(connections, ground.state.postgres_port))
        megabytes.append(_megabytes(ground.process("triggerer")))
        time.sleep(1 / LOOKS_PER_SECOND)
    passed, after = time.monotonic() - began, ground.cpus()
    return {
        "triggerer_mb": round(max(megabytes)),
        "cores": {name: round((after[name] - before[name]) / passed, 3) for name in after},
        "sftp_connections_most": max(sftp),
        "sftp_connections_mean": round(sum(sftp[1:]) / (len(sftp) - 1), 1),
        "postgres_connections_most": max(warehouse),
    }


def _established(connections: list[Any], port: int) -> int:
    """How many clients a server on this machine has."""
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in connections)


def _megabytes(process: psutil.Process) -> float:
    """Resident memory of a process and of all below it; what they share counts for each."""
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)]) / MEGABYTE_IN_KIB**2
