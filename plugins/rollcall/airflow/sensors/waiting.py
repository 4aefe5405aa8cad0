"""What both waits have in common: they begin in the triggerer, and end there unless they fail."""

from typing import Any, NoReturn

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, StartTriggerArgs


class WaitingSensor(BaseSensorOperator):
    """Waits without a worker; its trigger ends it.

    Only to fail it comes to a worker: what a trigger ends as failed Airflow tries again, and waits anew.

    Args:
        trigger: What waits.
    """

    start_from_trigger = True

    def __init__(self, *, trigger: BaseTrigger, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        path, arguments = trigger.serialize()
        self.start_trigger_args = StartTriggerArgs(path, next_method="execute_complete", trigger_kwargs=arguments)

    def execute_complete(self, context: Any, event: str) -> NoReturn:  # noqa: ARG002 -- as Airflow calls it
        """Fail for good, with what the trigger says.

        Raises:
            AirflowFailException: always.
        """
        raise AirflowFailException(event)
