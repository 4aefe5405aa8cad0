"""The command line: ``rollcall …``. Exit 0: ok. 1: the answer is bad news. 2: used wrongly, or not to be answered."""

import logging
import sys

import typer

from rollcall.cli import (
    check,
    correct_night,
    decisions,
    districts,
    doctor,
    export,
    forget,
    history,
    inject,
    readers,
    rebuild,
    recovery,
    rekey,
    rollback,
    stack,
    status,
    upkeep,
    verify,
)
from rollcall.cli.errors import exit_code, say
from rollcall.cli.output import log_shown
from simulator.cli import simulate

app = typer.Typer(
    name="rollcall",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
SILENT = ("check",)
"""What prints a verdict, whose reader has no use for how it came about."""


@app.callback()
def show_log(context: typer.Context) -> None:
    """Nightly school rosters: receive, check, publish."""
    context.with_resource(log_shown(logging.WARNING if context.invoked_subcommand in SILENT else logging.INFO))


app.command()(stack.demo)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.deploy)
app.command()(doctor.doctor)
app.command()(status.status)
app.command()(check.check)
app.command()(history.history)
app.command()(inject.inject)
app.command()(decisions.approve)
app.command()(decisions.discard)
app.command()(rollback.rollback)
app.command()(rekey.rekey)
app.command()(forget.forget)
app.command()(correct_night.correct_night)
app.command()(export.export)
app.command()(upkeep.upkeep)
app.command()(verify.verify)
app.command()(recovery.backup)
app.command()(recovery.restore)
app.command()(rebuild.rebuild)
app.command()(simulate)
app.add_typer(districts.app, name="districts")
app.add_typer(readers.app, name="readers")


def main() -> None:
    """Run the command line; what goes wrong is said in a sentence, never as a traceback."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 -- whatever it is, a person reads it
        say(error)
        sys.exit(exit_code(error))
