"""Nights of twenty districts on Celery workers that share no disk, in each of which something fails that all need.

There are two schedulers, triggerers, DAG processors and workers; Redis is the queue, and the archive lies on S3.
"""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from simulator.night import Delivery, write_night
from simulator.profile import Profile, Rates
from tests.compose.nights import FIRST_NIGHT, night_date
from tests.compose.nights import up as start
from tests.compose.stack import SERVICES, Kind, Stack
from tests.compose.step import Step

TWICE = ("scheduler", "triggerer", "dag-processor", "worker")
KIND = Kind(
    project="rollcalltest-celery",
    services=dict.fromkeys((*SERVICES, "redis", "store"), 1) | dict.fromkeys(TWICE, 2),
    settings={
        "COMPOSE_PROFILES": "celery",
        "AIRFLOW_EXECUTOR": "CeleryExecutor",
        "AIRFLOW_PARALLELISM": "4",
        "CELERY_CONCURRENCY": "2",
        "REQUIREMENTS": "requirements-several-machines.txt",
        "ROLLCALL_ARCHIVE_URL": "s3://archive_store@rollcall/prod",
    },
    files=[Path("tests/compose/celery.yaml")],
)
STORE = "archive_store=aws://tester:secret@/?region_name=us-east-1&endpoint_url=http%3A%2F%2Fstore%3A9000\n"
NO_ROOM = "/tmp/full"
"""While it is there, the store refuses what is sent to it."""
DISTRICTS = tuple(f"district-{number:02}" for number in range(1, 21))
# Nobody's night begins by itself.
DISTRICT = "name: {}\nfirst_delivery: accept\nschedule: '0 0 29 2 *'\n"
LARGE = DISTRICTS[-1]
"""The last one to upload; so large that it is landed for some seconds."""
STUDENTS = dict.fromkeys(DISTRICTS, 200) | {LARGE: 4_000}
EVENTFUL = Rates(joiners=0.04, class_changes=0.02)
"""So much that no night of a small district is the same as the one before, which would only be `unchanged`."""
WORKER_KILLED, QUEUE_KILLED, DATABASE_KILLED, WITHOUT_SFTP, NO_ROOM_IN_STORE = NIGHTS = range(1, 6)
AWAY_SECONDS = 600
AT_ONCE = 4
"""So many districts upload at a time."""

STATES = (
    "select night.district_id || ' ' || coalesce(delivery.state, night.outcome) from rollcall.night"
    " left join rollcall.delivery using (delivery_id) where night.service_date = date '{}' order by 1"
)
ROWS = "select district_id || ' ' || count(*) from roster.roster group by district_id order by 1"
AT_WORK = (
    "select hostname from task_instance where state = 'running' and dag_id like 'roster__{}' and task_id = '{}' limit 1"
)
LANDED_BY = "select count(*) from task_instance where state = 'running' and task_id = 'check' and hostname = '{}'"
RETRIED = "select count(*) from task_instance where task_id = '{}' and state = 'up_for_retry'"
TRIED_AGAIN = (
    "select count(*) from task_instance join dag_run using (dag_id, run_id)"
    " where dag_id ~ '^roster' and conf ->> 'service_date' = '{}' and try_number > 1"
)
LAST_CHECKED = (
    "select dag_id || ' ' || run_id from task_instance where task_id = 'check' and state = 'success' and try_number = 1"
    " order by start_date desc limit 1"
)
BUILDING = "select build_id from rollcall.build where state = 'running'"
SEQUENCES = (
    "select count(*) from (select from rollcall.delivery group by district_id having bool_and(state = 'published')"
    " and array_agg(accepted_sequence order by service_date) = array{}::integer[]) x"
)
GREEN = "select count(*) filter (where state = 'success') || ' of ' || count(*) from dag_run where dag_id ~ '^roster'"
OVERLAPPING_BUILDS = (
    "select count(*) from rollcall.build as one join rollcall.build as other"
    " on other.build_id > one.build_id and other.started_at < one.finished_at"
)
OVERLAPPING_RUNS = (
    "select count(*) from dag_run as one join dag_run as other on one.dag_id = 'conform' and other.dag_id = 'conform'"
    " and one.id <> other.id and one.start_date < other.end_date and other.start_date between one.start_date and"
    " one.end_date"
)
BY_SCHEDULER = (
    "select string_agg(tasks::text, ' and ') from (select count(*) as tasks from task_instance"
    " join job on job.id = queued_by_job_id group by job.hostname) x"
)
ALIVE = (
    "select string_agg(distinct job_type || ' ' || times, ', ') from (select job_type, count(*) as times from job"
    " where latest_heartbeat > now() - interval '1 minute' group by job_type) x"
)


