"""The ground that faults are played on: a local stack of its own, a district for each fault, and ways to do harm."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg

from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack import StackState, down, up
from rollcall.stack.processes import running
from rollcall.stack.warehouse import prepare_warehouse
from simulator.night import Delivery, write_night
from simulator.profile import Profile, Rates
from tests.e2e.operator_at_work import Desk

FIRST_NIGHT = date(2025, 11, 17)
NEIGHBOR = "neighbor"
"""A district that nothing is done to: it has to be published beside the hostile ones."""
PATIENCE_SECONDS = 240
OF_CONFORM = ("find_accepted", "build")
EVENTFUL = Rates(joiners=0.04, class_changes=0.02)
"""So much that no night of the smallest district is the same as the one before, which would only be `unchanged`."""
SMALL_DISKS = {"archive": 512, "postgres": 3072}
"""MiB of the file systems that are filled up, with room for what all faults leave; only where we may mount some."""
LOG_FILES_AHEAD = 4
"""PostgreSQL keeps five where it is not told otherwise."""
KEPT_FREE_MEBIBYTES = "8"
"""Of the archive's small disk."""
# Nobody's night begins by itself: every run is a fault's own.
DISTRICT = "name: {name}\nfirst_delivery: accept\nschedule: '0 0 29 2 *'\n"


@dataclass
class Night:
    """A district's run for one night, and what its files hold.

    Attributes:
        number: Which night, from 1.
        run_id: Airflow's run.
    """

    ground: "Ground"
    district: str
    number: int
    delivery: Delivery
    run_id: str

    @property
    def date(self) -> date:
        """The night's service date."""
        return FIRST_NIGHT + timedelta(days=self.number - 1)

    @property
    def state(self) -> str | None:
        """How the ledger says that the night stands."""
        return self.ground.desk.night(self.district, self.date)

    @property
    def delivery_id(self) -> int:
        """The night's delivery."""
        rows = self.ground.desk.sql(
            "select max(delivery_id) from rollcall.delivery where district_id = %s and service_date = %s",
            self.district,
            self.date,
        )
        return int(rows[0][0])

    def is_published(self) -> bool:
        """Whether the ledger says published and readers see exactly what the district sent."""
        return self.state == "published" and self.ground.desk.roster_rows(self.district) == self.roster_rows

    @property
    def roster_rows(self) -> int:
        """How many rows readers see once it is published."""
        return self.delivery.expected.roster_rows

    def until_published(self, since: float) -> float:
        """Wait until readers see the night and its run is green; the seconds since a moment until they saw it."""
        try:
            self.ground.until(f"{self.district}: published", self.is_published)
        except AssertionError as error:
            raise AssertionError(f"{error}; the ledger says: {self.state}") from None
        seconds = time.monotonic() - since
        colour = self.ground.desk.ended(self.district, self.run_id)
        assert colour == "success", f"the run of the published night is {colour}"
        return seconds

    def until_state(self, *states: str) -> str:
        """Wait until the ledger says one of these."""
        return str(
            self.ground.until(f"{self.district}: {' or '.join(states)}", lambda: self.state in states and self.state)
        )

    def until_task(self, task_id: str, *states: str) -> None:
        """Wait until a task, or one of its mapped instances, is in one of these states."""
        self.ground.until(f"{task_id}: {' or '.join(states)}", lambda: self.instances(task_id, *states), every=0.01)

    def instances(self, task_id: str, *states: str) -> list[int]:
        """The processes of a task's instances that are in some states, as `Ground.instances`; any of `conform`'s."""
        if task_id in OF_CONFORM:
            return self.ground.instances("conform", task_id, states)
        return self.ground.instances(f"roster__{self.district}", task_id, states, self.run_id)


