"""How a trigger ends the task that it waits for, by itself: no worker starts only to say so."""

from typing import TYPE_CHECKING, Literal

from airflow.triggers.base import TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

if TYPE_CHECKING:
    from airflow.sdk.types import Logger  # there for type checkers only

EVENTS: dict[str, type[TaskSuccessEvent | TaskSkippedEvent | TaskFailedEvent]] = {
    "success": TaskSuccessEvent,
    "skipped": TaskSkippedEvent,
    "failed": TaskFailedEvent,
}


def ended(log: "Logger", state: Literal["success", "skipped", "failed"], message: str) -> TriggerEvent:
    """The event that ends a task, for good: a failed one is not tried again.

    Args:
        log: Where the operator reads why.
        state: How it ends.
        message: Why.
    """
    say = log.error if state == "failed" else log.info
    say(message)
    return EVENTS[state]()
