"""``rollcall check``."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollcall.cli.arguments import known_districts
from rollcall.cli.errors import USED_WRONGLY, kind, say, sentence
from rollcall.cli.output import AsJson, progress_bar

if TYPE_CHECKING:
    from rollcall.check import CheckVerdict


def check(
    path: Annotated[Path, typer.Argument(help="A folder of CSV files, or a zip.")],
    district: Annotated[
        str | None,
        typer.Option(help="Judge by this district's files and limits.", autocompletion=known_districts),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|DISTRICT",
            help="Take this as published: an earlier delivery, or what the warehouse publishes of a district.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a delivery without a running stack.

    Exits 0 when it would be accepted, 1 when it would be held or rejected, 2 when it could not be judged.

    --json prints the verdict; when it could not be judged, {"error": {"kind": ..., "message": ...}} in its place.

    For example:

    rollcall check uploads/lakeside.zip --district lakeside-usd --against lakeside-usd

    rollcall check uploads/ --json
    """
    try:
        verdict = _judge(path, district, against)
        _print_verdict(verdict, as_json)
    except Exception as error:  # noqa: BLE001 -- exit 1 is a verdict's, never an accident's
        _say_why_not(error, as_json)
        raise typer.Exit(USED_WRONGLY) from None
    raise typer.Exit(0 if verdict.verdict == "accept" else 1)


def _judge(path: Path, district: str | None, against: str | None) -> "CheckVerdict":
    """The verdict; what Airflow, dbt or a library prints on the way does not get between it and its reader."""
    from rollcall.check import check_path

    with redirect_stdout(sys.stderr), progress_bar():
        return check_path(path, district, against)


def _print_verdict(verdict: "CheckVerdict", as_json: bool) -> None:
    from rollcall.cli.verdict import print_verdict

    if as_json:
        typer.echo(verdict.model_dump_json(indent=2))
    else:
        print_verdict(verdict)


def _say_why_not(error: Exception, as_json: bool) -> None:
    """Why there is no verdict."""
    from rollcall.check import NoVerdict, Trouble

    if as_json:
        typer.echo(NoVerdict(error=Trouble(kind=kind(error), message=sentence(error))).model_dump_json(indent=2))
    else:
        say(error)
