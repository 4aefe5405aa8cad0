"""Airflow's approval requests: what people answered there is heard, and what was settled elsewhere is answered.

The ledger is the truth; this keeps "Required actions" in Airflow's UI from asking what nobody needs to answer, and an
answer that Airflow took from being overtaken before a task has read it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from rollcall import ledger
from rollcall.airflow_api import airflow_api
from rollcall.decision.holds import Answer, Hold, hold_of
from rollcall.decision.settle import settle
from rollcall.log import at_work_on, get_logger
from rollcall.settings import settings
from rollcall.warehouse import connect

log = get_logger(__name__)
APPROVE, DISCARD = "Approve", "Discard"
PARKED_OR_ABOUT_TO = ("running", "awaiting_input", "deferred")


def hear_answers(district_id: str) -> None:
    """Take down what people answered in Airflow and no task has told the ledger yet; they were first.

    Without an open hold, Airflow is not asked.

    Raises:
        AirflowUnreachableError: Airflow's API does not answer, or refuses Rollcall's account.
    """
    waiting = _open_holds(district_id)
    if not waiting:
        return
    with airflow_api() as api:
        for delivery_id, run_id in waiting:
            answer = _given(api, district_id, run_id)
            if answer is None:
                continue
            with connect() as connection:
                ruling = settle(connection, delivery_id, answer)
            with at_work_on(delivery_id):
                log.info("Airflow's answer to the hold: %s by %s.", answer.settlement, answer.by)
                if ruling.reason:
                    log.info("%s", ruling.reason)


def answer_of(details: Mapping[str, Any]) -> Answer:
    """What a person answered, as Airflow's API or the event that wakes the task tells it."""
    moment = details["responded_at"]
    return Answer(
        "approved" if APPROVE in details["chosen_options"] else "discarded",
        by=(details["responded_by_user"] or {}).get("name") or "unknown",
        why=(details["params_input"] or {}).get("why") or "no reason given",
        via="airflow",
        at=moment if isinstance(moment, datetime) else datetime.fromisoformat(moment),
    )


def is_echo(hold: Hold, answer: Answer) -> bool:
    """Whether an answer is Rollcall's own, which only says to Airflow what the ledger has decided."""
    expected = "approved" if hold.settlement == "approved" else "discarded"
    return not hold.is_open and answer.by == settings().airflow_user and answer.settlement == expected


def answer_settled_requests(district_id: str) -> int:
    """Answer every open approval request of a district whose hold is settled; safe to repeat.

    Returns:
        How many were answered.

    Raises:
        AirflowUnreachableError: Airflow's API does not answer, or refuses Rollcall's account.
    """
    with airflow_api() as api:
        return sum(_answer(api, request) for request in _open_requests(api, district_id))


def _open_holds(district_id: str) -> list[tuple[int, str]]:
    """The deliveries of a district that wait for a person, with their runs."""
    with connect() as connection:
        return connection.execute(
            """
            select delivery_id, run_id from rollcall.hold inner join rollcall.delivery using (delivery_id)
            where district_id = %s and settlement is null order by delivery_id
            """,
            (district_id,),
        ).fetchall()


def _given(api: httpx.Client, district_id: str, run_id: str) -> Answer | None:
    """The answer to a run's request; None when there is none, or no such request."""
    response = api.get(_path(f"roster__{district_id}", run_id, "hold", -1))
    if response.status_code == httpx.codes.NOT_FOUND:
        return None
    details = response.raise_for_status().json()
    return answer_of(details) if details["response_received"] else None


def _open_requests(api: httpx.Client, district_id: str) -> Iterator[dict[str, Any]]:
    """The requests of a district that can still be answered, each as its task."""
    path = f"/api/v2/dags/roster__{district_id}/dagRuns/~/hitlDetails"
    listing = api.get(path, params={"response_received": False, "limit": 100}).raise_for_status().json()
    for request in listing["hitl_details"]:
        if request["task_instance"]["state"] in PARKED_OR_ABOUT_TO:
            yield {**request["task_instance"], "district_id": district_id}


def _answer(api: httpx.Client, instance: Mapping[str, Any]) -> bool:
    """Give one request the ledger's answer, if it has one."""
    answer = _in_ledger(instance["district_id"], instance["dag_run_id"])
    if answer is None:
        return False
    response = api.patch(
        _path(instance["dag_id"], instance["dag_run_id"], instance["task_id"], instance["map_index"]),
        json={"chosen_options": [answer], "params_input": {}},
    )
    if response.status_code == httpx.codes.CONFLICT:
        return False  # someone answered in the meantime; the task writes that down
    response.raise_for_status()
    log.info("Answered Airflow's approval request of run %s: %s.", instance["dag_run_id"], answer)
    return True


def _in_ledger(district_id: str, run_id: str) -> str | None:
    """The answer that the ledger gives to a run's request; None while the hold is open."""
    with connect() as connection:
        delivery = ledger.delivery_of_run(connection, district_id, run_id)
        hold = hold_of(connection, delivery.delivery_id) if delivery else None
    if hold is None or hold.is_open:
        return None
    return APPROVE if hold.settlement == "approved" else DISCARD


def _path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/{map_index}/hitlDetails"
