"""PostgreSQL killed with SIGKILL at the worst moments: landed rows are UNLOGGED and gone, the archive is not."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from helpers.counts import agree, counts_of
from nights import FIRST_NIGHT, Run, World, small_district, write
from processes import started, wait_until

from rollcall.stack import kill, up
from simulator.night import Delivery


@pytest.fixture
def crash(world: World) -> Callable[[], None]:
    """Kills the server, and starts what is down."""

    def crash_and_recover() -> None:
        state = world.state
        assert kill("postgres", state.state_dir)
        up(state.state_dir, districts_dir=state.districts_dir, with_airflow=False)

    return crash_and_recover


def judged(world: World, district_id: str, *spoil: Callable[[Path], object]) -> tuple[Run, Delivery]:
    """A district's first night up to the decision."""
    world.settle_in(district_id)
    delivery = write(small_district(district_id, students=30), 1, world.work / district_id, *spoil)
    world.send(district_id, delivery.files)
    run = Run(world, district_id)
    run.judge()
    return run, delivery


def landed_rows(world: World, run: Run) -> int:
    return int(world.query(f"select count(*) from delivery_{run.delivery_id}.users")[0][0])


def test_between_accept_and_conform(world: World, crash: Callable[[], None]) -> None:
    run, delivery = judged(world, "crash-accepted")
    checks = world.meaning("crash-accepted")
    assert landed_rows(world, run) == delivery.expected.rows["users"]
    crash()
    assert landed_rows(world, run) == 0, "UNLOGGED tables come back empty"
    assert world.meaning("crash-accepted") == checks, "the ledger does not"

    outcomes = world.conform()
    run.report()
    assert [outcome.state for outcome in outcomes] == ["succeeded"]
    assert run.outcome == "published"
    assert agree(world.published("crash-accepted"), delivery.expected)


def test_during_a_hold(world: World, crash: Callable[[], None]) -> None:
    world.settle_in("crash-held", first_delivery="hold")
    delivery = write(small_district("crash-held", students=30), 1, world.work / "crash-held")
    run = world.play("crash-held", delivery.files)
    assert run.delivery_state == "held"
    crash()
    run.settle("approved")
    assert run.delivery_state == "accepted"
    world.conform()
    run.report()
    assert run.outcome == "published"
    assert world.published("crash-held") == counts_of(delivery.folder, FIRST_NIGHT)


def test_during_a_build(world: World, crash: Callable[[], None]) -> None:
    run, delivery = judged(world, "crash-build")
    with closing(psycopg.connect(world.url)) as blocker, started(world.conform):
        blocker.execute("lock table history.hist_enrollments in share row exclusive mode")
        wait_until(lambda: waits_for_a_lock(world), "the build is in its middle")
        crash()
    assert run.delivery_state == "accepted"
    assert world.publication("crash-build") is None
    world.conform()
    assert run.delivery_state == "published"
    assert agree(world.published("crash-build"), delivery.expected)


def waits_for_a_lock(world: World) -> bool:
    return world.query("select count(*) > 0 from pg_locks where not granted") == [(True,)]
