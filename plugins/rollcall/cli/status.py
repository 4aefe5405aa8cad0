"""``rollcall status``."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from rollcall.cli.output import AsJson
from rollcall.escaping import one_line

if TYPE_CHECKING:
    from rollcall.report.next_steps import NextStep
    from rollcall.report.status import DistrictState
    from rollcall.services import ServiceState

WIDTH = 80
LOOKS_EVERY_SECONDS = 5
LONGEST_NAME = 25
COLORS = {"bad": "red", "wait": "yellow", "good": "green", "quiet": "dim"}
BY_COMMAND = {
    "held": "rollcall approve DELIVERY --why TEXT, or rollcall discard DELIVERY --why TEXT",
    "same_as_held": "rollcall approve DELIVERY --why TEXT, or rollcall discard DELIVERY --why TEXT",
    "misconfigured": "rollcall districts check",
}
"""What does it from here, where the step is no more than a command."""


def status(
    night: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="How this night ended; how it stands now, if blank.")
    ] = None,
    needs_action: Annotated[bool, typer.Option("--needs-action", help="Only what somebody has to act on.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every few seconds, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """How each district stands, by what needs doing, and which service is dead or late.

    Exits 1 when a district or a service needs somebody.

    With --json the districts are printed on standard output, and what is wrong with a service on standard error.

    For example:

    rollcall status --needs-action

    rollcall status --night 2026-11-20 --json
    """
    from rollcall.nights import has_come

    if night is not None and not has_come(night.date()):
        raise typer.BadParameter(f"The night of {night.date()} has not come.", param_hint="--night")
    if watch:
        _watch(night.date() if night else None, only_needing=needs_action, as_json=as_json)
        return
    services = _services(night)
    try:
        states = _states(night.date() if night else None, only_needing=needs_action)
        if as_json:
            typer.echo(json.dumps([asdict(state) for state in states], default=str, indent=2))
        else:
            make_narrow_console().print(_report(states))
    finally:  # without a warehouse it is the one thing that is known
        _tell_services(services, as_json)
    if any(state.needs_a_person for state in states) or any(service.state == "dead" for service in services):
        raise typer.Exit(1)


def make_narrow_console() -> Console:
    """A console of 80 columns, or of as many as the terminal has if those are fewer."""
    console = Console(highlight=False, markup=False, emoji=False)
    return Console(highlight=False, markup=False, emoji=False, width=min(WIDTH, console.width))


def _services(night: datetime | None) -> "list[ServiceState]":
    """How the services are now; of a night that is over they say nothing."""
    from rollcall.services import service_states

    return service_states() if night is None else []


def _states(night: date | None, *, only_needing: bool) -> "list[DistrictState]":
    from rollcall.report.status import district_states, states_of_night
    from rollcall.warehouse import connect

    with connect() as connection:
        states = district_states(connection) if night is None else states_of_night(connection, night)
    return [state for state in states if state.needs_a_person or not only_needing]


def _watch(night: date | None, *, only_needing: bool, as_json: bool) -> None:
    """Show the report, anew every few seconds, until somebody has seen enough."""
    if as_json or not sys.stdout.isatty():
        raise typer.BadParameter("It is for a person at a terminal, and goes with no --json.", param_hint="--watch")
    with Live(console=make_narrow_console(), screen=True, auto_refresh=False) as live:
        try:
            while True:
                ill = [_of_service(each) for each in _services(None) if each.state != "alive"]
                report = _report(_states(night, only_needing=only_needing))
                moment = datetime.now(UTC).astimezone()
                live.update(Group(*ill, f"{moment:%H:%M:%S}; Ctrl-C ends it.", report), refresh=True)
                time.sleep(LOOKS_EVERY_SECONDS)
        except KeyboardInterrupt:
            return


def _report(states: "Sequence[DistrictState]") -> Group:
    """All districts, in groups of those that need the same, what needs somebody first."""
    from rollcall.report.next_steps import next_step, urgency

    parts: list[RenderableType] = [Text(_count(states))]
    if states:
        parts += ["", _columns("District", "Night", "Delivery", "Last good", "dim")]
    for _, group in groupby(sorted(states, key=urgency), key=lambda state: state.state):
        same = list(group)
        parts += ["", *_heading(next_step(same[0]), same)]
        for state in same:
            parts += _lines(state)
    return Group(*parts)


def _count(states: "Sequence[DistrictState]") -> str:
    """How many need somebody; how many do not, where those are listed."""
    needing = sum(state.needs_a_person for state in states)
    others = len(states) - needing
    need = "1 district needs somebody" if needing == 1 else f"{needing:,} districts need somebody"
    return f"{need}; {others:,} do not." if others else f"{need}."


def _heading(step: "NextStep", same: "Sequence[DistrictState]") -> Iterator[RenderableType]:
    """What a group's districts have in common: their state, what is to be done, and by which command."""
    sentence = step.what if step.who == "You" or not step.what else f"{step.who} {step.what[0].lower()}{step.what[1:]}"
    head = Text(f"{step.words} ({len(same):,})", style=f"bold {COLORS[step.mood]}")
    yield head.append(f"  {sentence}", style="not bold default")
    if same[0].state in BY_COMMAND:
        yield Padding(Text(BY_COMMAND[same[0].state], style="dim"), (0, 0, 0, 2))


def _lines(state: "DistrictState") -> Iterator[RenderableType]:
    """A district's line, and below it what is to be said of it."""
    name, room = one_line(state.district), " " * LONGEST_NAME
    name = name if len(name) <= LONGEST_NAME else f"{name}\n  {room}"
    yield _columns(name, str(state.night or ""), str(state.delivery or ""), _last_good(state))
    if state.message:
        yield Padding(Text(one_line(state.message)), (0, 0, 0, 4))


def _columns(name: str, night: str, delivery: str, last_good: str, style: str = "") -> Text:
    return Text(f"  {name:<{LONGEST_NAME}}  {night:<10}  {delivery:>8}  {last_good}", style)


def _last_good(state: "DistrictState") -> str:
    """The last good night, and how many nights since then ended without a roster."""
    if not state.nights_since:
        return str(state.last_good or "-")
    since = f"{state.nights_since} night{'s' if state.nights_since > 1 else ''} without"
    return f"{state.last_good}, {since}" if state.last_good else f"never, {since}"


def _tell_services(services: "list[ServiceState]", as_json: bool) -> None:
    """One line for each that is not well, on standard error; for people, one for all that are."""
    for service in services:
        if service.state != "alive":
            typer.echo(_of_service(service), err=True)
    alive = [service.service for service in services if service.state == "alive"]
    if alive and not as_json:
        typer.echo(f"Services alive: {', '.join(alive)}.")


def _of_service(service: "ServiceState") -> str:
    return f"{service.service} is {service.state}: {service.message}"
