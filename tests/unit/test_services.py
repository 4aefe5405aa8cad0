"""Which service is dead or late, by what Airflow's health endpoint says."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rollcall.services import ServiceState, told_by_airflow

NOW = datetime(2026, 11, 26, 4, 30, tzinfo=UTC)
HEALTHY = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-11-26T04:29:58.790122+00:00"},
    "triggerer": {"status": "healthy", "latest_triggerer_heartbeat": "2026-11-26T04:29:57+00:00"},
    "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": "2026-11-26T04:29:55+00:00"},
}


def told(**changed: Any) -> dict[str, ServiceState]:
    return told_by_airflow(HEALTHY | changed, NOW)


def test_who_gives_signs_of_life_is_alive() -> None:
    states = told()
    assert list(states) == ["api-server", "scheduler", "dag-processor", "triggerer"]
    assert {state.state for state in states.values()} == {"alive"}
    assert states["scheduler"].last_heartbeat == datetime(2026, 11, 26, 4, 29, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("beat", "state", "said"),
    [
        ("2026-11-26T04:29:10+00:00", "late", "its last heartbeat was at 04:29:10 UTC."),
        ("2026-11-26T04:10:03+00:00", "dead", "was at 2026-11-26 04:10:03 UTC: no inbox is watched"),
        (None, "dead", "its last heartbeat never came: no inbox is watched"),
    ],
)
def test_who_gives_none_is_late_and_soon_dead(beat: str | None, state: str, said: str) -> None:
    triggerer = told(triggerer={"status": "unhealthy", "latest_triggerer_heartbeat": beat})["triggerer"]
    assert triggerer.state == state
    assert said in (triggerer.message or "")


def test_what_never_ran_is_dead() -> None:
    """Airflow gives a service that never ran no status at all."""
    assert told(dag_processor={"status": None, "latest_dag_processor_heartbeat": None})["dag-processor"].state == "dead"


def test_a_metadata_database_that_is_gone_is_said() -> None:
    states = told(metadatabase={"status": "unhealthy"}, scheduler={"status": "unhealthy"})
    assert (states["metadatabase"].state, states["scheduler"].state) == ("dead", "dead")
