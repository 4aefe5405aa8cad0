"""What people answered in Airflow, heard before a task does what would overtake or wipe out their answer."""

from rollcall.airflow_api import AirflowUnreachableError
from rollcall.decision.requests import hear_answers
from rollcall.log import get_logger

log = get_logger(__name__)


def hear_people_first(district_id: str) -> None:
    """What somebody answered to a district's hold counts before the task goes on, also when no task has read it yet."""
    try:
        hear_answers(district_id)
    except AirflowUnreachableError as error:
        log.warning("%s. The ledger alone says what is decided.", error)
