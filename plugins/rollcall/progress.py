"""How far long work has come, told to whoever watches: the command line, where a person sits before it; else nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Told = Callable[[str, int, int | None], None]
"""Takes what is being done, how many steps lie behind, and of how many; None where nobody knows."""


def _nobody(what: str, done: int, of: int | None) -> None:
    """Does not listen."""


_WATCHER: ContextVar[Told] = ContextVar("watcher", default=_nobody)


def tell(what: str, done: int = 0, of: int | None = None) -> None:
    """Say what is being done now.

    Args:
        what: A few words, without a value of a row (law 7).
        done: How many steps lie behind.
        of: How many there are in all; None where nobody knows.
    """
    watcher()(what, done, of)


def watcher() -> Told:
    """Whoever watches here: for threads, which do not see it by themselves."""
    return _WATCHER.get()


@contextmanager
def watched(told: Told) -> Iterator[None]:
    """Have somebody hear of the work in here; threads that it starts say nothing by themselves.

    Args:
        told: Hears of each step as it begins.
    """
    token = _WATCHER.set(told)
    try:
        yield
    finally:
        _WATCHER.reset(token)
