"""``rollcall readers list|add|grant|revoke|remove``."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rollcall.cli.output import AsJson, By, make_console, make_table

app = typer.Typer(help="Who reads the marts, and which districts they see.", no_args_is_help=True)
console = make_console()

Name = Annotated[str, typer.Argument(metavar="READER", help="The login, or a role that logins are members of.")]
Districts = Annotated[list[str] | None, typer.Option("--district", metavar="ID", help="A district; may be repeated.")]
AllDistricts = Annotated[bool, typer.Option("--all-districts", help="Every district, those to come included.")]


@app.command(name="list")
def list_readers(as_json: AsJson = False) -> None:
    """List the readers and their districts.

    For example:

    rollcall readers list --json
    """
    from rollcall.readers import readers
    from rollcall.warehouse import connect

    with connect(role=None) as connection:
        found = readers(connection)
    if as_json:
        console.print_json(json.dumps([asdict(reader) for reader in found]))
        return
    table = make_table("Reader", "Demographics", "Districts", wraps=("Districts",))
    for reader in found:
        districts = "all" if reader.all_districts else ", ".join(reader.districts) or "none"
        table.add_row(reader.name, "yes" if reader.restricted else "no", districts)
    console.print(table)


@app.command()
def add(
    reader: Name,
    restricted: Annotated[bool, typer.Option("--restricted", help="Reads demographics, too.")] = False,
    district: Districts = None,
    all_districts: AllDistricts = False,
    by: By = "",
) -> None:
    """Make a login that reads the marts, and print its password, once.

    For example:

    rollcall readers add ada --district lakeside-usd
    """
    from rollcall.readers import add_reader, grant
    from rollcall.warehouse import connect
    from rollcall.who import person

    with connect(role=None) as connection:
        password = add_reader(connection, reader, restricted=restricted, by=person(by))
        if district or all_districts:
            grant(connection, reader, _chosen(district, all_districts), by=person(by))
    console.print(f"Reader {reader} is made. Its password, which is shown this once: {password}", soft_wrap=True)
    if not district and not all_districts:
        console.print(f"It sees no district yet: `rollcall readers grant {reader} --district ...`.")


@app.command()
def grant(reader: Name, district: Districts = None, all_districts: AllDistricts = False, by: By = "") -> None:
    """Let a reader see districts, from its next statement on.

    For example:

    rollcall readers grant ada --district hillcrest-esd
    """
    from rollcall.readers import grant as grant_districts
    from rollcall.warehouse import connect
    from rollcall.who import person

    with connect(role=None) as connection:
        grant_districts(connection, reader, _chosen(district, all_districts), by=person(by))
    console.print(f"{reader} sees {'every district' if all_districts else ', '.join(district or [])} now.")


@app.command()
def revoke(reader: Name, district: Districts = None, all_districts: AllDistricts = False, by: By = "") -> None:
    """Take districts from a reader; --all-districts takes every grant.

    For example:

    rollcall readers revoke ada --district lakeside-usd
    """
    from rollcall.readers import revoke as revoke_districts
    from rollcall.warehouse import connect
    from rollcall.who import person

    with connect(role=None) as connection:
        revoke_districts(connection, reader, _chosen(district, all_districts), by=person(by))
    console.print(f"{reader} does not see {'any district' if all_districts else ', '.join(district or [])} any more.")


@app.command()
def remove(reader: Name, by: By = "") -> None:
    """Take everything from a reader, and remove the login.

    For example:

    rollcall readers remove ada
    """
    from rollcall.readers import remove_reader
    from rollcall.warehouse import connect
    from rollcall.who import person

    with connect(role=None) as connection:
        remove_reader(connection, reader, by=person(by))
    console.print(f"Reader {reader} is removed.")


def _chosen(district: list[str] | None, all_districts: bool) -> list[str] | None:
    """The districts; None for all of them."""
    if bool(district) == all_districts:
        raise typer.BadParameter("Name districts with --district, or say --all-districts.")
    return None if all_districts else district
