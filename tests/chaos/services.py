"""Each service killed in the middle of a night, and brought back by `rollcall up`."""

import time
from collections.abc import Callable
from functools import partial

from rollcall.stack import kill
from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground, Night

AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
UP = "`rollcall up`"
STUDENTS = 1_500
"""So many that a night is still in the middle when something is killed."""
AWAY_SECONDS = 20


def kill_service(ground: Ground, district: str, service: str, when: tuple[str, ...]) -> Outcome:
    """Kill a service while a task is at work, and bring it back at once."""
    night = ground.begin(district, students=STUDENTS)
    night.until_task(when[0], *when[1:])
    since = time.monotonic()
    assert kill(service, ground.state_dir), f"{service} ran"
    ground.up()
    return Outcome("published", night.until_published(since), UP)


def kill_in_build(ground: Ground, district: str) -> Outcome:
    """PostgreSQL crashes while dbt builds: what was landed is lost with it, and landed again."""
    night = ground.begin(district, students=STUDENTS)
    night.until_task("build", "running")
    time.sleep(1)
    return _killed("postgres", ground, night)


def kill_triggerer_late(ground: Ground, district: str) -> Outcome:
    """The triggerer is gone while the roster is published that it waits for."""
    night = ground.begin(district)
    night.until_task("await_publication", "deferred")
    return _killed("triggerer", ground, night)


def kill_all(ground: Ground, district: str) -> Outcome:
    """The machine loses power: every service is gone at once."""
    night = ground.begin(district, students=STUDENTS)
    night.until_task("check", "running")
    since = time.monotonic()
    for service in (*AIRFLOW, "sftp", "postgres"):
        kill(service, ground.state_dir)
    ground.up()
    return Outcome("published", night.until_published(since), UP)


def sftp_away(ground: Ground, district: str) -> Outcome:
    """The SFTP service is away while a run waits; the district uploads once it is back."""
    night = ground.waiting(district, 1, ground.write(district, 1))
    night.until_task("wait_for_delivery", "deferred")
    kill("sftp", ground.state_dir)
    time.sleep(AWAY_SECONDS)
    ground.up()
    since = time.monotonic()
    ground.desk.upload(district, night.delivery.files)
    return Outcome("published", night.until_published(since), UP)


def _killed(service: str, ground: Ground, night: Night) -> Outcome:
    since = time.monotonic()
    kill(service, ground.state_dir)
    ground.up()
    return Outcome("published", night.until_published(since), UP)


def _fault(service: str, told: str, *when: str) -> Fault:
    play: Callable[[Ground, str], Outcome] = partial(kill_service, service=service, when=when)
    return Fault(f"kill_{service.replace('-', '_')}", f"{told} killed while `{when[0]}` is at work", play)


FAULTS = (
    _fault("postgres", "PostgreSQL", "check", "running"),
    _fault("sftp", "the SFTP server", "receive", "running"),
    _fault("api-server", "Airflow's API server", "check", "running"),
    _fault("scheduler", "the scheduler", "check", "running"),
    _fault("dag-processor", "the DAG processor", "check", "running"),
    _fault("triggerer", "the triggerer", "wait_for_delivery", "deferred"),
    Fault("kill_triggerer_late", "the triggerer killed while `await_publication` is at work", kill_triggerer_late),
    Fault("kill_postgres_in_build", "PostgreSQL killed while dbt builds", kill_in_build),
    Fault("kill_everything", "every service killed at once, as when the power goes", kill_all),
    Fault("sftp_away", f"the SFTP server away for {AWAY_SECONDS} s while a run waits", sftp_away),
)