class Ground:
    """A running stack of the local kind.

    Args:
        work: An empty folder.
        small_disks: Whether archive and PostgreSQL lie on small file systems of their own.
        settings: What the stack is told besides, as environment variables.
    """

    def __init__(self, work: Path, *, small_disks: bool, settings: Mapping[str, str]) -> None:
        self.work, self.small_disks = work, small_disks
        self._settings = {
            "ROLLCALL_CONFORM_BACKSTOP": "* * * * *",
            "ROLLCALL_ARCHIVE_KEEP_FREE_MIB": KEPT_FREE_MEBIBYTES,
            **settings,
        }
        self.state_dir, self.districts_dir = work / "stack", work / "districts"
        self.state: StackState
        self.desk: Desk
        self._neighbor_nights = 0

    def start(self, districts: Sequence[str]) -> None:
        """Start the stack; each district gets a file, an account and a DAG."""
        self.districts_dir.mkdir(parents=True)
        shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", self.districts_dir)
        for district in (NEIGHBOR, *districts):
            (self.districts_dir / f"{district}.yaml").write_text(DISTRICT.format(name=district.title()))
        if self.small_disks:
            self._mount()
        self.up()
        for district in (NEIGHBOR, *districts):
            path = f"/api/v2/dags/roster__{district}"
            self.until(f"the DAG of {district}", lambda path=path: self.desk.api("GET", path))

    def up(self) -> None:
        """What a person types when a service is gone: `rollcall up`."""
        self.state = up(
            self.state_dir,
            districts_dir=self.districts_dir,
            stable_after_seconds=2,
            poll_interval_seconds=0.5,
            publication_poll_seconds=0.5,
            environment={},  # no other stack's settings
            extra_env=self._settings,
            after_postgres=prepare_warehouse,
        )
        self.desk = Desk(self.state)

    def stop(self) -> None:
        """Stop the stack and unmount its disks."""
        down(self.state_dir)
        for name in SMALL_DISKS if self.small_disks else ():
            subprocess.run(["umount", str(self.state_dir / name)], check=False)

    def _mount(self) -> None:
        """Put PostgreSQL's files, once they are made, and the archive on small file systems."""
        up(self.state_dir, districts_dir=self.districts_dir, environment={}, with_airflow=False)
        down(self.state_dir)
        for name, mebibytes in SMALL_DISKS.items():
            folder, made = self.state_dir / name, self.work / f"{name}-as-made"
            folder.mkdir(exist_ok=True)
            folder.rename(made)
            folder.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder], check=True)
            subprocess.run(["cp", "--archive", f"{made}/.", folder], check=True)
            shutil.rmtree(made)

    def until(self, what: str, check: Callable[[], Any], every: float = 0.3) -> Any:
        """Wait for something to become true, also while services are away; its value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError, psycopg.Error, ConnectionError, *_AWAY):
                value = check()
                if value:
                    return value
            time.sleep(every)
        raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain for: {what}")

    def write(self, district: str, number: int, *, students: int = 60) -> Delivery:
        """The files of a night, as the district's system writes them."""
        profile = Profile(
            district, district.title(), students=students, seed=7, first_night=FIRST_NIGHT, rates=EVENTFUL
        )
        delivery = write_night(profile, number, self.work / "files" / district / str(number))
        assert number == 1 or any(delivery.expected.added.values()), "a night like the one before is only `unchanged`"
        return delivery

    def begin(
        self, district: str, number: int = 1, *, students: int = 60, spoil: Callable[[Path], object] | None = None
    ) -> Night:
        """Start a district's run for a night, and upload the night's files, spoiled or not."""
        delivery = self.write(district, number, students=students)
        if spoil:
            spoil(delivery.folder)
        night = self.waiting(district, number, delivery)
        self.desk.upload(district, sorted(path for path in delivery.folder.iterdir() if path.is_file()))
        return night

    def waiting(self, district: str, number: int, delivery: Delivery) -> Night:
        """A run that waits; nothing is uploaded yet."""
        service_date = FIRST_NIGHT + timedelta(days=number - 1)
        run_id = self.desk.start(district, service_date, wait_seconds=PATIENCE_SECONDS)
        return Night(self, district, number, delivery, run_id)

    def publish(self, district: str, number: int = 1, *, students: int = 60) -> Night:
        """A good night, so that there is something to lose."""
        night = self.begin(district, number, students=students)
        night.until_published(time.monotonic())
        return night

    def begin_neighbor(self) -> Night:
        """The next night of the district that nothing is done to."""
        self._neighbor_nights += 1
        return self.begin(NEIGHBOR, self._neighbor_nights)

    def instances(self, dag_id: str, task_id: str, states: Sequence[str], run_id: str = "") -> list[int]:
        """The processes of a task's instances that are in some states, of any run where none is named; 0 for one
        without a process."""
        with psycopg.connect(self.state.airflow_db_url) as connection:
            rows = connection.execute(
                "select coalesce(pid, 0) from task_instance"
                " where dag_id = %s and task_id = %s and state = any(%s) and %s in (run_id, '')",
                (dag_id, task_id, list(states), run_id),
            ).fetchall()
        return [int(pid) for (pid,) in rows]

    def do(self, statement: str, *values: object) -> None:
        """Change something in the warehouse behind everybody's back."""
        with psycopg.connect(self.state.warehouse_url) as connection:
            connection.execute(statement, values)

    @contextmanager
    def locked(self, *statements: str) -> Iterator[Callable[[], bool]]:
        """Hold locks in the warehouse; yields a look at whether somebody waits for them."""
        with psycopg.connect(self.state.warehouse_url) as blocker:
            for statement in statements:
                blocker.execute(statement)
            pid = blocker.info.backend_pid
            waits = "select exists (select from pg_stat_activity where %s = any(pg_blocking_pids(pid)))"
            yield lambda: bool(self.desk.sql(waits, pid)[0][0])

    @contextmanager
    def stopped(self, service: str) -> Iterator[None]:
        """A service whose main process stands still meanwhile."""
        process = running(self.state.run_dir, service)
        assert process is not None, f"{service} ran"
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def prepare_log(self) -> None:
        """Have PostgreSQL keep files for some more of its log: only its tables notice when the disk is full."""
        with psycopg.connect(self.state.superuser_url, autocommit=True) as connection:
            write_log(connection, LOG_FILES_AHEAD)
            connection.execute("checkpoint")

    @contextmanager
    def full(self, disk: str) -> Iterator[None]:
        """Fill a small disk to the last block; it has room again on leaving."""
        ballast = self.state_dir / disk / "ballast"
        with ballast.open("wb") as stream, suppress(OSError):
            while True:
                stream.write(bytes(1024 * 1024))
                stream.flush()
        with ballast.open("ab", buffering=0) as stream, suppress(OSError):
            while True:
                stream.write(bytes(512))
        try:
            yield
        finally:
            ballast.unlink(missing_ok=True)


def write_log(connection: psycopg.Connection, files: int) -> None:
    """Have PostgreSQL begin so many new files of its log, of 16 MiB each."""
    for _ in range(files):
        connection.execute("select pg_current_xact_id()")
        connection.execute("select pg_switch_wal()")


def _away() -> tuple[type[Exception], ...]:
    """What a service that is away raises at us."""
    import httpx

    from rollcall.airflow_api import AirflowUnreachableError

    return (httpx.HTTPError, AirflowUnreachableError)


_AWAY = _away()


@contextmanager
def ground(
    work: Path, districts: Sequence[str], *, small_disks: bool, settings: Mapping[str, str] | None = None
) -> Iterator[Ground]:
    """A stack of its own below an empty folder, gone afterwards; as `Ground`."""
    there = Ground(work, small_disks=small_disks, settings=settings or {})
    with working_on(state_dir=there.state_dir):
        try:
            there.start(districts)
            yield there
        finally:
            there.stop()
