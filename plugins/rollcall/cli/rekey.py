"""``rollcall rekey``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rollcall.cli.output import AsJson, By, make_console
from rollcall.escaping import one_line

console = make_console()


def rekey(
    district: Annotated[str, typer.Argument(help="The district's id.")],
    new_ids: Annotated[
        Path,
        typer.Argument(
            metavar="MAP",
            exists=True,
            dir_okay=False,
            help="A CSV with the columns file, sourced_id, new_sourced_id; or a hold's change list.",
        ),
    ],
    why: Annotated[str, typer.Option("--why", help="Why; goes into the ledger.")],
    by: By = "",
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out old ids that no published record has.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a district's records other ids, after a change of its system: history goes on under the new ones.

    For example:

    rollcall rekey lakeside-usd 2026-11-29-8-changes.csv --why "new system since Thanksgiving"
    """
    from rollcall.decision.rekey.accept import rekey as give_new_ids
    from rollcall.decision.rekey.id_map import read_map
    from rollcall.decision.sequel import ask_for_a_build
    from rollcall.who import person

    done = give_new_ids(district, read_map(new_ids), by=person(by), why=why, skip_unknown=skip_unknown)
    asked = ask_for_a_build()
    if as_json:
        console.print_json(json.dumps(asdict(done) | {"build": asked}))
        return
    counts = ", ".join(f"{count:,} {file}" for file, count in done.records.items())
    console.print(
        f"{district}: {counts} get another id, as sequence {done.sequence} in the place of {done.from_sequence}.",
        soft_wrap=True,
    )
    if done.skipped:
        console.print(f"{done.skipped:,} lines were left out: no published record has their old id.")
    console.print(one_line(asked), soft_wrap=True)
