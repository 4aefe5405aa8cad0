"""Airflow's REST API as Rollcall's account uses it."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from rollcall.settings import settings

TIMEOUT_SECONDS = 30


class AirflowUnreachableError(Exception):
    """Airflow's API does not answer, or refuses Rollcall's account."""


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
    from rollcall.stack import StackState

    state = StackState.load(config.state_dir)
    if state is None:
        raise AirflowUnreachableError("No Airflow is configured: set ROLLCALL_AIRFLOW_URL, or run `rollcall up`.")
    return state.airflow_url, state.service_user, state.service_password
