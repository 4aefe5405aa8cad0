"""How the command line prints: tables keep their width where nobody watches, the log goes to standard error."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rollcall.escaping import one_line
from rollcall.progress import Told, watched

WIDTH_WITHOUT_TERMINAL = 140
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[
    str, typer.Option("--by", help="Who you are, for the record; your login, if blank, is kept in any case.")
]


def make_console() -> Console:
    """A console that colours nothing but what it is told to, and takes no brackets of a text for markup."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=WIDTH_WITHOUT_TERMINAL)


def make_table(*names: str, numbers: tuple[str, ...] = (), wraps: tuple[str, ...] = ()) -> Table:
    """A plain table.

    Args:
        names: The columns, in order.
        numbers: Those that hold numbers.
        wraps: Those that may take several lines; all others stay whole.
    """
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name not in wraps)
    return table


@contextmanager
def progress_bar() -> Iterator[Told]:
    """A bar on standard error for what is done in here, where somebody watches; gone when it is done.

    Yields:
        What moves it, for work that is not told of by `rollcall.progress.tell`.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def move(what: str, done: int, of: int | None) -> None:
            bar.update(task, description=one_line(what), completed=done, total=of)

        with watched(move):
            yield move


class _ToAPerson(logging.Handler):
    """A log that a person reads while the command works; standard output is for its answer."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message, and nothing about where it comes from."""
        typer.echo(one_line(self.format(record)), err=True)


@contextmanager
def log_shown(level: int) -> Iterator[None]:
    """Show what the package logs; the loggers of what it stands on stay as they are.

    Args:
        level: The lowest level that is shown.
    """
    logger = logging.getLogger("rollcall")
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [_ToAPerson()], False
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])
