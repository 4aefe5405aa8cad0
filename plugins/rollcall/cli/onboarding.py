"""``rollcall districts add``: a district from nothing to its kit, asked for or given by options."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollcall.cli.output import make_console
from rollcall.escaping import one_line
from rollcall.private import UMASK
from rollcall.zones import ZONES, zone_named

if TYPE_CHECKING:
    from rollcall.onboarding.add import HandOver
    from rollcall.stack import Account

console = make_console()
DistrictId = Annotated[str, typer.Argument(metavar="DISTRICT", help="The district's id.")]
SecretCommand = Annotated[
    str,
    typer.Option(
        "--secret-command",
        metavar="COMMAND",
        help="A command that reads the password on standard input and prints a link to it, for the kit.",
    ),
]
PublicKey = Annotated[
    Path | None,
    typer.Option("--public-key", exists=True, dir_okay=False, help="The district's SSH key, in place of a password."),
]
KitFolder = Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Where the kit goes.")]


def add(
    district: Annotated[str, typer.Argument(metavar="[DISTRICT]", help="Its id: a-z, 0-9 and hyphens.")] = "",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    system: Annotated[str, typer.Option("--sis", help="Its student information system.")] = "",
    zone: Annotated[str, typer.Option("--time-zone", help="Where its clocks stand: Pacific, America/Denver.")] = "",
    contact: Annotated[list[str] | None, typer.Option(help="An e-mail address there; may be repeated.")] = None,
    deadline: Annotated[str, typer.Option(help="Until when its files are waited for, as 06:00.")] = "",
    public_key: PublicKey = None,
    secret_command: SecretCommand = "",
    to: KitFolder = None,
) -> None:
    """Bring a district in: its file, its account, its kit. Asks for what is not given; safe to repeat.

    rollcall districts add lakeside-usd --name "Lakeside USD" --sis Aeries --time-zone Pacific --contact it@lakeside.org

    With a link instead of a password on the screen: --secret-command 'op item share ...'
    """
    from rollcall.onboarding.add import add as bring_in
    from rollcall.stack.accounts import accounts_here

    os.umask(UMASK)
    accounts = accounts_here()
    if sys.stdin.isatty():
        name = name or typer.prompt("Name")
        district = district or typer.prompt("Id, for ever", default=_id_of(name))
        system = system or typer.prompt("Student information system", default="Aeries")
        zone = zone or typer.prompt(f"Time zone ({', '.join(ZONES)}, or as America/Denver)", default="pacific")
        contact = contact or typer.prompt("E-mail addresses at the district, with commas", default="").split(",")
        deadline = deadline or typer.prompt("Files are waited for until (blank: the usual time)", default="")
    if not (district and name):
        raise typer.BadParameter("Give the district's id and its --name, or run it in a terminal to be asked.")
    values = _values(name, system, zone, contact or [], deadline)
    done = bring_in(accounts, district, values, how_of(secret_command, public_key), _tell, to)
    console.print(
        f"{done.district.dag_id} is in Airflow within a minute. Send the kit to the district"
        f"{', and the password separately' if not (done.account.public_key or done.account.secret_link) else ''}.",
        soft_wrap=True,
    )


def how_of(secret_command: str, public_key: Path | None) -> "HandOver":
    """How what a district logs in with is handed over."""
    from rollcall.onboarding.add import HandOver
    from rollcall.onboarding.secret import public_key as read_key

    key = read_key(public_key.read_text(encoding="utf-8", errors="replace")) if public_key else ""
    return HandOver(_show, secret_command, key)


def _values(name: str, system: str, zone: str, contacts: list[str], deadline: str) -> dict[str, Any]:
    """What the district's file says: what was given, and nothing of the defaults."""
    given = {
        "name": name.strip(),
        "student_information_system": system.strip(),
        "local_timezone": zone_named(zone),
        "deadline": deadline.strip(),
        "contacts": [address.strip() for address in contacts if address.strip()],
    }
    return {key: value for key, value in given.items() if value}


def _id_of(name: str) -> str:
    """An id that a name suggests."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _show(account: "Account") -> bool:
    """Show a password where a person sees it; never in a pipe, whose other end may be a log."""
    if not sys.stdout.isatty():
        return False
    console.print(f"Username  {account.username}")
    console.print(f"Password  {account.password}   (shown this once)", soft_wrap=True)
    return True


def _tell(sentence: str) -> None:
    console.print(one_line(sentence), soft_wrap=True)
