"""``rollcall export``."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollcall.cli.arguments import known_districts
from rollcall.cli.output import AsJson, By, make_console, make_table, progress_bar
from rollcall.export.formats import Format

if TYPE_CHECKING:
    from rollcall.export.export import Exported

console = make_console()


def export(
    district: Annotated[str | None, typer.Argument(help="The district's id.", autocompletion=known_districts)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every district, a folder for each.")] = False,
    file_format: Annotated[
        Format, typer.Option("--format", help="oneroster is a zip as districts send it.")
    ] = Format.CSV,
    as_of: Annotated[
        datetime | None,
        typer.Option(metavar="NIGHT", formats=["%Y-%m-%d"], help="The roster of this night; today's, if not given."),
    ] = None,
    mart: Annotated[list[str] | None, typer.Option(help="Only this mart; may be repeated.")] = None,
    restricted: Annotated[bool, typer.Option("--restricted", help="Demographics, too.")] = False,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to.")] = Path("exports"),
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Write what is published into files: FOLDER/DISTRICT/NIGHT/...

    Exits 0 when files were written, 1 when nothing is published, 2 when it was asked for wrongly.

    Each export is on record in the ledger. The files are for their owner alone; they hold personal data.

    For example:

    rollcall export lakeside-usd

    rollcall export lakeside-usd --mart roster --format parquet --as-of 2026-10-07

    rollcall export --all --format oneroster --restricted --to /srv/exports
    """
    from rollcall.export.export import Order
    from rollcall.export.export import export as export_districts
    from rollcall.who import person

    if bool(district) == every:
        raise typer.BadParameter("Name a district, or say --all.")
    night = as_of.date() if as_of else None
    order = Order(file_format, to, person(by), night, tuple(mart or ()), restricted)
    with progress_bar() as told:
        exported = export_districts(district, order, told)
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in exported], default=str))
    else:
        _print(exported)


def _print(exported: "list[Exported]") -> None:
    table = make_table("District", "Night", "Rows", "Bytes", "File", numbers=("Rows", "Bytes"), wraps=("File",))
    for each in exported:
        for file in each.files:
            rows = sum(file.rows.values())
            table.add_row(each.district, str(each.night), f"{rows:,}", f"{file.size_bytes:,}", str(file.path))
    console.print(table)
