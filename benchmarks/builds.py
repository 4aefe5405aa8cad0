"""One conform build for many districts, against one for a single district of the same size."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.accepted import accept_folder, copy_accepted
from benchmarks.files import night_files
from benchmarks.machine import machine, server_version
from benchmarks.night import conform
from benchmarks.processes import Task, run
from benchmarks.stack import BenchStack, bench_stack
from simulator.profile import Profile

BUDGET = 3.0

EVERY_ASIDE = 20
"""Every such enrollment and demographics row is set aside, in all districts and nights: that costs a build, too."""
SINGLE = "single"


def measure(districts: int, students: int, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Build a first and a next night of one district, then of many.

    Args:
        districts: How many.
        students: How many each has.
        work: A folder for files and the stack.
        say: Told what goes on.

    Returns:
        The result, as it is written to JSON.
    """
    profile = Profile(SINGLE, "Single Unified", students, seed=1)
    sent = [night_files(profile, night, work) for night in (1, 2)]
    with bench_stack(work) as stack:
        before = machine()
        single = stack.settle_in(SINGLE)
        others = [f"district-{number:03d}" for number in range(districts)]
        _warm_up(stack, profile, sent[0].files[0].parent)
        nights: list[dict[str, Any]] = []
        deliveries = []
        for number, name in enumerate(("first load", "next night")):
            date = profile.first_night + timedelta(days=number)
            folder = sent[number].files[0].parent
            deliveries.append(accept_folder(stack, single, folder, date, every_aside=EVERY_ASIDE))
            nights.append({"name": name, "single": _build(stack, f"{name}, one district", say)})
        for night, delivery in zip(nights, deliveries, strict=True):
            copy_accepted(stack, delivery, others)
            night["many"] = _build(stack, f"{night['name']}, {districts} districts", say)
            night["ratio"] = round(night["many"]["seconds"] / night["single"]["seconds"], 2)
        return {
            "name": "builds",
            "districts": districts,
            "students": students,
            "rows": sum(sent[0].rows.values()),
            "every_aside": EVERY_ASIDE,
            "budget": BUDGET,
            "machine": before | {"load_at_end": machine()["load"], "server": server_version(stack.url)},
            "nights": nights,
        }


def _warm_up(stack: BenchStack, profile: Profile, folder: Path) -> None:
    """Another district's first load: the tables have their indexes, and dbt has parsed the project."""
    accept_folder(stack, stack.settle_in("earlier"), folder, profile.first_night)
    run([Task("build", conform)], stack.watch())


def _build(stack: BenchStack, what: str, say: Callable[[str], None]) -> dict[str, Any]:
    """One run of the task ``build``."""
    ran = run([Task("build", conform)], stack.watch())
    say(f"{what} {ran.seconds:.2f} s")
    publish_seconds, nodes = ran.results["build"]
    longest = sorted(nodes, key=lambda node: node[1], reverse=True)[:8]
    return {
        "seconds": round(ran.seconds, 2),
        "publish": round(publish_seconds, 2),
        "longest_nodes": {name: round(seconds, 2) for name, seconds in longest},
        "memory_mb": ran.peaks,
    }
