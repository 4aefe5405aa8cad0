"""``rollcall rollback``."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rollcall.cli.arguments import DistrictId
from rollcall.cli.output import AsJson, By, make_console, progress_bar

console = make_console()


def rollback(
    district: DistrictId,
    why: Annotated[str, typer.Option(help="Why; goes into the ledger.")],
    by: By = "",
    to: Annotated[
        int | None,
        typer.Option(metavar="SEQ", help="The published sequence to go back to; the one before, if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish an earlier roster of a district again, under a new sequence.

    For example:

    rollcall rollback lakeside-usd --why "terms were cut off"

    rollcall rollback lakeside-usd --to 41 --why "terms were cut off" --json
    """
    from rollcall.conform import roll_back
    from rollcall.who import person

    with progress_bar():
        done = roll_back(district, to=to, by=person(by), why=why)
    if as_json:
        console.print_json(json.dumps(asdict(done), default=str))
        return
    console.print(
        f"{district}: readers see sequence {done.sequence} now, with the content of sequence {done.to_sequence} in the "
        f"place of {done.from_sequence}. It stands for the night of {done.effective_date}, "
        + (f"since that of {done.given_up} has not come." if done.given_up else "as before.")
    )
    for file, each in done.changes.items():
        console.print(f"  {file}: {each.added:,} back, {each.changed:,} as before, {each.removed:,} gone")
