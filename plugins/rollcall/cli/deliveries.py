"""``rollcall status`` and ``check``."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollcall.cli.errors import USED_WRONGLY, kind, say, sentence
from rollcall.cli.output import AsJson, make_console, make_table
from rollcall.escaping import one_line

if TYPE_CHECKING:
    from rollcall.check import CheckVerdict
    from rollcall.cli.services import ServiceState
    from rollcall.report.status import DistrictState

console = make_console()


def status(as_json: AsJson = False) -> None:
    """How each district stands tonight, and which service is dead or late.

    Exits 1 when a district or a service needs somebody.

    With --json the districts are printed on standard output, and what is wrong with a service on standard error.
    """
    from rollcall.cli.services import service_states
    from rollcall.report.status import district_states
    from rollcall.warehouse import connect

    services = service_states()
    try:
        with connect() as connection:
            states = district_states(connection)
        if as_json:
            console.print_json(json.dumps([asdict(state) for state in states], default=str))
        else:
            _print_states(states)
    finally:  # without a warehouse it is the one thing that is known
        _tell_services(services, as_json)
    if any(state.needs_a_person for state in states) or any(service.state == "dead" for service in services):
        raise typer.Exit(1)


def _print_states(states: "list[DistrictState]") -> None:
    table = make_table("District", "State", "Night", "Delivery", "Sequence", "Last good", "What", wraps=("What",))
    for state in states:
        table.add_row(
            state.district,
            state.state,
            str(state.night or "-"),
            str(state.delivery or "-"),
            str(state.published_sequence or "-"),
            _last_good(state),
            one_line(state.message or ""),
        )
    console.print(table)


def _tell_services(services: "list[ServiceState]", as_json: bool) -> None:
    """One line for each that is not well, on standard error; for people, one for all that are."""
    for service in services:
        if service.state != "alive":
            typer.echo(f"{service.service} is {service.state}: {service.message}", err=True)
    alive = [service.service for service in services if service.state == "alive"]
    if alive and not as_json:
        typer.echo(f"Services alive: {', '.join(alive)}.")


def _last_good(state: "DistrictState") -> str:
    """The last good night, and how many nights since then ended without a roster."""
    if not state.nights_since:
        return str(state.last_good or "-")
    since = f"{state.nights_since} night{'s' if state.nights_since > 1 else ''} without"
    return f"{state.last_good}, {since}" if state.last_good else f"never, {since}"


def check(
    path: Annotated[Path, typer.Argument(help="A folder of CSV files, or a zip.")],
    district: Annotated[str | None, typer.Option(help="Judge by this district's files and limits.")] = None,
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

    with redirect_stdout(sys.stderr):
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