def build(stack: Stack) -> str:
    """Build the images; twenty districts, and the connection to the store."""
    for path in stack.districts.glob("[!_]*.yaml"):
        path.unlink()
    for district in DISTRICTS:
        (stack.districts / f"{district}.yaml").write_text(DISTRICT.format(district.title()))
    connections = stack.secrets / "connections.env"
    connections.chmod(0o644)
    connections.write_text(STORE)
    stack.compose("build")
    return "every image built"


def up(stack: Stack) -> str:
    """Start everything; the workers have no folder in common that they could write to."""
    start(stack)
    written = [mount["Source"] for mount in stack.mounts("worker") if mount["RW"]]
    assert len(written) == len(set(written)), f"workers share {written}"
    return f"every service is healthy, {', '.join(TWICE)} twice; the workers share no folder that they write to"


def kill_worker(stack: Stack) -> str:
    """SIGKILL for a worker, with all its processes, while it lands; it stays away."""
    sent = begin(stack, WORKER_KILLED)
    worker = stack.until("a delivery is landed", lambda: at_work(stack, "check", LARGE), every=0.1)
    stack.destroy(worker)
    landed = stack.sql(LANDED_BY.format(worker), database="airflow")
    assert landed != "0", "it had landed everything before it was killed"
    ended = until_published(stack, WORKER_KILLED, sent)
    stack.compose("up", "--detach")
    stack.until_healthy()
    return f"{ended}, by the other one"


def kill_queue(stack: Stack) -> str:
    """SIGKILL for Redis in the middle of a night; Docker starts it again."""
    sent = begin(stack, QUEUE_KILLED)
    stack.until("a delivery is landed", lambda: at_work(stack, "check", LARGE), every=0.1)
    stack.kill("redis")
    ended = until_published(stack, QUEUE_KILLED, sent)
    stack.until_healthy()
    return ended


def kill_database(stack: Stack) -> str:
    """SIGKILL for PostgreSQL in the middle of a build; Docker starts it again."""
    sent = begin(stack, DATABASE_KILLED)
    build_id = stack.until("a build runs", lambda: stack.sql(BUILDING), every=0.1)
    stack.kill("postgres")
    ended = until_published(stack, DATABASE_KILLED, sent)
    state = stack.sql(f"select state from rollcall.build where build_id = {build_id}")
    assert state != "succeeded", "the build had ended before PostgreSQL was killed"
    stack.until_healthy()
    return f"{ended}; the build is {state}"


def without_sftp(stack: Stack) -> str:
    """Have no SFTP service for ten minutes: some deliveries are just read, for others Rollcall waits."""
    first, others = DISTRICTS[::2], DISTRICTS[1::2]
    sent = {district: write(stack, district, WITHOUT_SFTP) for district in DISTRICTS}
    start_runs(stack, WITHOUT_SFTP)
    upload(stack, sent, first)
    stack.until("a delivery is read", lambda: at_work(stack, "receive"), every=0.1)
    stack.compose("stop", "--timeout", "1", "sftp")
    time.sleep(AWAY_SECONDS)
    stack.compose("start", "sftp")
    stack.until_healthy()
    upload(stack, sent, others)
    return until_published(stack, WITHOUT_SFTP, sent)


def no_room_in_store(stack: Stack) -> str:
    """Have the store refuse what is sent to it; then have it take it."""
    stack.inside("store", "touch", NO_ROOM)
    sent = begin(stack, NO_ROOM_IN_STORE)
    stack.until("some were refused", lambda: int(stack.sql(RETRIED.format("receive"), database="airflow")) > 1)
    found = stack.inside("sftp", "find", "/srv/sftp", "-path", "*/inbox/*", "-type", "f").split()
    left = {(Path(path).parts[3], Path(path).name) for path in found}
    assert left == {(district, path.name) for district, delivery in sent.items() for path in delivery.files}
    stack.inside("store", "rm", NO_ROOM)
    return f"nothing was taken from an inbox; with room again {until_published(stack, NO_ROOM_IN_STORE, sent)}"


