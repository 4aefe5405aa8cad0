"""Airflow's REST API as Rollcall's account uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from rollcall.local import local_services
from rollcall.settings import settings

TIMEOUT_SECONDS = 30
HEALTH_TIMEOUT_SECONDS = 2
"""Whoever asks how things stand does not wait for a server that hangs."""


class AirflowUnreachableError(Exception):
    """Airflow's API does not answer, or refuses Rollcall's account."""


class NoAirflowError(AirflowUnreachableError):
    """No Airflow is configured here."""


def airflow_health() -> dict[str, Any]:
    """What Airflow says of its own services; needs no login and takes a few seconds at most.

    Raises:
        AirflowUnreachableError: the API does not answer, or not as Airflow does.
        NoAirflowError: there is none to ask.
    """
    url, *_ = _configured()
    try:
        # A proxy of the environment would be asked for the local stack's 127.0.0.1 as well.
        with httpx.Client(timeout=HEALTH_TIMEOUT_SECONDS, trust_env=bool(settings().airflow_url)) as session:
            answer = session.get(f"{url}/api/v2/monitor/health").raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise AirflowUnreachableError(f"Airflow at {url} does not answer ({type(error).__name__})") from None
    if not isinstance(answer, dict) or "scheduler" not in answer:
        raise AirflowUnreachableError(f"What answers at {url} is not Airflow")
    return answer


@contextmanager
def airflow_api(url: str = "", user: str = "", password: str = "") -> Iterator[httpx.Client]:
    """A session of Airflow's REST API; settings not given come from the environment, else from the local stack.

    Raises:
        AirflowUnreachableError: the API does not answer, or refused.
    """
    if not url:
        url, user, password = _configured()
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as session:
            login = session.post("/auth/token", json={"username": user, "password": password}).raise_for_status()
            session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            yield session
    except httpx.HTTPStatusError as error:
        raise AirflowUnreachableError(
            f"Airflow refused {error.request.method} {error.request.url.path}: {error.response.status_code}"
        ) from None
    except httpx.HTTPError as error:
        raise AirflowUnreachableError(f"Airflow at {url} does not answer ({type(error).__name__})") from None


def _configured() -> tuple[str, str, str]:
    """Address, account and password from the environment, else of the local stack."""
    config = settings()
    if config.airflow_url:
        return config.airflow_url, config.airflow_user, config.airflow_password.get_secret_value()
    services = local_services(config.state_dir)
    if services is None:
        raise NoAirflowError("No Airflow is configured: set ROLLCALL_AIRFLOW_URL, or run `rollcall up`.")
    return services.airflow_url, services.service_user, services.service_password
