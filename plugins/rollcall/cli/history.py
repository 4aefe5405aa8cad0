"""``rollcall history``."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rollcall.cli.arguments import DistrictId
from rollcall.cli.output import AsJson, make_console, make_table
from rollcall.escaping import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollcall.onboarding.acts import ActOnRecord

console = make_console()


def history(
    district: DistrictId,
    before: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only nights before this one; all if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A district's nights, the latest first, thirty at a time; and who added, paused or rotated it, when and why.

    A district that was removed has its history still.

    For example:

    rollcall history lakeside-usd

    rollcall history lakeside-usd --before 2026-10-01 --json
    """
    from rollcall.onboarding.acts import acts_of
    from rollcall.ui.district import nights
    from rollcall.warehouse import connect

    with connect() as connection:
        found = nights(connection, district, before.date() if before else None)
        acts = acts_of(connection, district)
    if as_json:
        told = {"nights": [asdict(night) for night in found], "acts": [asdict(act) for act in acts]}
        console.print_json(json.dumps(told, default=str))
    elif found:
        table = make_table(
            "Night",
            "State",
            "Delivery",
            "Records",
            "Set aside",
            "What",
            numbers=("Records", "Set aside"),
            wraps=("What",),
        )
        for night in found:
            counts = (f"{count:,}" if count is not None else "-" for count in (night.rows, night.set_aside))
            what = one_line(night.message or "")
            table.add_row(str(night.night), night.step.words, str(night.delivery_id or "-"), *counts, what)
        console.print(table)
    if acts and not as_json:
        _show(acts)
    if not (found or acts):
        typer.echo(f"The ledger knows nothing of {district}.", err=True)
        raise typer.Exit(1)


def _show(acts: "Iterable[ActOnRecord]") -> None:
    """What was done to the district, the latest first."""
    table = make_table("When", "Who", "What", "Nights", "Why", wraps=("Why",))
    for act in acts:
        nights = " to ".join(str(night) for night in (act.first_night, act.last_night) if night)
        when = f"{act.done_at:%Y-%m-%d %H:%M}"
        table.add_row(when, one_line(act.done_by), act.action, nights or "-", one_line(act.why) or "-")
    console.print(table)
