"""The measurement: shapes that do nothing, a first night and a next one, for several numbers of districts."""

import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.files import night_files
from benchmarks.fleet.ground import Ground, conf_of, fleet_ground
from benchmarks.fleet.parsing import measure_parsing
from benchmarks.fleet.waits import measure_waits
from benchmarks.machine import machine, server_version
from simulator.profile import Profile

Say = Callable[[str], None]
IDLE_SECONDS = 20
NIGHTS = ("first night", "next night")
SHAPES = {"shape as it is": "shape_is", "shape as it was": "shape_was"}
CORES, FLEET = 2, 1_000
AIM_MINUTES = 60


def measure(counts: Sequence[int], students: int, waits: int, files: int, work: Path, say: Say) -> dict[str, Any]:
    """Run nights of many districts.

    Args:
        counts: How many districts at once, one measurement each; all in one stack, each with districts of its own.
        students: How many each district has.
        waits: How many runs wait at once for deliveries that do not come; 0 measures none.
        files: How many district files are parsed; 0 measures none.
        work: A folder for files and the stack.
        say: Told what goes on.

    Returns:
        The result, as it is written to JSON.
    """
    before = machine()
    profile = Profile("fleet", "Fleet Unified", students, seed=1)
    districts = [[f"fleet-{count}-{number:04d}" for number in range(count)] for count in counts]
    every = [district for group in districts for district in group]
    tuning = {"stable_after_seconds": 2, "poll_interval_seconds": 2, "publication_poll_seconds": 2}
    with fleet_ground(work, every, shapes=max(counts), **tuning) as ground:
        dag_ids = [f"roster__{district}" for district in every]
        ground.until_known([*dag_ids, *(f"{prefix}__{max(counts) - 1}" for prefix in SHAPES.values())])
        idle = _idle(ground, say)
        _warm_up(ground, say)
        fleets = [_fleet(ground, group, profile, work, say) for group in districts]
        server = server_version(ground.state.warehouse_url)
    result = {
        "name": "fleet",
        "students": students,
        "bytes": night_files(profile, 1, work).bytes,
        "aim_minutes": AIM_MINUTES,
        "idle_cpu_per_second": idle,
        "fleets": fleets,
        "slopes": slopes(fleets),
        "parsing": measure_parsing(files, work, say) if files else None,
        "waits": measure_waits(waits, work, say) if waits else None,
    }
    return result | {"machine": before | {"load_at_end": machine()["load"], "server": server}}


def slopes(fleets: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """For each thing that was run: what one more district costs, and what that says of a thousand; none for one point.

    The line of least squares through (districts, processor seconds). Two cores that do nothing else work through the
    processor seconds of a thousand districts in half as many seconds.
    """
    if len(fleets) < 2:
        return {}
    found = {}
    for what in fleets[0]["runs"]:
        points = [(fleet["districts"], fleet["runs"][what]["cpu_seconds"]) for fleet in fleets]
        middle_x, middle_y = (sum(values) / len(points) for values in zip(*points, strict=True))
        slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)
        found[what] = {
            "cpu_seconds_per_district": round(slope, 2),
            "minutes_for_1000_on_two_cores": round(slope * FLEET / CORES / 60, 1),
        }
    return found


def _fleet(ground: Ground, districts: Sequence[str], profile: Profile, work: Path, say: Say) -> dict[str, Any]:
    """The shapes and the nights of some districts, all at once."""
    count, runs = len(districts), {}
    for name, prefix in SHAPES.items():
        runs[name] = _run(ground, [f"{prefix}__{number}" for number in range(count)], None)
        say(f"{count} districts, {name}: {runs[name]}")
    for number, name in enumerate(NIGHTS):
        sent = night_files(profile, number + 1, work)
        for district in districts:
            ground.send(district, sent.files)
        night = profile.first_night + timedelta(days=number)
        runs[name] = _run(ground, [f"roster__{district}" for district in districts], night)
        runs[name]["published"] = _published(ground, districts, night)
        say(f"{count} districts, {name}: {runs[name]}")
    return {"districts": count, "runs": runs}


def _run(ground: Ground, dag_ids: Sequence[str], night: date | None) -> dict[str, Any]:
    """Start a run of each DAG, and wait until all of them have ended: the seconds, and the processor's."""
    before, began = ground.cpus(), time.monotonic()
    run_ids = ground.start(dag_ids, conf_of(night) if night else None)
    states = ground.until_ended(run_ids)
    seconds, after = time.monotonic() - began, ground.cpus()
    used = {service: round(after[service] - before[service], 2) for service in after}
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sum(used.values()), 1),
        "cpu_seconds_per_district": round(sum(used.values()) / len(dag_ids), 2),
        "processes_per_district": round(ground.executions(run_ids) / len(dag_ids), 2),
        "cpu_by_service": used,
        "ended": states,
    }


def _published(ground: Ground, districts: Sequence[str], night: date) -> int:
    """How many districts show the night."""
    rows = ground.warehouse(
        "select count(*) from rollcall.publication where district_id = any(%s) and effective_date = %s",
        list(districts),
        night,
    )
    return int(rows[0][0])


def _idle(ground: Ground, say: Say) -> float:
    """Processor seconds per second of a stack that has nothing to do."""
    before = sum(ground.cpus().values())
    time.sleep(IDLE_SECONDS)
    idle = round((sum(ground.cpus().values()) - before) / IDLE_SECONDS, 3)
    say(f"idle: {idle} of a core")
    return idle


def _warm_up(ground: Ground, say: Say) -> None:
    """The first requests and forks cost more than those that follow."""
    for prefix in SHAPES.values():
        say(f"warm-up: {_run(ground, [f'{prefix}__0'], None)['seconds']} s")
