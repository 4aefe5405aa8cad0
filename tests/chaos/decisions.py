"""Decisions raced, and decisions about runs that are not there any more."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from simulator.spoil import truncate
from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground, Night


def held(ground: Ground, district: str) -> Night:
    """A night whose delivery waits for a person; enrollments.csv lost its second half."""
    ground.publish(district)
    night = ground.begin(district, 2, spoil=lambda folder: truncate(folder, "enrollments", 0.5))
    night.until_task("hold", "awaiting_input")
    return night


def rollcall(ground: Ground, *arguments: str) -> "subprocess.Popen[str]":
    """The command line, as an operator calls it."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("rollcall"), *arguments],
        env={**os.environ, "ROLLCALL_STATE_DIR": str(ground.state_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def say(ground: Ground, night: Night, verb: str, who: str) -> int:
    """Settle by the command line; its exit code."""
    command = rollcall(ground, verb, str(night.delivery_id), "--by", who, "--why", "chaos")
    command.communicate()
    return command.returncode


def until_approved_is_published(ground: Ground, night: Night, since: float) -> float:
    """Wait until readers see the approved delivery; the seconds since a moment."""
    ground.until(f"{night.district}: published", lambda: night.state == "published")
    sequence = ground.desk.published(night.district)
    assert sequence, "something is published"
    assert sequence[1] == night.delivery_id, "readers see the approved delivery"
    return time.monotonic() - since


def settlement(ground: Ground, night: Night) -> tuple[str, str]:
    """Who settled the hold, and how."""
    rows = ground.desk.sql("select settlement, settled_by from rollcall.hold where delivery_id = %s", night.delivery_id)
    return str(rows[0][0]), str(rows[0][1])


def both_at_once(ground: Ground, district: str) -> Outcome:
    """One approves and another discards by the command line, at the same moment."""
    night, since = held(ground, district), time.monotonic()
    number = str(night.delivery_id)
    commands = [
        rollcall(ground, verb, number, "--by", who, "--why", "chaos")
        for verb, who in (("approve", "Ada"), ("discard", "Bob"))
    ]
    for command in commands:
        command.communicate()
    assert sorted(command.returncode for command in commands) == [0, 1], "one decided, the other was told"
    how, who = settlement(ground, night)
    assert (how, who) == (("approved", "Ada") if commands[0].returncode == 0 else ("discarded", "Bob"))
    ended = night.until_state("published", "discarded")
    assert (ended == "published") == (how == "approved")
    return Outcome("the first counts, the second is told so", time.monotonic() - since, "decide")


def answer_overtaken(ground: Ground, district: str) -> Outcome:
    """Approved in Airflow while the scheduler stands still, then discarded by the command line."""
    night = held(ground, district)
    with ground.stopped("scheduler"):
        ground.desk.answer(district, night.run_id, "Approve", "they moved")
        since = time.monotonic()
        assert say(ground, night, "discard", "Bob") == 1, "Bob is told that Airflow's answer came first"
    seconds = until_approved_is_published(ground, night, since)
    assert settlement(ground, night) == ("approved", "admin")
    return Outcome("Airflow's answer came first and counts", seconds, "decide")


def run_marked(ground: Ground, district: str) -> Outcome:
    """Somebody marks the task `hold` as success; the hold is approved afterwards."""
    night = held(ground, district)
    path = f"/api/v2/dags/roster__{district}/dagRuns/{night.run_id}/taskInstances/hold"
    ground.desk.api("PATCH", path, json={"new_state": "success"})
    ground.desk.ended(district, night.run_id)
    since = time.monotonic()
    assert say(ground, night, "approve", "Ada") == 0
    return Outcome("published", until_approved_is_published(ground, night, since), "approve")


def delete_run(ground: Ground, night: Night) -> None:
    """Fail a run and delete it, as soon as Airflow lets go of its last task."""
    path = f"/api/v2/dags/roster__{night.district}/dagRuns/{night.run_id}"
    ground.desk.api("PATCH", path, json={"state": "failed"})
    ground.until("the run is deleted", lambda: ground.desk.api("DELETE", path) is None)


def run_deleted(ground: Ground, district: str) -> Outcome:
    """The run of a hold is deleted; the hold is approved afterwards."""
    night = held(ground, district)
    delete_run(ground, night)
    since = time.monotonic()
    assert say(ground, night, "approve", "Ada") == 0
    return Outcome("published", until_approved_is_published(ground, night, since), "approve")


def run_deleted_then_discarded(ground: Ground, district: str) -> Outcome:
    """The run of a hold is deleted; the hold is discarded afterwards, and the next night is published."""
    night = held(ground, district)
    delete_run(ground, night)
    assert say(ground, night, "discard", "Ada") == 0
    night.until_state("discarded")
    return _next_night(ground, district, "discarded; the next night is published", "discard")


def _next_night(ground: Ground, district: str, told: str, person: str) -> Outcome:
    since = time.monotonic()
    return Outcome(told, ground.begin(district, 3).until_published(since), person)


def _fault(name: str, told: str, play: Callable[[Ground, str], Outcome]) -> Fault:
    return Fault(f"decide_{name}", told, play)


FAULTS = (
    _fault("both_at_once", "approved and discarded by two command lines at once", both_at_once),
    _fault("overtaken", "approved in Airflow while the scheduler is behind, then discarded", answer_overtaken),
    _fault("run_marked", "`hold` marked as success by hand, then approved", run_marked),
    _fault("run_deleted", "the run of a hold deleted, then approved", run_deleted),
    _fault("run_deleted_discard", "the run of a hold deleted, then discarded", run_deleted_then_discarded),
)
