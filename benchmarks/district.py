"""One large district: a first load, the next night, an identical one; and another district's first load beside it.

Each is measured against the bare COPY of its files.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.files import Sent, night_files
from benchmarks.machine import machine, server_version
from benchmarks.night import INCLUDES, Night, Player
from benchmarks.reader import BUDGET_MS, ask, reader
from benchmarks.stack import BenchStack, bench_stack
from simulator.profile import Profile, Rates

RATES = Rates()
BUDGETS = {"first load": 10.0, "next night": 6.0, "identical night": 2.0, "first load of a second district": 10.0}
MEMORY_BUDGET_MB = 512
ENROLLMENTS = "select count(*) from history.hist_enrollments"

Say = Callable[[str], None]


def measure(students: int, work: Path, say: Say) -> dict[str, Any]:
    """Play three nights of a district and measure them.

    Args:
        students: How many it has.
        work: A folder for files and the stack.
        say: Told what goes on.

    Returns:
        The result, as it is written to JSON.
    """
    profile = Profile("large", "Large Unified", students, seed=1, rates=RATES)
    first, second = (night_files(profile, night, work) for night in (1, 2))
    with bench_stack(work) as stack:
        before = machine()
        player = Player(stack, stack.settle_in(profile.district_id), say)
        newcomer = Player(stack, stack.settle_in("newcomer"), say)
        copies, nights = _nights(player, newcomer, profile, first, second, say)
        return {
            "name": "district",
            "students": students,
            "rows": sum(first.rows.values()),
            "bytes": first.bytes,
            "machine": before | {"load_at_end": machine()["load"], "server": server_version(stack.url)},
            "copy": _copy(copies),
            "budgets": BUDGETS | {"memory_mb": MEMORY_BUDGET_MB},
            "includes": INCLUDES,
            "reader": _ask(stack, profile.district_id) | {"budget_ms": BUDGET_MS},
            "nights": [_night(name, sent, night, _copy(copies)) for name, sent, night in nights],
        }


def _ask(stack: BenchStack, district_id: str) -> dict[str, Any]:
    """What a reader of the district waits for."""
    with reader(stack, district_id) as connection:
        return ask(connection, district_id) | {"enrollments": stack.query(ENROLLMENTS)[0][0]}


def _nights(
    player: Player, newcomer: Player, profile: Profile, first: Sent, second: Sent, say: Say
) -> tuple[list[tuple[float, float]], list[tuple[str, Sent, Night]]]:
    """The nights, with a COPY before each and after the last."""
    copies = [player.copy(first.files)]
    nights = []
    played = ((player, first), (player, second), (player, second), (newcomer, first))
    for number, (name, (whose, sent)) in enumerate(zip(BUDGETS, played, strict=True)):
        say(f"-- {name}")
        night = whose.play(sent.files, profile.first_night + timedelta(days=number))
        copies.append(player.copy(sent.files))
        nights.append((name, sent, night))
    return copies, nights


def _copy(copies: list[tuple[float, float]]) -> dict[str, Any]:
    """The yardstick: the mean of all COPYs of the run."""
    seconds, cpu_seconds = zip(*copies, strict=True)
    return {
        "seconds": round(mean(seconds), 2),
        "cpu_seconds": round(mean(cpu_seconds), 2),
        "runs": [round(each, 2) for each in seconds],
    }


def _night(name: str, sent: Sent, night: Night, copy: dict[str, Any]) -> dict[str, Any]:
    """A night as it is written to JSON."""
    copy_seconds, total = copy["seconds"], sum(night.seconds.values())
    return {
        "name": name,
        "state": night.state,
        "rows_changed": sent.rows_changed if name == "next night" else None,
        "seconds": round(total, 2),
        "ratio": round(total / copy_seconds, 2),
        "cpu_seconds": round(night.cpu_seconds, 2),
        "cpu_ratio": round(night.cpu_seconds / copy["cpu_seconds"], 2),
        "stages": {
            stage: {"seconds": round(seconds, 2), "ratio": round(seconds / copy_seconds, 2)}
            for stage, seconds in night.seconds.items()
        },
        "details": {name: round(seconds, 2) for name, seconds in night.details.items()},
        "memory_mb": night.peaks,
    }
