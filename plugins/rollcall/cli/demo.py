"""``rollcall demo``: three districts, two nights, through the real stack."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console

from rollcall.airflow_api import airflow_api
from rollcall.cli.output import make_table
from rollcall.districts import District, load_district
from rollcall.settings import settings
from rollcall.stack import StackState, down, prepare_warehouse, up
from rollcall.states import NightOutcome
from rollcall.warehouse import connect
from simulator.night import Delivery, write_night
from simulator.profile import Profile
from simulator.spoil import truncate
from simulator.upload import Account, upload

MARK = "made-by-demo"
WAIT_SECONDS = 300
CLEAR_OF_THE_NIGHT = timedelta(minutes=5)
"""How long before the districts' nightly runs the demo does not start any more: they would take what it uploads."""
LAKESIDE = Profile("lakeside-usd", "Lakeside Unified", students=5_000, seed=11)
HILLCREST = Profile(
    "hillcrest-esd",
    "Hillcrest Elementary",
    students=400,
    seed=22,
    levels="elementary",
    packaging="zip",
    manifest=True,
)
RIVERBEND = Profile("riverbend-cusd", "Riverbend Community Unified", students=2_000, seed=33)
PROFILES = (LAKESIDE, HILLCREST, RIVERBEND)
EXPECTED = {
    (LAKESIDE.district_id, 1): "published",
    (HILLCREST.district_id, 1): "published",
    (RIVERBEND.district_id, 1): "published",
    (LAKESIDE.district_id, 2): "published",
    (HILLCREST.district_id, 2): "unchanged",
    (RIVERBEND.district_id, 2): "held",
}

ENDED = {outcome.value for outcome in NightOutcome if outcome.has_ended}


@dataclass(frozen=True)
class NightRow:
    """One line of the closing table, read from the ledger."""

    district: str
    night: int
    verdict: str
    landed: int
    set_aside: int
    added: int
    changed: int
    removed: int
    sequence: int | None
    seconds: float


class DemoRefusedError(Exception):
    """The local stack holds somebody's work; the demo does not touch it."""


def run_demo(console: Console) -> int:
    """Play both nights and print what happened.

    Returns:
        0 when each district ended each night as it should, else 1; 2 when the local stack is not the demo's to reset.
    """
    started = time.monotonic()
    try:
        _start_afresh()
    except DemoRefusedError as refusal:
        console.print(str(refusal), style="red")
        return 2
    first_night = _first_night(console)
    console.print(
        "Starting PostgreSQL, an SFTP server and Airflow; the districts write their files meanwhile.", style="bold"
    )
    work = settings().state_dir / "demo"
    with ProcessPoolExecutor(1) as pool:
        writing = pool.submit(write_nights, work, first_night)
        state = _up(console)
        nights = writing.result()
    rows: list[NightRow] = []
    for number in (1, 2):
        service_date = first_night + timedelta(days=number - 1)
        console.print(f"Night {number}, {service_date}", style="bold")
        rows += _play_night(state, number, service_date, nights[number], console)
    _print_table(rows, console)
    problems = list(_problems(rows, nights))
    for problem in problems:
        console.print(problem, style="red")
    print_where_to_look(state, first_night, time.monotonic() - started, console)
    return 1 if problems else 0


def _start_afresh() -> None:
    """Remove what an earlier demo left; refuse when the stack was used for anything else."""
    state_dir = settings().state_dir
    if not (state_dir / "stack.json").exists():
        return
    if not (state_dir / MARK).exists():
        raise DemoRefusedError(
            f"{state_dir} holds a stack that the demo did not make. Save what you need, run `make clean`, and start "
            "the demo again; or give it a folder of its own: ROLLCALL_STATE_DIR=/some/folder make demo"
        )
    import shutil

    down(state_dir)
    shutil.rmtree(state_dir)


def _first_night(console: Console) -> date:
    """The first of the two nights; waits where the districts' own runs are about to start."""
    districts = [load_district(settings().districts_dir / f"{profile.district_id}.yaml") for profile in PROFILES]
    now = datetime.now(UTC)
    start = min(district.next_start(now) for district in districts)
    if start - now < CLEAR_OF_THE_NIGHT:
        console.print(
            f"The nightly runs start at {start.astimezone(UTC):%H:%M} UTC and would take what the demo uploads: "
            "waiting until they have gone by."
        )
        time.sleep((start - now).total_seconds() + 1)
    return min(night_before_the_due_one(district, datetime.now(UTC)) for district in districts)


