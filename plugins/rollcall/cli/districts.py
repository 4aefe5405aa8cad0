"""``rollcall districts …``."""

import json
from typing import Annotated

import typer
from rich.console import Console

from rollcall.cli import onboarding
from rollcall.cli.arguments import known_districts
from rollcall.cli.output import AsJson, make_console, make_table
from rollcall.districts import District, DistrictFileError, load_district, load_districts
from rollcall.settings import settings

app = typer.Typer(help="The districts and their files.", no_args_is_help=True)
console = make_console()
for command in (
    onboarding.add,
    onboarding.show,
    onboarding.kit,
    onboarding.rotate,
    onboarding.pause,
    onboarding.resume,
    onboarding.remove,
):
    app.command()(command)


@app.command(name="list")
def list_districts(as_json: AsJson = False) -> None:
    """List the districts, and what is wrong with the files that cannot be used.

    For example:

    rollcall districts list --json
    """
    found = list(load_districts(settings().districts_dir))
    districts = [district for district in found if isinstance(district, District)]
    mistakes = [str(mistake) for mistake in found if isinstance(mistake, DistrictFileError)]
    if as_json:
        console.print_json(json.dumps([district.model_dump(mode="json") for district in districts]))
    else:
        table = make_table("District", "Name", "System", "Runs", "Time zone", "Deadline", wraps=("Name",))
        for district in districts:
            table.add_row(
                district.district_id,
                district.name,
                district.student_information_system,
                district.schedule,
                district.timezone,
                district.deadline.isoformat(timespec="minutes"),
            )
        console.print(table)
    _finish(mistakes)


@app.command()
def check(
    district_id: Annotated[
        str | None, typer.Argument(help="One district; all when not given.", autocompletion=known_districts)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the districts' files without starting anything.

    For example:

    rollcall districts check

    rollcall districts check lakeside-usd --json
    """
    if district_id is None:
        found = list(load_districts(settings().districts_dir))
    else:
        found = [load_district(settings().districts_dir / f"{district_id}.yaml")]
    good = [each.district_id for each in found if isinstance(each, District)]
    mistakes = [str(mistake) for mistake in found if isinstance(mistake, DistrictFileError)]
    if as_json:
        console.print_json(json.dumps({"in_order": good, "mistakes": mistakes}))
    else:
        console.print("1 district file is in order." if len(good) == 1 else f"{len(good)} district files are in order.")
    _finish(mistakes)


def _finish(mistakes: list[str]) -> None:
    for mistake in mistakes:
        Console(stderr=True, highlight=False, markup=False).print(mistake, style="red")
    if mistakes:
        raise typer.Exit(1)
