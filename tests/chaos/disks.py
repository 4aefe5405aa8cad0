"""Full disks: under the archive, and under the warehouse."""

import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from rollcall.stack.processes import running
from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground, Night, write_log

FULL_SECONDS = 15
NOBODY_GETS_IN = "; nobody could log in to PostgreSQL meanwhile"
FAR_TOO_MANY_LOG_FILES = 200
STUDENTS = 1_500
"""So many that what is built of them needs room."""


def archive_full(ground: Ground, district: str) -> Outcome:
    """The archive has no room for a delivery; then it has."""
    night = ground.waiting(district, 1, ground.write(district, 1))
    with ground.full("archive"):
        ground.desk.upload(district, night.delivery.files)
        night.until_task("receive", "up_for_retry", "failed")
        inbox = ground.state.sftp_root / district / "inbox"
        left = {path.name for path in inbox.rglob("*.csv")}
        assert left == {path.name for path in night.delivery.files}, "everything still lies in the inbox"
        time.sleep(FULL_SECONDS)
    return _with_room_again(ground, night, "make room")


def warehouse_full(ground: Ground, district: str) -> Outcome:
    """The warehouse has no room for a landing, but can still write its log; then it has room."""
    before = ground.publish(district)
    ground.prepare_log()
    with ground.full("postgres"):
        night = _begin_in_spite_of_it(ground, district)
        time.sleep(FULL_SECONDS)
        meanwhile = _meanwhile(ground, district, before.roster_rows)
    return _with_room_again(ground, night, "make room", meanwhile)


def warehouse_full_in_build(ground: Ground, district: str) -> Outcome:
    """The warehouse has no room for what dbt builds; then it has."""
    ground.prepare_log()
    night = ground.begin(district, students=STUDENTS)
    night.until_task("build", "running")
    with ground.full("postgres"):
        time.sleep(FULL_SECONDS)
        meanwhile = _meanwhile(ground, district, 0)
    assert night.state in ("accepted", "published"), "it still waits to be built, or is built at once"
    return _with_room_again(ground, night, "make room", meanwhile)


def warehouse_stops(ground: Ground, district: str) -> Outcome:
    """The disk is so full that PostgreSQL cannot write its log: it stops, and takes Airflow along."""
    before = ground.publish(district)
    with psycopg.connect(ground.state.superuser_url, autocommit=True) as busy, ground.full("postgres"):
        night = _begin_in_spite_of_it(ground, district)
        with suppress(psycopg.OperationalError):
            write_log(busy, FAR_TOO_MANY_LOG_FILES)
        ground.until("PostgreSQL stops", lambda: running(ground.state.run_dir, "postgres") is None)
    ground.up()
    assert ground.desk.roster_rows(district) == before.roster_rows, "readers see the last good roster again"
    return _with_room_again(ground, night, "make room; `rollcall up`", NOBODY_GETS_IN)


def _meanwhile(ground: Ground, district: str, rows: int) -> str:
    """What became of readers while the disk is full: they see the last good roster, or are refused."""
    try:
        assert ground.desk.roster_rows(district) == rows, "readers see the last good roster"
    except psycopg.OperationalError:
        return NOBODY_GETS_IN
    return ""


def _begin_in_spite_of_it(ground: Ground, district: str) -> Night:
    """Airflow's own database is as full: the run may not begin before there is room."""
    delivery = ground.write(district, 2)
    ground.desk.upload(district, delivery.files)
    try:
        return ground.waiting(district, 2, delivery)
    except Exception:  # noqa: BLE001 -- however Airflow says that it cannot write
        return Night(ground, district, 2, delivery, "")


def _with_room_again(ground: Ground, night: Night, person: str, meanwhile: str = "") -> Outcome:
    """The night ends published: by itself, or when a person clears what failed."""
    since = time.monotonic()
    if not night.run_id:
        night = ground.waiting(night.district, night.number, night.delivery)
        person += "; start the run"
    colour = ground.desk.ended(night.district, night.run_id)
    if colour == "failed":
        ground.desk.clear(night.district, night.run_id)
        person += "; clear the run"
    return Outcome(f"published{meanwhile}", night.until_published(since), person)


def _fault(name: str, told: str, play: Callable[[Ground, str], Outcome]) -> Fault:
    return Fault(f"disk_{name}", told, play, needs_root=True)


FAULTS = (
    _fault("archive", "the disk under the archive full", archive_full),
    _fault("warehouse", "the disk under the warehouse full while a delivery comes", warehouse_full),
    _fault("warehouse_build", "the disk under the warehouse full while dbt builds", warehouse_full_in_build),
    _fault("warehouse_log", "the disk under the warehouse so full that PostgreSQL stops", warehouse_stops),
)
