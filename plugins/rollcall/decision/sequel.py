"""A decision of the command line or the Rollcall page, and what follows: Airflow is told, a build is asked for.

Whatever Airflow does, the decision stands in the ledger; each sentence says what is true then.
"""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx

from rollcall import ledger
from rollcall.airflow_api import AirflowUnreachableError, airflow_api
from rollcall.decision.holds import Answer
from rollcall.decision.requests import answer_settled_requests, hear_answers
from rollcall.decision.settle import CannotSettleError, Ruling, settle
from rollcall.ledger import Delivery
from rollcall.settings import settings
from rollcall.warehouse import connect

CONFORM = "conform"
ENDED = ("success", "failed")


def settle_by_hand(delivery_id: int, answer: Answer, *, tell: Callable[[str], None]) -> Ruling:
    """Settle a hold as a person says, unless another answer came first: one that Airflow has, and no task has read yet.

    Args:
        delivery_id: The delivery.
        answer: What the person decided.
        tell: Takes one sentence at a time.

    Raises:
        UnknownDeliveryError: there is no such delivery.
        CannotSettleError: it was never held, or may not be approved.
    """
    with connect() as connection:
        district_id = ledger.delivery(connection, delivery_id).district_id
    try:
        hear_answers(district_id)
    except AirflowUnreachableError as error:
        tell(f"{error}: the ledger alone says who was first.")
    with connect() as connection:
        ruling = settle(connection, delivery_id, answer)
    if ruling.outcome == "refused":
        raise CannotSettleError(ruling.reason)
    hold = ruling.hold
    tell(f"Delivery {delivery_id} of {district_id}: {hold.settlement} by {hold.settled_by}: {hold.settled_why}")
    return ruling


def is_overtaken(answer: Answer, ruling: Ruling) -> bool:
    """Whether somebody else, or another decision of the same person, was first."""
    return (ruling.hold.settlement, ruling.hold.settled_by) != (answer.settlement, answer.by)


def follow_up(delivery_id: int, ruling: Ruling) -> Iterator[str]:
    """Tell Airflow of a settled hold and ask for a build if the delivery waits for one; says what happens next."""
    with connect() as connection:
        delivery = ledger.delivery(connection, delivery_id)
    yield from _in_the_ledger(delivery, ruling)
    try:
        answer_settled_requests(delivery.district_id)
        with airflow_api() as api:
            if delivery.state == "accepted":
                yield _asked_for_a_build(api)
            yield _of_its_run(api, delivery)
    except AirflowUnreachableError as error:
        yield f"{error}. The decision stands all the same."
        if delivery.state == "accepted":
            yield f"Once Airflow is up, it is built when `conform` next looks: `{settings().conform_backstop}`, UTC."
        yield "Airflow's request, if it still asks, is answered with the report of the district's next night."


def ask_for_a_build() -> str:
    """Have Airflow build what is accepted; says what happens next."""
    try:
        with airflow_api() as api:
            return _asked_for_a_build(api)
    except AirflowUnreachableError as error:
        return (
            f"{error}. Once it is up, `conform` builds this when it next looks: `{settings().conform_backstop}`, UTC."
        )


def _in_the_ledger(delivery: Delivery, ruling: Ruling) -> Iterator[str]:
    if delivery.state == "accepted":
        yield f"It is accepted as sequence {delivery.accepted_sequence} of {delivery.district_id}."
    elif ruling.acceptance is not None and ruling.acceptance.sequence is None:
        yield f"It is not accepted yet. {ruling.acceptance.reason} `conform` accepts it once that is done."
    elif delivery.state == "superseded":
        yield delivery.state_reason or delivery.state.sentence
    else:
        yield delivery.state.sentence


def _asked_for_a_build(api: httpx.Client) -> str:
    """Have ``conform`` look at what is accepted, unless it is about to."""
    dag = api.get(f"/api/v2/dags/{CONFORM}")
    if dag.status_code == httpx.codes.NOT_FOUND:
        return f"Airflow does not know the DAG `{CONFORM}` yet; it builds this when it is there."
    queued = api.get(f"/api/v2/dags/{CONFORM}/dagRuns", params={"state": "queued", "limit": 1}).raise_for_status()
    if not queued.json()["dag_runs"]:
        api.post(f"/api/v2/dags/{CONFORM}/dagRuns", json={"logical_date": None, "conf": {}}).raise_for_status()
    if dag.raise_for_status().json()["is_paused"]:
        return f"The DAG `{CONFORM}` is paused: it is built once somebody unpauses that."
    return f"A run of `{CONFORM}` is asked for and builds it next; `rollcall status` says how that ends."


def _of_its_run(api: httpx.Client, delivery: Delivery) -> str:
    """What becomes of the run that received the delivery."""
    dag = f"/api/v2/dags/roster__{delivery.district_id}"
    run = api.get(f"{dag}/dagRuns/{quote(delivery.run_id)}")
    if run.status_code == httpx.codes.NOT_FOUND:
        return "Its run is gone from Airflow: nobody writes the district's receipt anew."
    if run.raise_for_status().json()["state"] in ENDED:
        return f"Its run {delivery.run_id} has ended: the district's receipt stays as it is until that run is cleared."
    if api.get(dag).raise_for_status().json()["is_paused"]:
        return f"Its run {delivery.run_id} goes on, and reports, once somebody unpauses its DAG."
    return f"Its run {delivery.run_id} goes on, and reports."