def count(stack: Stack) -> str:
    """Compare what was sent with what the ledger, Airflow and the store have."""
    right = stack.sql(SEQUENCES.format(list(NIGHTS)))
    assert right == str(len(DISTRICTS)), f"of {len(DISTRICTS)} districts {right} have each night once"
    sent = len(DISTRICTS) * len(NIGHTS)
    stack.until("every run is green", lambda: stack.sql(GREEN, database="airflow") == f"{sent} of {sent}")
    stack.one_off("migrate", "rollcall", "verify")
    return f"{sent} deliveries, each published once; every run is green; `rollcall verify` finds nothing"


def builds_apart(stack: Stack) -> str:
    """Look whether two schedulers ever had two builds at work."""
    alive = stack.sql(ALIVE, database="airflow")
    assert alive == "DagProcessorJob 2, SchedulerJob 2, TriggererJob 2", alive
    tasks = stack.sql(BY_SCHEDULER, database="airflow")
    assert " and " in tasks, f"one scheduler did it all: {tasks} tasks"
    assert stack.sql(OVERLAPPING_RUNS, database="airflow") == "0", "two runs of conform were at work at once"
    assert stack.sql(OVERLAPPING_BUILDS) == "0", "two builds were at work at once"
    builds = stack.sql("select count(*) from rollcall.build")
    return f"never: the schedulers queued {tasks} tasks, and each of {builds} builds began after the last had ended"


def log_of_worker(stack: Stack) -> str:
    """Ask Airflow's API for the log of a task; it lies on the worker."""
    dag, run = stack.sql(LAST_CHECKED, database="airflow").split()
    with stack.api() as session:
        said = session.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/check/logs/1", params={"map_index": 0}).text
    assert "Great Expectations" in said, said[-500:]
    return "the API server has it from there"


def write(stack: Stack, district: str, number: int) -> Delivery:
    """The files of a district's night."""
    profile = Profile(
        district,
        district.title(),
        STUDENTS[district],
        seed=DISTRICTS.index(district),
        first_night=FIRST_NIGHT,
        rates=EVENTFUL,
    )
    return write_night(profile, number, stack.work / "nights" / district / str(number))


def begin(stack: Stack, number: int) -> Mapping[str, Delivery]:
    """Start every district's run for a night, and upload the night's files; what they hold."""
    sent = {district: write(stack, district, number) for district in DISTRICTS}
    start_runs(stack, number)
    upload(stack, sent, DISTRICTS)
    return sent


def start_runs(stack: Stack, number: int) -> None:
    """Start every district's run for a night."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda district: stack.start(district, night_date(number)), DISTRICTS))


def upload(stack: Stack, sent: Mapping[str, Delivery], districts: Iterable[str]) -> None:
    """Upload what some districts send, the last one when the others are under way."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda district: stack.upload(district, sent[district].files), districts))


def at_work(stack: Stack, task_id: str, district: str = "%") -> str:
    """The worker on which a task of some district's run is at work; blank when there is none."""
    return stack.sql(AT_WORK.format(district, task_id), database="airflow")


def until_published(stack: Stack, number: int, sent: Mapping[str, Delivery]) -> str:
    """Wait until readers see a night of every district, and exactly what each sent."""
    started = time.monotonic()
    _until_said(stack, STATES.format(night_date(number)), [f"{district} published" for district in sorted(sent)])
    expected = [f"{district} {delivery.expected.roster_rows}" for district, delivery in sorted(sent.items())]
    assert stack.sql(ROWS).splitlines() == expected, "the rosters do not hold what was sent"
    again = stack.sql(TRIED_AGAIN.format(night_date(number)), database="airflow")
    return f"all {len(sent)} published, {time.monotonic() - started:.0f} s later; {again} tasks were tried again"


def _until_said(stack: Stack, query: str, lines: list[str]) -> None:
    """Wait until a query of the warehouse says these lines."""
    try:
        stack.until("every district is published", lambda: stack.sql(query).splitlines() == lines, every=2)
    except AssertionError as error:
        others = sorted(set(stack.sql(query).splitlines()) - set(lines))
        raise AssertionError(f"{error}; it says: {', '.join(others)}") from None


STEPS = (
    Step("Build the images, with the packages for several machines", build),
    Step("Start", up),
    Step("Kill a worker, with all its processes, in the middle of landing; it stays away", kill_worker),
    Step("Kill Redis in the middle of a night", kill_queue),
    Step("Kill PostgreSQL in the middle of a build", kill_database),
    Step("No SFTP service for ten minutes, while some deliveries are read and others are waited for", without_sftp),
    Step("No room in the store, then room", no_room_in_store),
    Step("Count what was sent, published and archived", count),
    Step("Look for two builds at once", builds_apart),
    Step("Read the log of a task by Airflow's API", log_of_worker),
)
