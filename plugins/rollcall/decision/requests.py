"""Airflow's approval requests, answered when their hold was settled elsewhere.

The ledger is the truth; this keeps "Required actions" in Airflow's UI from asking what nobody needs to answer.
"""

from collections.abc import Callable

import httpx

from rollcall import ledger
from rollcall.airflow_api import airflow_api
from rollcall.decision.settle import hold_of
from rollcall.warehouse import connect

APPROVE, DISCARD = "Approve", "Discard"
PARKED_OR_ABOUT_TO = ("running", "awaiting_input", "deferred")


def answer_settled_requests(district_id: str, *, log: Callable[[str], None]) -> int:
    """Answer every open approval request of a district whose hold is settled; safe to repeat.

    Returns:
        How many were answered.

    Raises:
        AirflowUnreachableError: Airflow's API does not answer, or refuses Rollcall's account.
    """
    with airflow_api() as api:
        return _answer_all(api, district_id, log)


def _answer_all(api: httpx.Client, district_id: str, log: Callable[[str], None]) -> int:
    answered = 0
    path = f"/api/v2/dags/roster__{district_id}/dagRuns/~/hitlDetails"
    listing = api.get(path, params={"response_received": False, "limit": 100}).raise_for_status().json()
    for request in listing["hitl_details"]:
        instance = request["task_instance"]
        answer = _answer(district_id, instance["dag_run_id"])
        if answer is None or instance["state"] not in PARKED_OR_ABOUT_TO:
            continue
        response = api.patch(
            f"/api/v2/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}/taskInstances/"
            f"{instance['task_id']}/{instance['map_index']}/hitlDetails",
            json={"chosen_options": [answer], "params_input": {}},
        )
        if response.status_code == httpx.codes.CONFLICT:
            continue  # someone answered in the meantime
        response.raise_for_status()
        answered += 1
        log(f"Answered Airflow's approval request of run {instance['dag_run_id']}: {answer}.")
    return answered


def _answer(district_id: str, run_id: str) -> str | None:
    """The answer that the ledger gives to a run's request; None while the hold is open."""
    with connect() as connection:
        delivery = ledger.delivery_of_run(connection, district_id, run_id)
        hold = hold_of(connection, delivery.delivery_id) if delivery else None
    if hold is None or hold.is_open:
        return None
    return APPROVE if hold.settlement == "approved" else DISCARD
