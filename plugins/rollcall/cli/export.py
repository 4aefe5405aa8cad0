"""``rollcall export``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rollcall.cli.output import By, make_console, make_table
from rollcall.export.formats import Format

if TYPE_CHECKING:
    from rollcall.export.export import Exported, Told

console = make_console()


def export(
    district: Annotated[str | None, typer.Argument(help="The district's id.")] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
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
    with _bar() as told:
        exported = export_districts(district, order, told)
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in exported], default=str))
    else:
        _print(exported)


@contextmanager
def _bar() -> "Iterator[Told]":
    """A progress bar on standard error, where somebody watches."""
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


def _print(exported: "list[Exported]") -> None:
    table = make_table("District", "Night", "Rows", "Bytes", "File", numbers=("Rows", "Bytes"), wraps=("File",))
    for each in exported:
        for file in each.files:
            rows = sum(file.rows.values())
            table.add_row(each.district, str(each.night), f"{rows:,}", f"{file.size_bytes:,}", str(file.path))
    console.print(table)
