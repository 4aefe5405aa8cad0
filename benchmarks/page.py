"""What the Rollcall page costs for many districts: in the server, first query to last byte; and in a browser."""

import shutil
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from fastapi import Request

from benchmarks.first_paint import first_paints
from benchmarks.machine import machine, server_version
from rollcall.migrations import migrate
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack.throwaway import throwaway_postgres
from rollcall.ui import metrics, overview
from rollcall.ui.pages import page
from rollcall.warehouse import connect

RUNS = 5
STATIC = Path(overview.__file__).parent / "static"
FILL = """
    insert into rollcall.district (district_id, name)
    select 'district-' || number, 'District ' || number from generate_series(1, %(districts)s) as number;

    insert into rollcall.delivery (
        district_id, service_date, run_id, state, arrived_at, decided_at, published_at, accepted_sequence,
        records, set_aside, students
    )
    select
        district_id, night, 'run_' || night, 'published', night, night, night + interval '50 seconds',
        night - %(first)s, 9000 + (random() * 200)::integer, 3, 600
    from rollcall.district, (select %(first)s + generate_series(1, %(nights)s) as night) as nights;

    insert into rollcall.night (district_id, service_date, outcome, delivery_id)
    select district_id, service_date, state, delivery_id from rollcall.delivery;

    insert into rollcall.publication_event (district_id, sequence, delivery_id, effective_date, published_at)
    select district_id, accepted_sequence, delivery_id, service_date, published_at from rollcall.delivery;

    insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)
    select district_id, accepted_sequence, delivery_id, service_date, published_at from rollcall.delivery
    where service_date = %(first)s + %(nights)s;

    analyze;
"""


class Made(NamedTuple):
    """How long one page took by the clock, and of the processor without PostgreSQL's share; and its size in bytes."""

    seconds: float
    processor: float
    size: int


def measure(districts: int, nights: int, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Fill a ledger with nights of many districts, and make the list of them.

    Args:
        districts: How many.
        nights: How many nights each has.
        work: A folder for the district files.
        say: Told what goes on.

    Returns:
        The result, as it is written to JSON.
    """
    last = datetime.now(UTC).date()
    districts_dir = _write_files(work / "districts", districts)
    with throwaway_postgres() as (url, _), working_on(warehouse=url, districts_dir=districts_dir):
        before = machine()
        migrate()
        _fill(url, districts, nights, last)
        first = [_list(None)]
        now = [_list(None) for _ in range(RUNS)]
        back = [_list(last - timedelta(days=2)) for _ in range(RUNS)]
        measured = [_metrics() for _ in range(RUNS)]
        painted = first_paints(lambda: _html(None).encode(), STATIC, RUNS)
        result = {
            "name": "page",
            "districts": districts,
            "nights": nights,
            "bytes": first[0].size,
            "lists": {
                "the first after a start": _median(first),
                "now": _median(now),
                "a night": _median(back),
                "the metrics": _median(measured),
            },
            "first_paint_seconds": round(statistics.median(painted), 2) if painted else None,
            "machine": before | {"load_at_end": machine()["load"], "server": server_version(url)},
        }
    say(str(result["lists"]))
    return result


def _write_files(folder: Path, districts: int) -> Path:
    """A folder with as many district files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_bytes((PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml").read_bytes())
    for number in range(1, districts + 1):
        (folder / f"district-{number}.yaml").write_text(f"name: District {number}\n", encoding="utf-8")
    return folder


def _fill(url: str, districts: int, nights: int, last: date) -> None:
    parameters = {"districts": districts, "nights": nights, "first": last - timedelta(days=nights)}
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(FILL, parameters)


def _list(night: date | None) -> Made:
    """Make the whole list."""
    return _timed(lambda: _html(night).encode())


def _html(night: date | None) -> str:
    asked = Request({"type": "http", "method": "GET", "path": "/", "root_path": "/rollcall", "headers": []})
    with connect() as connection:
        shown = overview.overview(connection, overview.states(connection, night), night)
    return page("districts", asked, shown=shown, night=night, wanted="", search="")


def _metrics() -> Made:
    """Make what Prometheus reads."""
    with connect() as connection:
        return _timed(lambda: metrics.metrics(connection, overview.states(connection, None)))


def _timed(make: Callable[[], bytes]) -> Made:
    began, processor = time.perf_counter(), time.process_time()
    made = make()
    return Made(time.perf_counter() - began, time.process_time() - processor, len(made))


def _median(made: list[Made]) -> dict[str, float]:
    return {
        "seconds": round(statistics.median(each.seconds for each in made), 2),
        "processor_seconds": round(statistics.median(each.processor for each in made), 2),
    }
