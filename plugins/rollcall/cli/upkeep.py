"""``rollcall upkeep``."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rollcall.cli.output import AsJson, make_console, make_table, progress_bar
from rollcall.progress import tell

console = make_console()


def upkeep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is old, as the DAG of the same name does each day: how long each kind is kept is a setting.

    What waits, is in work, or is the basis of what readers see stays; what was removed is in the ledger.

    For example:

    rollcall upkeep --dry-run

    rollcall upkeep --json
    """
    from rollcall.settings import settings
    from rollcall.upkeep import POLICIES

    told = []
    with progress_bar():
        for number, (name, policy) in enumerate(POLICIES.items()):
            tell(name.replace("_", " "), number, len(POLICIES))
            days = policy.kept_days(settings())
            told += [(days, removal) for removal in policy.apply(dry_run=dry_run)]
    if as_json:
        removals = [asdict(removal) | {"kept_days": days} for days, removal in told]
        console.print_json(json.dumps({"dry_run": dry_run, "removals": removals}))
        return
    heading = "Would be removed" if dry_run else "Removed"
    numbers = ("Kept for days", "Of deliveries", heading, "MiB")
    table = make_table("What", *numbers, numbers=numbers)
    for days, removal in told:
        size = f"{removal.bytes_removed / 1024**2:,.1f}"
        table.add_row(removal.what, str(days), f"{removal.deliveries:,}", f"{removal.removed:,}", size)
    console.print(table)
