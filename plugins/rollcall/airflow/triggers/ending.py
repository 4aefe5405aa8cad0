"""How a trigger ends the task that it waits for: by itself, and only to fail by a worker."""

from typing import TYPE_CHECKING, Literal

from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

if TYPE_CHECKING:
    from airflow.sdk.types import Logger  # there for type checkers only


def ended(log: "Logger", state: Literal["success", "skipped", "failed"], message: str) -> TriggerEvent:
    """The event that ends a task, for good: a failed one is not tried again.

    Args:
        log: Where the operator reads why.
        state: How it ends.
        message: Why.
    """
    if state == "failed":
        log.error(message)
        # `WaitingSensor.execute_complete` raises it: Airflow tries again what a `TaskFailedEvent` ends.
        return TriggerEvent(message)
    log.info(message)
    return TaskSuccessEvent() if state == "success" else TaskSkippedEvent()
