"""``rollcall rebuild``."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rollcall.cli.arguments import known_districts
from rollcall.cli.output import AsJson, make_console, progress_bar
from rollcall.cli.verify import require_order, show

console = make_console()


def rebuild(
    district: Annotated[
        str | None, typer.Argument(metavar="DISTRICT", help="The district's id.", autocompletion=known_districts)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every district that the archive has.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the warehouse again from the archive alone: its files, and what was decided about them.

    The warehouse is a fresh one, after `rollcall deploy`. Nothing is decided anew. Exits 1 when something is not as it
    was, but for what went with people who were forgotten.

    For example:

    rollcall rebuild --all

    rollcall rebuild lakeside-usd --json
    """
    from rollcall.recovery.rebuild import rebuild as build_again

    if (district is None) == (not every):
        raise typer.BadParameter("Say which district, or --all.")
    with progress_bar():
        rebuilt = build_again(district)
    differences = [difference for each in rebuilt for difference in each.differences]
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in rebuilt]))
    else:
        for each in rebuilt:
            console.print(f"{each.district_id}: {each.sequences} publications are built again.")
        show(differences)
    require_order(differences)
