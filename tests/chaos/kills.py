"""Each task killed: early, as soon as it runs, and late, while it writes what it found into the ledger."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import psutil

from simulator.spoil import truncate
from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground, Night

EARLY = ("receive", "check", "decide", "hold", "report", "find_accepted", "build")
"""Those that run in a process of their own; the triggerer, which runs the others, is killed in services.py."""
LATE = {
    "receive": "select pg_advisory_xact_lock(hashtextextended('rollcall.accept.' || '{district}', 0))",
    "check": "select 1 from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)"
    " where district_id = '{district}' and file = 'demographics' for update of delivery_file",
    "decide": "lock table rollcall.delivery in share mode",
    "report": "lock table rollcall.night in share mode",
    "build": "lock table rollcall.publication in share mode",
}
"""For each task, what it needs only near its end, `check` for the last file that it lands: who holds it keeps the task
there."""

OF_CONFORM = ("find_accepted", "build")
ABOUT_TO_RUN = ("scheduled", "queued", "running")


def dag_of(task_id: str) -> str:
    """The DAG of a task that is not the district's own; blank where it is."""
    return "conform" if task_id in OF_CONFORM else ""


def kill_early(ground: Ground, district: str, task_id: str) -> Outcome:
    """Kill a task's processes as soon as they are there."""
    night = _night(ground, district, task_id)
    pids = ground.until(f"{task_id} runs", lambda: _processes(ground, night, task_id), every=0.005)
    return _after(night, task_id, _kill(pids))


def kill_late(ground: Ground, district: str, task_id: str) -> Outcome:
    """Kill a task's processes while they wait for a lock near their end."""
    night = _night(ground, district, task_id)
    ground.until(
        f"{task_id} is about to run",
        lambda: ground.instances(night, task_id, ABOUT_TO_RUN, dag_of(task_id)),
        every=0.01,
    )
    with ground.locked(LATE[task_id].format(district=district)) as somebody_waits:
        ground.until(f"{task_id} is nearly done", somebody_waits, every=0.05)
        killed_at = _kill(_processes(ground, night, task_id))
    return _after(night, task_id, killed_at)


def kill_with_worker(ground: Ground, district: str) -> Outcome:
    """Kill a task together with the worker that watches over it: nobody is left to say that it failed."""
    night = ground.begin(district)
    pids = ground.until("receive runs", lambda: _processes(ground, night, "receive"), every=0.005)
    with suppress(psutil.NoSuchProcess):
        pids = [psutil.Process(pids[0]).ppid(), *pids]
    return _after(night, "receive", _kill(pids))


def _night(ground: Ground, district: str, task_id: str) -> Night:
    """A night that comes to the task: a held one, where the task is `hold`."""
    if task_id != "hold":
        return ground.begin(district)
    ground.publish(district)
    return ground.begin(district, 2, spoil=lambda folder: truncate(folder, "enrollments", 0.5))


def _processes(ground: Ground, night: Night, task_id: str) -> list[int]:
    return [pid for pid in ground.instances(night, task_id, ["running"], dag_of(task_id)) if pid]


def _kill(pids: list[int]) -> float:
    """SIGKILL some processes; when."""
    assert pids, "there was nothing to kill"
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def _after(night: Night, task_id: str, since: float) -> Outcome:
    if task_id != "hold":
        return Outcome("published", night.until_published(since))
    night.until_task("hold", "awaiting_input")
    return Outcome("held, and asked again", time.monotonic() - since)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def no_fault(ground: Ground, district: str) -> Outcome:
    """Nothing goes wrong: what the other figures are to be compared with."""
    since = time.monotonic()
    return Outcome("published", ground.begin(district).until_published(since))


FAULTS = (
    Fault("no_fault", "nothing goes wrong", no_fault),
    *(
        Fault(f"kill_{task}_early", f"`{task}` killed as soon as it runs", partial(kill_early, task_id=task))
        for task in EARLY
    ),
    *(Fault(f"kill_{task}_late", f"`{task}` killed near its end", partial(kill_late, task_id=task)) for task in LATE),
    Fault("kill_worker", "`receive` killed together with its worker", kill_with_worker),
)
