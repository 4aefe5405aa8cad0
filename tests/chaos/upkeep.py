"""The tasks of `upkeep` killed, as soon as they run and while they wait to remove something."""

import time
from functools import partial

from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground
from tests.chaos.kills import killed

LATE = {
    "drop_landed": "lock table delivery_{number}.orgs in access share mode",
    "remove_old_details": "lock table rollcall.row_finding in share mode",
}


def kill_early(ground: Ground, district: str, task_id: str) -> Outcome:
    """Kill a task as soon as it runs."""
    number = _settled_long_ago(ground, district)
    run_id = _begin(ground)
    pids = ground.until(f"{task_id} runs", lambda: _processes(ground, run_id, task_id), every=0.005)
    return _after(ground, run_id, number, killed(pids))


def kill_late(ground: Ground, district: str, task_id: str) -> Outcome:
    """Kill a task while somebody's look into a table keeps it from removing something."""
    number = _settled_long_ago(ground, district)
    with ground.locked(LATE[task_id].format(number=number)) as somebody_waits:
        run_id = _begin(ground)
        ground.until(f"{task_id} is at work", somebody_waits, every=0.05)
        since = killed(_processes(ground, run_id, task_id))
    return _after(ground, run_id, number, since)


def _settled_long_ago(ground: Ground, district: str) -> int:
    """A published delivery whose landed rows may go."""
    number = ground.publish(district).delivery_id
    ground.do(
        "update rollcall.delivery set (arrived_at, decided_at, accepted_at, published_at)"
        " = (arrived_at - interval '9 days', decided_at - interval '9 days', accepted_at - interval '9 days',"
        " published_at - interval '9 days') where delivery_id = %s",
        number,
    )
    return number


def _begin(ground: Ground) -> str:
    return str(ground.desk.api("POST", "/api/v2/dags/upkeep/dagRuns", json={"logical_date": None})["dag_run_id"])


def _processes(ground: Ground, run_id: str, task_id: str) -> list[int]:
    return [pid for pid in ground.instances("upkeep", task_id, ["running"], run_id) if pid]


def _after(ground: Ground, run_id: str, number: int, since: float) -> Outcome:
    """The run is green in the end, and what was to go is gone."""
    ended = ("success", "failed")
    path = f"/api/v2/dags/upkeep/dagRuns/{run_id}"
    colour = ground.until(
        "the end of upkeep", lambda: (state := ground.desk.api("GET", path)["state"]) in ended and state
    )
    seconds = time.monotonic() - since
    assert colour == "success", f"the run of upkeep is {colour}"
    assert ground.desk.sql("select to_regnamespace(%s)", f"delivery_{number}") == [(None,)], "the landed rows are gone"
    return Outcome("tidied up", seconds)


FAULTS = tuple(
    Fault(f"kill_{task}_{when}", f"`{task}` killed {told}", partial(play, task_id=task))
    for when, told, play in (("early", "as soon as it runs", kill_early), ("late", "while it removes", kill_late))
    for task in LATE
)
