"""``rollcall verify``."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rollcall.cli.arguments import known_districts
from rollcall.cli.output import AsJson, make_console, make_table, progress_bar

if TYPE_CHECKING:
    from rollcall.recovery.differences import Difference

console = make_console()


def verify(
    district: Annotated[
        str | None,
        typer.Argument(metavar="[DISTRICT]", help="The district's id; all, if blank.", autocompletion=known_districts),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare archive, ledger, history and pointers with each other; exits 1 when something differs.

    Reads every archived file; changes nothing; nights may go on meanwhile.

    For example:

    rollcall verify

    rollcall verify lakeside-usd --json
    """
    from rollcall.recovery.verify import verify as compare

    with progress_bar():
        found = compare(district)
    answer(found, as_json=as_json)


def answer(differences: "Sequence[Difference]", *, as_json: bool) -> None:
    """What differs, for a person or a program.

    Raises:
        typer.Exit: with 1: something does, and not because a person was forgotten.
    """
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in differences]))
    else:
        show(differences)
    require_order(differences)


def show(differences: "Sequence[Difference]") -> None:
    """What differs, for a person."""
    if all(each.is_in_order for each in differences):
        console.print("Archive, ledger, history and pointers agree.")
    if differences:
        table = make_table("District", "Delivery", "Code", "What differs", wraps=("What differs",))
        for each in differences:
            table.add_row(each.district_id, str(each.delivery_id or "-"), each.code, each.what)
        console.print(table)


def require_order(differences: "Sequence[Difference]") -> None:
    """End badly unless all that differs does because a person was forgotten.

    Raises:
        typer.Exit: with 1: something else does.
    """
    if not all(each.is_in_order for each in differences):
        raise typer.Exit(1)
