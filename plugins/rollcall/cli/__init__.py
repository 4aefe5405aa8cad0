"""The command line: ``rollcall …``. Exit 0: ok. 1: the answer is bad news. 2: used wrongly."""

import sys

import typer
from rich.console import Console
from rich.text import Text

from rollcall.cli import deliveries, districts, inject, readers, rollback, stack
from rollcall.districts import DistrictFileError
from simulator.cli import simulate

app = typer.Typer(
    name="rollcall",
    help="Nightly school rosters: receive, check, publish.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(stack.demo)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.deploy)
app.command()(deliveries.status)
app.command()(deliveries.check)
app.command()(inject.inject)
app.command()(deliveries.approve)
app.command()(deliveries.discard)
app.command()(rollback.rollback)
app.command()(simulate)
app.add_typer(districts.app, name="districts")
app.add_typer(readers.app, name="readers")


def main() -> None:
    """Run the command line; what a person can mend is said in a sentence, never as a traceback."""
    from rollcall.airflow_api import AirflowUnreachableError
    from rollcall.archive.injected import InjectError
    from rollcall.archive.store import ArchiveError
    from rollcall.check import NothingToCompareError, NotReadableError
    from rollcall.conform import CannotRollBackError
    from rollcall.decision.settle import CannotSettleError
    from rollcall.gate import GateError
    from rollcall.ledger import UnknownDeliveryError
    from rollcall.readers import ReaderError
    from rollcall.stack import StackError
    from rollcall.warehouse import WarehouseError

    try:
        app()
    except (
        UnknownDeliveryError,
        CannotRollBackError,
        CannotSettleError,
        DistrictFileError,
        InjectError,
        NotReadableError,
        NothingToCompareError,
        ReaderError,
    ) as error:
        _say(error)
        sys.exit(2)
    except (AirflowUnreachableError, ArchiveError, GateError, StackError, WarehouseError) as error:
        _say(error)
        sys.exit(1)


def _say(error: Exception) -> None:
    what = Text(type(error).__name__.removesuffix("Error") + ":", style="red")
    Console(stderr=True).print(what, Text(str(error)))