def night_before_the_due_one(district: District, now: datetime) -> date:
    """The demo's first night; its second one is the latest that was due, so that no night is missing afterwards."""
    return next(district.nights_due(now), district.service_date(now)) - timedelta(days=1)


def _up(console: Console) -> StackState:
    """The stack with the demo's short waits."""
    state = up(
        stable_after_seconds=3,
        poll_interval_seconds=1,
        publication_poll_seconds=1,
        after_postgres=prepare_warehouse,
        progress=lambda line: console.print(f"  {line}"),
    )
    (state.state_dir / MARK).touch()
    return state


def write_nights(work: Path, first_night: date) -> dict[int, dict[str, Delivery]]:
    """Every district's files for both nights; riverbend's second enrollments.csv is cut in half."""
    nights: dict[int, dict[str, Delivery]] = {1: {}, 2: {}}
    for profile in (replace(profile, first_night=first_night) for profile in PROFILES):
        for night in (1, 2):
            content = 1 if profile.district_id == HILLCREST.district_id else night  # it sends the same files twice
            folder = work / f"night-{night}" / profile.district_id
            nights[night][profile.district_id] = write_night(profile, content, folder)
    truncate(work / "night-2" / RIVERBEND.district_id, "enrollments", 0.5)
    return nights


def _play_night(
    state: StackState, number: int, service_date: date, deliveries: dict[str, Delivery], console: Console
) -> Iterator[NightRow]:
    """Upload, start the runs, and wait until each has ended or waits for a person."""
    with airflow_api(state.airflow_url, state.service_user, state.service_password) as api:
        for district in deliveries:
            _trigger(api, district, service_date)
        for district, delivery in deliveries.items():
            login = state.accounts[district]
            upload(
                Account(state.sftp_host, state.sftp_port, login.username, login.password, state.sftp_host_key),
                delivery.files,
            )
            console.print(f"  {district} uploaded {len(delivery.files)} files over SFTP")
        ended = _watch(state, service_date, set(deliveries), lambda line: console.print(f"  {line}"))
    return (_row(state, district, number, service_date, ended.get(district, 0.0)) for district in deliveries)


def _trigger(api: httpx.Client, district: str, service_date: date) -> None:
    """Start the district's run for a past night, as soon as Airflow knows its DAG."""
    deadline = time.monotonic() + WAIT_SECONDS
    while api.get(f"/api/v2/dags/roster__{district}").status_code != httpx.codes.OK and time.monotonic() < deadline:
        time.sleep(0.5)
    api.post(
        f"/api/v2/dags/roster__{district}/dagRuns",
        json={
            "dag_run_id": f"demo__{service_date}__{uuid.uuid4().hex[:6]}",
            "logical_date": None,
            "conf": {"service_date": service_date.isoformat(), "wait_seconds": WAIT_SECONDS},
        },
    ).raise_for_status()


def _watch(state: StackState, service_date: date, waiting: set[str], say: Callable[[str], None]) -> dict[str, float]:
    """Follow the ledger; says each change, and after how many seconds each district's night had ended."""
    started, ended, seen = time.monotonic(), dict[str, float](), dict[str, str]()
    while waiting - ended.keys() and time.monotonic() - started < WAIT_SECONDS:
        with connect(state.warehouse_url) as connection:
            rows = connection.execute(
                """
                select night.district_id, case when night.outcome = 'failed' then 'failed' else
                    coalesce(delivery.state, night.outcome) end
                from rollcall.night left join rollcall.delivery using (delivery_id) where night.service_date = %s
                """,
                (service_date,),
            ).fetchall()
        for district, outcome in rows:
            if seen.get(district) != outcome:
                seen[district] = outcome
                say(f"{district}: {outcome.replace('_', ' ')}")
            if outcome in ENDED:
                ended.setdefault(district, time.monotonic() - started)
        time.sleep(0.3)
    return ended


