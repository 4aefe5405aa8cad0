"""Law 4: killed in the middle of every step and run again, a night ends as if nothing had happened."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from nights import STEPS, Run, World, records, rewrite, small_district, write
from processes import kill, moments_of, spread, started, wait_until

from rollcall.steps import check

KILLS = {"receive": 12, "check": 12, "decide": 20, "report": 6}
"""How often each step is killed, at moments spread from its first statement to its last."""


def with_rows_to_set_aside(folder: Path) -> None:
    student = next(user["sourcedId"] for user in records(folder, "users") if user["role"] == "student")
    rewrite(folder, "users", lambda user: user | ({"role": "wizard"} if user["sourcedId"] == student else {}))
    with (folder / "demographics.csv").open("a") as stream:
        stream.write(f"{student},ragged\r\n")


class Twins:
    """Two districts that are sent the same: one is left in peace, the other's steps are killed."""

    def __init__(self, world: World, name: str, *, judged: bool) -> None:
        self.world = world
        self.peaceful, self.disturbed = (f"{name}-{kind}" for kind in ("peaceful", "disturbed"))
        world.settle_in(self.peaceful, self.disturbed)
        profile = small_district(name, students=30)
        for night, spoil in ((1, ()), (2, (with_rows_to_set_aside,))):
            self.runs = {name: Run(world, name, night) for name in (self.peaceful, self.disturbed)}
            for run in self.runs.values():
                world.send(run.district_id, write(profile, night, world.work / name / str(night), *spoil).files)
                if night == 1 or judged:
                    run.judge()
            if night == 1:
                world.conform()

    def step(self, name: str) -> list[Callable[[], Any]]:
        """A step of the peaceful twin, and of the disturbed one."""
        return [lambda run=run: run.step(name) for run in self.runs.values()]  # type: ignore[misc]

    def agree(self, *looks: Callable[[str], object]) -> bool:
        return all(look(self.peaceful) == look(self.disturbed) for look in looks)


def test_every_step_may_be_killed_and_run_again(world: World) -> None:
    twins = Twins(world, "kill-steps", judged=False)
    for step in STEPS:
        _kill_again_and_again(twins, step)
        assert twins.agree(world.meaning), step
    assert [run.delivery_state for run in twins.runs.values()] == ["accepted", "accepted"]
    world.conform()
    _kill_again_and_again(twins, "report")
    assert twins.agree(world.meaning, world.history, world.shown)
    assert [run.outcome for run in twins.runs.values()] == ["published", "published"]
    assert world.waiting(twins.disturbed) == []
    assert len(world.receipts(twins.disturbed)) == len(world.receipts(twins.peaceful))


def _kill_again_and_again(twins: Twins, name: str) -> None:
    """In peace for the one; for the other killed at many moments, and in the end, in a fresh process, not killed."""
    peaceful, disturbed = twins.step(name)
    for at in spread(moments_of(peaceful), KILLS[name]):
        kill(disturbed, at)
    moments_of(disturbed)


def test_law_04_units_may_be_checked_side_by_side_in_any_order_and_again(world: World) -> None:
    """As one unit, or as a unit each; and one of them cleared while a person is asked."""
    world.settle_in("units-one", "units-many", first_delivery="hold")
    profile = small_district("units", students=30)
    files = write(profile, 1, world.work / "units", with_rows_to_set_aside).files
    one, many = (Run(world, name) for name in ("units-one", "units-many"))
    for run in (one, many):
        world.send(run.district_id, files)
        run.receive()
    one.check()
    with ExitStack() as at_once:
        for name in reversed(many.files):
            at_once.enter_context(started(partial(_check, many, [name])))
        wait_until(lambda: _gated(many) == set(many.files), "every file is through its own gate")
    for run in (one, many):
        run.decide()
    assert world.meaning("units-many") == world.meaning("units-one")
    _check(many, ["users"])
    assert _gated(many) == {"users"}, "it alone is to be judged with the others anew"
    many.decide()
    assert world.meaning("units-many") == world.meaning("units-one")
    for run in (one, many):
        assert run.settle("approved").outcome == "settled"
    world.conform()
    for look in (world.meaning, world.history, world.shown):
        assert look("units-many") == look("units-one")


def _check(run: Run, files: list[str]) -> None:
    check(run.district, run.delivery_id, files)


def _gated(run: Run) -> set[str]:
    """The files that went through the gate alone, and wait to be judged with the others."""
    found = "select file from rollcall.delivery_file where delivery_id = %s and gated = 'alone'"
    return {str(file) for (file,) in run.world.query(found, run.delivery_id)}


def test_a_build_may_be_killed_at_any_statement_and_run_again(world: World) -> None:
    twins = Twins(world, "kill-build", judged=True)
    disturbed = twins.runs[twins.disturbed]
    with _set_back(world, disturbed):
        moments = moments_of(world.conform)
    for at in (*spread(moments, 5)[:-1], moments - 8, moments - 4, moments - 1):
        kill(world.conform, at)
    moments_of(world.conform)
    assert twins.agree(world.meaning, world.history, world.shown)
    assert disturbed.delivery_state == "published"
    assert world.query("select count(*) from rollcall.build where state = 'running'") == [(0,)]


@contextmanager
def _set_back(world: World, run: Run) -> Iterator[None]:
    """Keep a delivery from being built for now."""
    change = "update rollcall.delivery set state = %s where delivery_id = %s"
    world.execute(change, "receiving", run.delivery_id)
    yield
    world.execute(change, "accepted", run.delivery_id)


def test_a_build_killed_after_a_while_leaves_backends_that_the_next_one_ends(world: World) -> None:
    twins = Twins(world, "kill-dbt", judged=True)
    with _set_back(world, twins.runs[twins.disturbed]):
        world.conform()
    with psycopg.connect(world.url) as blocker:
        blocker.execute("lock table history.hist_users in share row exclusive mode")
        with started(world.conform):
            wait_until(lambda: _waiting_backends(world) != set(), "dbt waits for the lock")
        left_behind = _waiting_backends(world)
        assert left_behind, "PostgreSQL does not notice that the client is gone"
        with started(world.conform):
            wait_until(lambda: not left_behind & _waiting_backends(world), "the next conform ends them")
    for seconds in (0.2, 0.7, 1.2):
        with started(world.conform):
            time.sleep(seconds)
    moments_of(world.conform)
    assert twins.agree(world.meaning, world.history, world.shown)
    assert twins.runs[twins.disturbed].delivery_state == "published"


def _waiting_backends(world: World) -> set[int]:
    rows = world.query(
        "select pid from pg_stat_activity where application_name = 'rollcall-dbt' and wait_event_type = 'Lock'"
    )
    return {pid for (pid,) in rows}
