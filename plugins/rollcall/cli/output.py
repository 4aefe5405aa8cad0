"""How the command line prints: tables keep their width where nobody watches."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

WIDTH_WITHOUT_TERMINAL = 140
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