def _row(state: StackState, district: str, number: int, service_date: date, seconds: float) -> NightRow:
    with connect(state.warehouse_url) as connection:
        row = connection.execute(
            """
            select coalesce(delivery.state, night.outcome), delivery.accepted_sequence,
                (select coalesce(sum(rows_landed), 0) from rollcall.delivery_file as f where f.delivery_id = d.id),
                (select coalesce(sum(rows_set_aside), 0) from rollcall.delivery_file as f where f.delivery_id = d.id),
                (select coalesce(sum(added), 0) from rollcall.change_count as c where c.delivery_id = d.id),
                (select coalesce(sum(changed), 0) from rollcall.change_count as c where c.delivery_id = d.id),
                (select coalesce(sum(removed), 0) from rollcall.change_count as c where c.delivery_id = d.id)
            from rollcall.night
            cross join lateral (select night.delivery_id as id) as d
            left join rollcall.delivery on delivery.delivery_id = d.id
            where night.district_id = %s and night.service_date = %s
            """,
            (district, service_date),
        ).fetchone()
    if row is None:
        return NightRow(district, number, "no run", 0, 0, 0, 0, 0, None, seconds)
    verdict, sequence, *counts = row
    landed, set_aside, added, changed, removed = map(int, counts)  # sums are decimals
    return NightRow(district, number, verdict, landed, set_aside, added, changed, removed, sequence, seconds)


def _problems(rows: list[NightRow], nights: dict[int, dict[str, Delivery]]) -> Iterator[str]:
    """Where a night did not end as it should, by verdict and by the simulator's own counts."""
    for row in rows:
        wanted = EXPECTED[row.district, row.night]
        if row.verdict != wanted:
            yield f"{row.district}, night {row.night}: {row.verdict}, should be {wanted}."
    lakeside = next(row for row in rows if row.district == LAKESIDE.district_id and row.night == 2)
    expected = nights[2][LAKESIDE.district_id].expected
    told = (sum(expected.added.values()), sum(expected.changed.values()), sum(expected.removed.values()))
    if (lakeside.added, lakeside.changed, lakeside.removed) != told:
        yield f"lakeside-usd, night 2: added, changed, removed should be {told}."
    sent = {LAKESIDE.district_id: 2, HILLCREST.district_id: 1, RIVERBEND.district_id: 1}
    with connect(role=None) as connection:
        published = dict(connection.execute("select district_id, count(*) from roster.roster group by 1").fetchall())
    for district, night in sent.items():
        rows_sent = nights[night][district].expected.roster_rows
        if published.get(district) != rows_sent:
            yield f"{district}: {published.get(district)} rows in roster.roster, the district sent {rows_sent}."


def _print_table(rows: list[NightRow], console: Console) -> None:
    numbers = ("Landed", "Set aside", "Added", "Changed", "Removed", "Sequence", "Seconds")
    table = make_table("District", "Night", "Verdict", *numbers, numbers=numbers)
    for row in sorted(rows, key=lambda row: (row.night, row.district)):
        table.add_row(
            row.district, str(row.night), row.verdict, f"{row.landed:,}", f"{row.set_aside:,}", f"{row.added:,}",
            f"{row.changed:,}", f"{row.removed:,}", str(row.sequence or "-"), f"{row.seconds:.0f}",
        )  # fmt: skip
    console.print()
    console.print(table)


def print_where_to_look(state: StackState, first_night: date, seconds: float, console: Console) -> None:
    """Where to look next, and with which login: what can be read by the one in the queries is the rosters."""
    students = "count(distinct student_source_id) as students"
    query = f"select district_id, school_name, {students} from roster.roster group by 1, 2 order by 1, 2"
    psql = f"{state.psql_path} {state.reader_url}"
    as_of = f"set roster.as_of = '{first_night}'"
    console.print(f"\nTook {seconds:.0f} seconds. The stack is still up:")
    console.print(f"  Airflow    {state.airflow_url}   user {state.airflow_user}   password {state.airflow_password}")
    console.print("             riverbend-cusd waits for a decision under Browse > Required Actions")
    console.print("  Decide     .venv/bin/rollcall status")
    console.print("             .venv/bin/rollcall approve NUMBER --by you --why 'they changed the bell schedule'")
    console.print(f"  Query      {psql} -c '{query}'", soft_wrap=True)
    console.print(f"  Night 1    {psql} -c \"{as_of}\" -c '{query}'", soft_wrap=True)
    console.print(f"             {state.warehouse_docs_url} says what the tables hold; docs/querying.md how to ask")
    console.print("  Stop       make down")
