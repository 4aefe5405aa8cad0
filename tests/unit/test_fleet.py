"""What the benchmark of the fleet makes of its figures; how fast anything is, no test says."""

from typing import Any

from benchmarks.fleet.measure import slopes
from benchmarks.tables import fleet_table


def fleet(districts: int, cpu_seconds: float) -> dict[str, Any]:
    run = {
        "seconds": 2 * cpu_seconds,
        "cpu_seconds": cpu_seconds,
        "cpu_seconds_per_district": cpu_seconds / districts,
        "processes_per_district": 4.0,
    }
    return {"districts": districts, "runs": {"next night": run}}


FLEETS = [fleet(5, 25.0), fleet(20, 55.0), fleet(60, 135.0)]
"""15 seconds, whatever there is to do, and 2 for each district."""


def test_the_slope_leaves_out_what_the_stack_takes_anyway() -> None:
    assert slopes(FLEETS) == {"next night": {"cpu_seconds_per_district": 2.0, "minutes_for_1000_on_two_cores": 16.7}}


def test_one_number_of_districts_has_no_slope() -> None:
    assert slopes(FLEETS[:1]) == {}


def test_the_table_has_a_column_for_each_number_of_districts() -> None:
    machine = {"measured_at": "today", "cores": 2, "server": "PostgreSQL", "python": "3", "load": 0, "load_at_end": 0}
    result = {"students": 1000, "bytes": 2e6, "aim_minutes": 60, "idle_cpu_per_second": 0.3, "machine": machine}
    nothing = {"parsing": None, "waits": None}
    many = fleet_table(result | nothing | {"fleets": FLEETS, "slopes": slopes(FLEETS)})
    assert "| next night | 4 | 5.0 s (50 s) | 2.8 s (110 s) | 2.2 s (270 s) | 2.0 s | 17 min |" in many
    few = fleet_table(result | nothing | {"fleets": FLEETS[:1], "slopes": {}})
    assert few.endswith("| next night | 4 | 5.0 s (50 s) |")
