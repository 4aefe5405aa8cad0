"""The whole stack, once for all end-to-end tests, with a small district for each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from helpers.post import Post, mail_server

from rollcall.settings import working_on
from rollcall.stack import StackState, down, up
from rollcall.stack.warehouse import prepare_warehouse
from simulator.night import Delivery, write_night
from simulator.profile import Profile, Rates
from tests.e2e.operator_at_work import Desk

NIGHT_1 = date(2026, 11, 16)
NIGHT_2 = NIGHT_1 + timedelta(days=1)
NIGHT_3 = NIGHT_1 + timedelta(days=2)
DISTRICTS = (
    "alder",
    "birch",
    "cedar",
    "dogwood",
    "elm",
    "fir",
    "ginkgo",
    "hazel",
    "juniper",
    "rowan",
    "willow",
)
HELD_AT_FIRST = ("linden", "mulberry", "nutmeg", "olive", "plum", "quince", "sycamore")
"""Each has one night, which a person decides on."""
FIRST_NIGHTS = ("alder", "birch", "cedar", "dogwood", "hazel", *HELD_AT_FIRST)
"""Their stories begin with an ordinary first night: all of them at once."""
BY_DAY = "larch"
"""Its night is half a day away, and what comes meanwhile is taken on arrival."""
PAUSED = "kapok"
"""Runs every minute, and never expects anything."""
DEFAULTS = Path(__file__).parents[2] / "dags" / "districts" / "_defaults.yaml"


@pytest.fixture(scope="session")
def districts_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """District files of the tests' own."""
    folder = tmp_path_factory.mktemp("districts")
    (folder / "_defaults.yaml").write_bytes(DEFAULTS.read_bytes())
    half_a_day_away = (datetime.now(UTC).hour + 12) % 24
    for district in (*DISTRICTS, *HELD_AT_FIRST):  # a run of the schedule's own would take what a test uploads
        (folder / f"{district}.yaml").write_text(
            f"name: {district.title()} District\ntimezone: Etc/UTC\nschedule: '0 {half_a_day_away} * * *'\n"
            f"first_delivery: {'hold' if district in HELD_AT_FIRST else 'accept'}\n"
        )
    (folder / f"{BY_DAY}.yaml").write_text(
        f"name: Larch District\nfirst_delivery: accept\nintraday: true\ntimezone: Etc/UTC\n"
        f"schedule: '0 {half_a_day_away} * * *'\ndeadline: '00:00'\n"
    )
    (folder / f"{PAUSED}.yaml").write_text(
        "name: Kapok District\nschedule: '* * * * *'\n"
        "pauses: [{first_night: 2000-01-01, last_night: 2999-12-31, reason: summer}]\n"
    )
    return folder


@pytest.fixture(scope="package", autouse=True)
def stack_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The stack's state folder, worked on."""
    folder = tmp_path_factory.mktemp("stack")
    with working_on(state_dir=folder):
        yield folder


@pytest.fixture(scope="package")
def post() -> Post:
    """What the stack's mail server has."""
    return Post()


@pytest.fixture(scope="package")
def smtp(post: Post) -> Iterator[str]:
    """The connection to the stack's mail server."""
    with mail_server(post) as connection:
        yield connection


@pytest.fixture(scope="package")
def stack(districts_dir: Path, stack_dir: Path, smtp: str) -> Iterator[StackState]:
    """PostgreSQL, SFTP and Airflow."""
    state = up(
        stack_dir,
        districts_dir=districts_dir,
        stable_after_seconds=2,
        poll_interval_seconds=1,
        publication_poll_seconds=1,
        environment={"AIRFLOW_CONN_SMTP_DEFAULT": smtp},  # and nothing that other tests left
        extra_env={"ROLLCALL_CONFORM_BACKSTOP": "* * * * *"},
        after_postgres=prepare_warehouse,
    )
    yield state
    down(stack_dir)


@pytest.fixture(scope="package")
def desk(stack: StackState) -> Desk:
    """An operator's desk, once Airflow knows every district."""
    desk = Desk(stack)
    for district in (*DISTRICTS, *HELD_AT_FIRST, BY_DAY):
        desk.until(f"the DAG of {district}", lambda d=district: desk.api("GET", f"/api/v2/dags/roster__{d}"))
    return desk


EVENTFUL = Rates(joiners=0.04, class_changes=0.02)
"""No two nights say the same: a delivery that says what is published is unchanged."""


class Export:
    """A district's SIS."""

    def __init__(self, district: str, folder: Path, students: int = 60) -> None:
        self._profile = Profile(
            district, district.title(), students=students, seed=len(district), first_night=NIGHT_1, rates=EVENTFUL
        )
        self._folder = folder

    def write(self, night: int) -> Delivery:
        """The files of a night."""
        return write_night(self._profile, night, self._folder / str(night))


@dataclass(frozen=True)
class FirstNight:
    """A district's first night, which was delivered and is under way."""

    sis: Export
    delivery: Delivery
    run: str


FirstNights = Mapping[str, FirstNight]
"""By the district."""


@pytest.fixture(scope="package", autouse=True)
def first_nights(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> FirstNights:
    """The first nights with which stories begin, under way side by side: few builds serve them all."""
    return {district: _begun(desk, district, tmp_path_factory.mktemp(district)) for district in FIRST_NIGHTS}


def _begun(desk: Desk, district: str, folder: Path) -> FirstNight:
    sis = Export(district, folder)
    delivery = sis.write(1)
    run = desk.start(district, NIGHT_1)
    desk.upload(district, delivery.files)
    return FirstNight(sis, delivery, run)
