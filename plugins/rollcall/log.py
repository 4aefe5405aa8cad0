"""The package's loggers: the standard library's, below ``rollcall``.

Where a line goes is for whoever runs the package to say: Airflow keeps it in the task's log, the command line shows it.
Each line of a delivery's work begins with the delivery's number. Every line that is logged meanwhile, by whatever
library, has it as the field ``delivery_id`` where Airflow writes the log. None holds personal data (law 7).
"""

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from structlog.contextvars import bound_contextvars, get_contextvars

DELIVERY = "delivery_id"
"""The field, as Airflow has ``dag_id`` and ``run_id``."""


class DeliveryLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that names the delivery which is being worked on."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The message with the delivery's number before it, if there is one."""
        delivery_id = get_contextvars().get(DELIVERY)
        return (msg if delivery_id is None else f"Delivery {delivery_id}: {msg}"), kwargs


def get_logger(name: str) -> DeliveryLogger:
    """The logger of a module.

    Args:
        name: The module's ``__name__``.
    """
    return DeliveryLogger(logging.getLogger(name))


@contextmanager
def at_work_on(delivery_id: int) -> Iterator[None]:
    """Have every line that is logged within name a delivery."""
    with bound_contextvars(**{DELIVERY: delivery_id}):
        yield
