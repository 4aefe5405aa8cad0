"""``rollcall forget``."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rollcall.cli.arguments import DistrictId
from rollcall.cli.output import AsJson, By, make_console, make_table, progress_bar

console = make_console()


def forget(
    district: DistrictId,
    sourced_id: Annotated[str, typer.Argument(metavar="SOURCED_ID", help="The person's sourcedId.")],
    why: Annotated[str, typer.Option("--why", help="Why, without a name; goes into the ledger.")],
    by: By = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go from where.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the id once more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget a student, a member of staff or a guardian everywhere, for good: history, marts, archive, findings.

    A delivery that sends the person again is held. Interrupted, say it again. Backups of before hold the person.

    For example:

    rollcall forget lakeside-usd 10442 --why "request 2026-17" --dry-run

    rollcall forget lakeside-usd 10442 --by "your name" --why "request 2026-17"
    """
    from rollcall.forget import CannotForgetError
    from rollcall.forget import forget as forget_person
    from rollcall.who import person

    if not (dry_run or yes):
        again = typer.prompt("This cannot be undone. The sourcedId once more", hide_input=False, err=True)
        if again.strip() != sourced_id.strip():
            raise CannotForgetError("That is another id. Nothing was done.")
    with progress_bar():
        done = forget_person(district, sourced_id, by=person(by), why=why, dry_run=dry_run)
    if as_json:
        console.print_json(json.dumps(asdict(done) | {"dry_run": dry_run}))
        return
    table = make_table("From", "Would go" if dry_run else "Gone", numbers=("Would go" if dry_run else "Gone",))
    for place, number in done.removed.items():
        table.add_row(place, f"{number:,}")
    console.print(table)
    known_as = f", known by {len(done.ids)} ids" if len(done.ids) > 1 else ""
    console.print(f"{district}: {done.kind}{known_as}. " + _what_is_left(done.exports), soft_wrap=True)


def _what_is_left(exports: int) -> str:
    told = "Backups made before still hold the person: see docs/security.md."
    if exports:
        told += f" The roster was exported {exports:,} times: rollcall.export says by whom; ask them."
    return told
