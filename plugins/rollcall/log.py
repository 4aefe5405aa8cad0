"""The package's loggers: the standard library's, below ``rollcall``.

Where a line goes is for whoever runs the package to say: Airflow keeps it in the task's log, the command line shows it.
Each line of a delivery's work begins with the delivery's number. None holds personal data (law 7).
"""

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_delivery: ContextVar[int | None] = ContextVar("delivery", default=None)


class DeliveryLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that names the delivery which is being worked on."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The message with the delivery's number before it, if there is one."""
        delivery_id = _delivery.get()
        return (msg if delivery_id is None else f"Delivery {delivery_id}: {msg}"), kwargs


def get_logger(name: str) -> DeliveryLogger:
    """The logger of a module.

    Args:
        name: The module's ``__name__``.
    """
    return DeliveryLogger(logging.getLogger(name))


@contextmanager
def at_work_on(delivery_id: int) -> Iterator[None]:
    """Have every line that is logged within this name a delivery."""
    before = _delivery.set(delivery_id)
    try:
        yield
    finally:
        _delivery.reset(before)
