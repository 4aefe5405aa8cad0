"""Each task killed: early, as soon as it runs, and late, while it writes what it found into the ledger."""

import os
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from simulator.spoil import truncate
from tests.chaos.decisions import held, settlement, until_approved_is_published
from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground, Night

EARLY = ("receive", "check", "decide", "hold", "report", "find_accepted", "build")
"""Those that run in a process of their own; the triggerer, which runs the others, is killed in services.py."""
ACCEPTANCE = "select pg_advisory_xact_lock(hashtextextended('rollcall.accept.' || '{district}', 0))"
LAST_FILE = (
    "from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)"
    " where district_id = '{district}' and file = 'demographics'"
)
LATE = {
    "receive": ACCEPTANCE,
    "check": f"select 1 {LAST_FILE} for update of delivery_file",
    "decide": "lock table rollcall.delivery in share mode",
    "build": "lock table rollcall.publication in share mode",
}
"""For each task, what it needs only near its end, `check` for the last file that it gates: who holds it keeps the task
there. `hold` and `report` have stories of their own; `find_accepted` only reads."""
ABOUT_TO_RUN = ("scheduled", "queued", "running")


def kill_early(ground: Ground, district: str, task_id: str) -> Outcome:
    """Kill a task's processes as soon as they are there."""
    night = _night(ground, district, task_id)
    pids = ground.until(f"{task_id} runs", lambda: _processes(night, task_id), every=0.005)
    return _after(night, task_id, killed(pids))


def kill_late(ground: Ground, district: str, task_id: str) -> Outcome:
    """Kill a task's processes while they wait for a lock near their end."""
    night = _night(ground, district, task_id)
    night.until_task(task_id, *ABOUT_TO_RUN)
    if task_id == "check":
        landed = f"select 1 {LAST_FILE} and rows_landed is not null".format(district=district)
        ground.until("the last file is landed", lambda: ground.desk.sql(landed), every=0.01)
    with ground.locked(LATE[task_id].format(district=district)) as somebody_waits:
        ground.until(f"{task_id} is nearly done", somebody_waits, every=0.05)
        killed_at = killed(_processes(night, task_id))
    return _after(night, task_id, killed_at)


def kill_hold_late(ground: Ground, district: str) -> Outcome:
    """Kill `hold` while it takes down the answer that somebody gave in Airflow."""
    night = held(ground, district)
    with ground.locked(ACCEPTANCE.format(district=district)) as somebody_waits:
        ground.desk.answer(district, night.run_id, "Approve", "they moved")
        ground.until("hold takes the answer down", somebody_waits, every=0.05)
        since = killed(_processes(night, "hold"))
    seconds = until_approved_is_published(ground, night, since)
    assert settlement(ground, night) == ("approved", "admin"), "it is the answer that was given"
    return Outcome("the answer counts, and nobody is asked again", seconds, "decide")


def kill_report_late(ground: Ground, district: str) -> Outcome:
    """Kill `report` while it sends the receipt, which lies in the archive already, to a server that stands still."""
    night = _night(ground, district, "report")
    night.until_task("report", *ABOUT_TO_RUN)
    with ground.stopped("sftp"):
        ground.until("the receipt is written", lambda: _receipts(ground.state_dir / "archive", district), every=0.05)
        killed_at = killed(_processes(night, "report"))
    return _after(night, "report", killed_at)


def kill_with_worker(ground: Ground, district: str) -> Outcome:
    """Kill a task together with the worker that watches over it: nobody is left to say that it failed."""
    night = ground.begin(district)
    pids = ground.until("receive runs", lambda: _processes(night, "receive"), every=0.005)
    with suppress(psutil.NoSuchProcess):
        pids = [psutil.Process(pids[0]).ppid(), *pids]
    return _after(night, "receive", killed(pids))


def _night(ground: Ground, district: str, task_id: str) -> Night:
    """A night that comes to the task: a held one, where the task is `hold`."""
    if task_id != "hold":
        return ground.begin(district)
    ground.publish(district)
    return ground.begin(district, 2, spoil=lambda folder: truncate(folder, "enrollments", 0.5))


def _receipts(root: Path, district: str) -> list[Path]:
    """The last files of receipts that `report` writes, in the archive or below the SFTP server's root."""
    return list((root / district / "receipts").glob("*-summary.csv"))


def _processes(night: Night, task_id: str) -> list[int]:
    return [pid for pid in night.instances(task_id, "running") if pid]


def killed(pids: list[int]) -> float:
    """SIGKILL some processes; when."""
    assert pids, "there was nothing to kill"
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def _after(night: Night, task_id: str, since: float) -> Outcome:
    """How the night ends: it is published, it waits for a person where the task is `hold`, and has its receipt."""
    if task_id == "hold":
        night.until_task("hold", "awaiting_input")
        return Outcome("held, and asked again", time.monotonic() - since)
    seconds = night.until_published(since)
    if task_id != "report":
        return Outcome("published", seconds)
    ground = night.ground
    ground.until("the receipt is there", lambda: _receipts(ground.state.sftp_root, night.district))
    return Outcome("published, and the receipt is there", time.monotonic() - since)


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
    Fault("kill_hold_late", "`hold` killed while it takes down an answer", kill_hold_late),
    Fault("kill_report_late", "`report` killed while it sends the receipt", kill_report_late),
    Fault("kill_worker", "`receive` killed together with its worker", kill_with_worker),
)
