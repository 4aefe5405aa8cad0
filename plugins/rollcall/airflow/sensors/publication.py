"""The task ``await_publication``: begins and ends in the triggerer, and costs no worker."""

from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.triggers.base import StartTriggerArgs

from rollcall.airflow.triggers.publication import PublicationTrigger


class PublicationSensor(BaseSensorOperator):
    """Waits for the outcome of the build that a run's delivery was accepted into.

    Fails when the delivery could not be conformed, or was held back by an audit; is skipped when it is not to be
    published.

    Args:
        district_id: Whose delivery; which one, the run knows.
    """

    start_from_trigger = True

    def __init__(self, *, district_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        path, arguments = PublicationTrigger(district_id).serialize()
        self.start_trigger_args = StartTriggerArgs(path, next_method="execute_complete", trigger_kwargs=arguments)
