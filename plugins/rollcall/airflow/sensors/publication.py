"""The task ``await_publication``: waits in the triggerer, and costs no worker."""

from typing import Any

from rollcall.airflow.sensors.waiting import WaitingSensor
from rollcall.airflow.triggers.publication import PublicationTrigger


class PublicationSensor(WaitingSensor):
    """Waits for the outcome of the build that a run's delivery was accepted into.

    Fails when the delivery could not be conformed, or was held back by an audit; is skipped when it is not to be
    published.

    Args:
        district_id: Whose delivery; which one, the run knows.
    """

    def __init__(self, *, district_id: str, **kwargs: Any) -> None:
        super().__init__(trigger=PublicationTrigger(district_id), **kwargs)
