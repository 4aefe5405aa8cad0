"""Which of the services that a night needs are dead or late."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rollcall.airflow_api import AirflowUnreachableError, NoAirflowError, airflow_health
from rollcall.settings import settings

DEAD_AFTER = timedelta(minutes=2)
"""Airflow calls a service unhealthy after half a minute without a heartbeat; a busy machine takes that long, too."""
API_SERVER = "api-server"
DATABASE = "metadatabase"
OF_AIRFLOW = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
WITHOUT = {
    "postgres": "nothing can be read or written",
    "sftp": "no district can upload, and no inbox is looked at",
    DATABASE: "no run goes on, and nothing is known of the other services",
    API_SERVER: "no task can start, and nothing is known of the other services but their processes",
    "scheduler": "no run starts and none goes on",
    "dag-processor": "no change to a district's file is seen",
    "triggerer": "no inbox is watched: runs wait beyond their deadline",
}
"""What it means that a service is dead."""


@dataclass(frozen=True)
class ServiceState:
    """One service.

    Attributes:
        service: Its name.
        state: ``alive``; ``late``, when its heartbeat is overdue; ``dead``, when its process is gone, it does not
            answer, or its last heartbeat lies minutes back.
        last_heartbeat: When it last gave a sign of life, as far as Airflow knows.
        message: What is wrong; None of one that is alive.
    """

    service: str
    state: Literal["alive", "late", "dead"]
    last_heartbeat: datetime | None = None
    message: str | None = None


def service_states(now: datetime | None = None) -> list[ServiceState]:
    """Every service of which anything is known, by Airflow's word and, for the local stack, by its processes.

    Args:
        now: The moment that it is asked for.

    Returns:
        None at all where no Airflow is configured.
    """
    processes = _local_processes()
    try:
        told = told_by_airflow(airflow_health(), now or datetime.now(UTC))
    except NoAirflowError:
        return []
    except AirflowUnreachableError as error:
        told = {API_SERVER: ServiceState(API_SERVER, "dead", message=f"{error}: {WITHOUT[API_SERVER]}.")}
    return list((told | _gone(processes, told)).values())


def told_by_airflow(health: dict[str, Any], now: datetime) -> dict[str, ServiceState]:
    """What the API server, which is alive, says of the others.

    Args:
        health: The answer of ``/api/v2/monitor/health``.
        now: When it was given.
    """
    told = {API_SERVER: ServiceState(API_SERVER, "alive")}
    if health.get(DATABASE, {}).get("status") != "healthy":
        told[DATABASE] = ServiceState(DATABASE, "dead", message=f"Airflow cannot reach it: {WITHOUT[DATABASE]}.")
    for service, key in OF_AIRFLOW.items():
        beat = health.get(key, {}).get(f"latest_{key}_heartbeat")
        last = datetime.fromisoformat(beat).replace(microsecond=0) if beat else None
        is_healthy = health.get(key, {}).get("status") == "healthy"
        told[service] = ServiceState(service, "alive", last) if is_healthy else _without_heartbeat(service, last, now)
    return told


def _without_heartbeat(service: str, last: datetime | None, now: datetime) -> ServiceState:
    if last is not None and now - last < DEAD_AFTER:
        return ServiceState(service, "late", last, f"its last heartbeat was at {last:%H:%M:%S %Z}.")
    when = f"was at {last:%Y-%m-%d %H:%M:%S %Z}" if last else "never came"
    return ServiceState(service, "dead", last, f"its last heartbeat {when}: {WITHOUT[service]}.")


def _local_processes() -> dict[str, str]:
    """How the local stack's processes stand, by service; none where Airflow is somewhere else."""
    if settings().airflow_url:
        return {}
    from rollcall.stack import StackState, status

    if StackState.load(settings().state_dir) is None:
        return {}
    return {service.name: service.state for service in status()}


def _gone(processes: dict[str, str], told: dict[str, ServiceState]) -> dict[str, ServiceState]:
    """What is known from the processes alone: one that is gone has no heartbeat to wait for."""
    found = {}
    for service, state in processes.items():
        last = told[service].last_heartbeat if service in told else None
        if state != "alive":
            what = f"its process is {'gone' if state == 'dead' else 'stopped'}: {WITHOUT[service]}. Start it with"
            found[service] = ServiceState(service, "dead", last, f"{what} `rollcall up`.")
        elif service not in told:
            found[service] = ServiceState(service, "alive")
    return found
