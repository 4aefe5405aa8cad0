"""Old task logs go, those of runs whose delivery still waits stay; long logs of local services are put aside."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rollcall.ledger import SETTLED
from rollcall.settings import settings
from rollcall.stack.processes import roll_log
from rollcall.upkeep.record import Removal, moment_before, record
from rollcall.warehouse import connect, values

WHAT = "logs"
_WAITING = "select run_id from rollcall.delivery where state <> all(%s)"


def remove_logs(older_than: timedelta, *, dry_run: bool = False) -> list[Removal]:
    """Remove the files of Airflow's log folder that nobody has written into for long, and folders that are empty then.

    Args:
        older_than: How long ago a file must have been written last.
        dry_run: Whether it is only counted.

    Returns:
        What was removed, as one.

    Raises:
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    before, folder = moment_before(older_than), settings().task_logs
    with connect() as connection:
        waiting = {f"run_id={run}" for run in values(connection, _WAITING, [SETTLED])}
        found = [(path, size) for path, size in _old_files(folder, before) if waiting.isdisjoint(path.parts)]
        removal = Removal(WHAT, 0, len(found), sum(size for _, size in found))
        if not dry_run:
            for path, _ in found:
                path.unlink(missing_ok=True)
            _remove_empty(folder)
            for log in (settings().state_dir / "logs").glob("*.log"):
                roll_log(log)
            record(connection, removal, before)
    return [removal]


def _old_files(folder: Path, before: datetime) -> Iterator[tuple[Path, int]]:
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            try:
                told = path.lstat()
            except FileNotFoundError:  # gone meanwhile
                continue
            if told.st_mtime < before.timestamp():
                yield path, told.st_size


def _remove_empty(folder: Path) -> None:
    """Remove folders that have been empty for a day: into a new one a task may be about to write."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    places = [Path(place) for place, _, _ in os.walk(folder, topdown=False)]
    old = [path for path in places if path != folder and path.stat().st_mtime < yesterday]
    for path in old:
        if not any(path.iterdir()):
            path.rmdir()
