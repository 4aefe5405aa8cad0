"""What the package logs, line by line, to whoever listens."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Listener(logging.Handler):
    def __init__(self, hear: Callable[[str], object]) -> None:
        super().__init__()
        self.hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        self.hear(record.getMessage())


@contextmanager
def heard_by(hear: Callable[[str], object]) -> Iterator[None]:
    """Call something with each line as it is logged, from whichever thread."""
    logger, listener = logging.getLogger("rollcall"), _Listener(hear)
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)
