"""Full disks: under the archive, and under the warehouse."""

import time

from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground, Night

FULL_SECONDS = 15


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
    return _with_room_again(ground, night)


def warehouse_full(ground: Ground, district: str) -> Outcome:
    """The warehouse has no room for a landing; then it has."""
    before = ground.publish(district)
    with ground.full("postgres"):
        night = _begin_in_spite_of_it(ground, district)
        time.sleep(FULL_SECONDS)
        assert ground.desk.roster_rows(district) == before.roster_rows, "readers see the last good roster"
    ground.up()  # PostgreSQL stops when it cannot write its log
    return _with_room_again(ground, night)


def _begin_in_spite_of_it(ground: Ground, district: str) -> Night:
    """Airflow's own database is as full: the run may not begin before there is room."""
    delivery = ground.write(district, 2)
    ground.desk.upload(district, delivery.files)
    try:
        return ground.waiting(district, 2, delivery)
    except Exception:  # noqa: BLE001 -- however Airflow says that it cannot write
        return Night(ground, district, 2, delivery, "")


def _with_room_again(ground: Ground, night: Night) -> Outcome:
    """The night ends published: by itself, or when a person clears what failed."""
    since, person = time.monotonic(), "make room"
    if not night.run_id:
        night = ground.waiting(night.district, night.number, night.delivery)
        person += "; start the run"
    colour = ground.desk.ended(night.district, night.run_id)
    if colour == "failed":
        ground.desk.clear(night.district, night.run_id)
        person += "; clear the run"
    return Outcome("published", night.until_published(since), person)


FAULTS = (
    Fault("disk_archive", "the disk under the archive full", archive_full, needs_root=True),
    Fault("disk_warehouse", "the disk under the warehouse full", warehouse_full, needs_root=True),
)
