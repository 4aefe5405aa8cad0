"""What a person presses on the page: the same acts as on the command line, under the name that Airflow knows."""

from datetime import UTC, date, datetime
from typing import Literal
from urllib.parse import quote

from rollcall import ledger
from rollcall.airflow_api import airflow_api
from rollcall.decision.holds import Answer
from rollcall.decision.sequel import follow_up, is_overtaken, settle_by_hand
from rollcall.districts import dag_id_of
from rollcall.ledger import Delivery
from rollcall.onboarding import district_file
from rollcall.onboarding.acts import Act, on_record
from rollcall.warehouse import connect
from rollcall.who import Person

FASTER = "Somebody was faster; their decision stands, and yours is kept as overtaken."


def decide(delivery_id: int, settlement: Literal["approved", "discarded"], by: str, why: str) -> list[str]:
    """Approve or discard a held delivery; what became of it, in sentences.

    Args:
        delivery_id: The delivery.
        settlement: What was pressed.
        by: Airflow's user.
        why: The reason.

    Raises:
        CannotSettleError: it was never held, or may not be approved.
    """
    told: list[str] = []
    answer = Answer(settlement, by, why, "page")
    ruling = settle_by_hand(delivery_id, answer, tell=told.append)
    if is_overtaken(answer, ruling):
        told.append(FASTER)
    return [*told, *follow_up(delivery_id, ruling)]


def go_back(district_id: str, sequence: int, by: str, why: str) -> list[str]:
    """Publish an earlier roster again.

    Raises:
        CannotRollBackError: there is nothing to go back to, or not now.
    """
    from rollcall.conform import roll_back

    done = roll_back(district_id, to=sequence, by=Person(by, "airflow"), why=why)
    return [f"Readers see sequence {done.sequence} now, with the content of sequence {done.to_sequence}."]


def take_again(delivery: Delivery, by: str, why: str) -> list[str]:
    """Start a run that takes a delivery again from the archive, for its own night.

    Raises:
        AirflowUnreachableError: Airflow's API does not answer, or refuses.
    """
    run_id = f"again__{delivery.delivery_id}__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    conf = {"service_date": delivery.service_date.isoformat(), "source": f"archive/{delivery.delivery_id}"}
    path = f"/api/v2/dags/{quote(dag_id_of(delivery.district_id))}/dagRuns"
    with connect() as connection, airflow_api() as api:  # no run without its row
        ledger.record_taken_again(connection, delivery.delivery_id, run_id, by, why)
        api.post(path, json={"dag_run_id": run_id, "logical_date": None, "conf": conf}).raise_for_status()
    return [f"Run {run_id} takes delivery {delivery.delivery_id} of {delivery.service_date} again from the archive."]


def pause(district_id: str, first_night: date | None, last_night: date, by: str, why: str) -> list[str]:
    """Expect nothing from a district for a while.

    Args:
        district_id: The district.
        first_night: The first night without a delivery; None for tonight.
        last_night: The last one.
        by: Airflow's user.
        why: The reason, for everybody who looks at the district.

    Raises:
        DistrictFileError: the nights are no pause.
        OnboardingError: the district has no file, or it cannot be written.
    """
    first_night = first_night or district_file.tonight(district_id)
    with on_record(Act(district_id, "paused", why, first_night, last_night), Person(by, "airflow")):
        district_file.pause(district_id, first_night, last_night, why)
    return [f"{district_id} is paused from {first_night} to {last_night}; the night after that is expected again."]


def resume(district_id: str, night: date | None, by: str, why: str) -> list[str]:
    """End the pause of a night.

    Args:
        district_id: The district.
        night: The first night that is expected again; None for tonight.
        by: Airflow's user.
        why: The reason.

    Raises:
        OnboardingError: the district has no file, or it cannot be written.
    """
    night = night or district_file.tonight(district_id)
    with on_record(Act(district_id, "resumed", why, night), Person(by, "airflow")):
        district_file.resume(district_id, night)
    return [f"{district_id} is expected again from the night of {night} on."]
