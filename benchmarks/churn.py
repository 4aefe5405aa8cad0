"""Night after night of changes: whether tables, queries and builds stay as they are."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.accepted import accept_folder
from benchmarks.machine import machine, server_version
from benchmarks.night import conform
from benchmarks.processes import Task, run
from benchmarks.reader import ask, reader
from benchmarks.stack import BenchStack, bench_stack
from rollcall.upkeep.landed import drop_landed
from simulator.change import live_through
from simulator.district import District
from simulator.package import write_csv
from simulator.profile import Profile
from simulator.rows import HEADERS, Extract

SIZES = """
    select
        sum(pg_relation_size(relid)) / 1e6,
        sum(pg_indexes_size(relid)) / 1e6,
        sum(n_live_tup)::bigint,
        sum(n_dead_tup)::bigint,
        sum(vacuum_count + autovacuum_count)::bigint
    from pg_stat_user_tables
    where schemaname = 'history'
"""
FIRST_NIGHT = date(2025, 11, 17)
"""So long ago that every night of its school year has come."""
VERSIONS = "select count(*), count(*) filter (where valid_to_seq is null) from history.hist_enrollments"


def measure(nights: int, students: int, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Play many nights of a district, and look at the history and its readers after each.

    Args:
        nights: How many.
        students: How many it has.
        work: A folder for files and the stack.
        say: Told what goes on.

    Returns:
        The result, as it is written to JSON.
    """
    profile = Profile("churning", "Churning Unified", students, seed=1, first_night=FIRST_NIGHT)
    simulated = District(profile)
    with bench_stack(work) as stack:
        before = machine()
        settled = stack.settle_in(profile.district_id)
        curve = []
        for night in range(1, nights + 1):
            if night > 1:
                live_through(simulated, night)
            folder = _written(simulated, work / "churn")
            served = profile.first_night + timedelta(days=night - 1)
            accepting = Task("accept", partial(accept_folder, stack, settled, folder, served))
            run([accepting], stack.watch())
            built = run([Task("build", conform)], stack.watch())
            drop_landed(timedelta(0))
            curve.append({"night": night, "build_seconds": round(built.seconds, 2), **_look(stack, profile)})
            say(str(curve[-1]))
        return {
            "name": "nights",
            "students": students,
            "machine": before | {"load_at_end": machine()["load"], "server": server_version(stack.url)},
            "curve": curve,
        }


def _written(simulated: District, folder: Path) -> Path:
    """Tonight's files, in the place of last night's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in Extract(simulated).tables():
        write_csv(folder / f"{name}.csv", HEADERS[name], rows)
    return folder


def _look(stack: BenchStack, profile: Profile) -> dict[str, Any]:
    """Sizes in MB of 10^6 bytes, rows, and what a reader waits for."""
    ((table_mb, index_mb, live, dead, vacuums),) = stack.query(SIZES)
    ((versions, still_open),) = stack.query(VERSIONS)
    with reader(stack, profile.district_id) as connection:
        answers = ask(connection, profile.district_id)
    return {
        "table_mb": round(float(table_mb), 1),
        "index_mb": round(float(index_mb), 1),
        "live_rows": live,
        "dead_rows": dead,
        "vacuums": vacuums,
        "enrollment_versions": versions,
        "open_enrollments": still_open,
        "one_school_ms": answers["one_school"]["ms_median"],
        "roster_count_ms": answers["roster_count_ms"],
    }
