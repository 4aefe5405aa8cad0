"""``rollcall history``."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from rollcall.cli.output import AsJson, make_console, make_table
from rollcall.escaping import one_line

console = make_console()


def history(
    district: Annotated[str, typer.Argument(help="The district's id; one that was removed has its history still.")],
    before: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only nights before this one; all if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A district's nights, the latest first: how each ended, with how many records. Thirty at a time."""
    from rollcall.ui.district import nights
    from rollcall.warehouse import connect

    with connect() as connection:
        found = nights(connection, district, before.date() if before else None)
    if as_json:
        console.print_json(json.dumps([asdict(night) for night in found], default=str))
    else:
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
    if not found:
        typer.echo(f"The ledger knows no night of {district}.", err=True)
        raise typer.Exit(1)
