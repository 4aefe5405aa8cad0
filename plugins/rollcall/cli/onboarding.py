"""``rollcall districts add``, and what follows it: ``show``, ``kit``, ``rotate``, ``pause``, ``resume``, ``remove``."""

import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollcall.cli.arguments import DistrictId
from rollcall.cli.output import AsJson, By, make_console, make_table
from rollcall.escaping import one_line
from rollcall.private import UMASK
from rollcall.zones import ZONES, zone_in_words, zone_named

if TYPE_CHECKING:
    from rollcall.onboarding.add import HandOver
    from rollcall.stack import Account

console = make_console()
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
Why = Annotated[str, typer.Option("--why", help="Why; goes into the ledger.")]


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
    by: By = "",
    why: Why = "",
) -> None:
    """Bring a district in: its file, its account, its kit. Asks for what is not given; safe to repeat.

    For example:

    rollcall districts add lakeside-usd --name "Lakeside USD" --sis Aeries --time-zone Pacific --contact it@lakeside.org

    rollcall districts add lakeside-usd --name "Lakeside USD" --secret-command 'op item share ...'
    """
    from rollcall.onboarding.acts import Act, on_record
    from rollcall.onboarding.add import add as bring_in
    from rollcall.stack.accounts import accounts_here
    from rollcall.who import person

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
    how = how_of(secret_command, public_key)
    with on_record(Act(district, "added", why), person(by)):
        done = bring_in(accounts, district, values, how, _tell, to)
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


def show(district: DistrictId, as_json: AsJson = False) -> None:
    """What is set up for a district: its file, its account, when it sends. Never its password.

    For example:

    rollcall districts show lakeside-usd
    """
    from rollcall.onboarding.clocks import clock_time, send_by
    from rollcall.onboarding.district_file import require_district
    from rollcall.stack.accounts import accounts_here

    known = require_district(district)
    account = accounts_here().of(district)
    logs_in_with = _logs_in_with(account)
    if as_json:
        told = {"account": account.username if account else None, "logs_in_with": logs_in_with}
        console.print_json(json.dumps(known.model_dump(mode="json") | told))
        return
    when = send_by(known, datetime.now(UTC).date())
    facts = {
        "Name": known.name,
        "System": known.student_information_system,
        "Sends by": f"{clock_time(when.at)} {zone_in_words(known.local_zone.key)}, {when.days}",
        "Runs": f"{known.schedule} {zone_in_words(known.timezone)}, waits until {known.deadline:%H:%M}",
        "Pauses": "; ".join(f"{each.first_night} to {each.last_night} {each.reason}".strip() for each in known.pauses),
        "Contacts": ", ".join(known.contacts),
        "Account": account.username if account else "",
        "Logs in with": logs_in_with,
    }
    table = make_table("", "", wraps=("",))
    for fact, value in facts.items():
        table.add_row(fact, one_line(value) or "-")
    console.print(table)


def kit(district: DistrictId, to: KitFolder = None) -> None:
    """Write a district's kit anew, as its file and its account are now.

    For example:

    rollcall districts kit lakeside-usd --to kits/
    """
    from rollcall.onboarding.add import require_account, write_kit_of
    from rollcall.onboarding.district_file import require_district
    from rollcall.stack.accounts import accounts_here

    os.umask(UMASK)
    accounts = accounts_here()
    write_kit_of(accounts, require_district(district), require_account(accounts, district), _tell, to)


def rotate(
    district: DistrictId,
    public_key: PublicKey = None,
    secret_command: SecretCommand = "",
    to: KitFolder = None,
    by: By = "",
    why: Why = "",
) -> None:
    """Give a district a new password, or an SSH key in its place; the old one is refused from now on.

    For example:

    rollcall districts rotate lakeside-usd --secret-command 'op item share ...'
    """
    from rollcall.onboarding.acts import Act, on_record
    from rollcall.onboarding.add import finish
    from rollcall.onboarding.add import rotate as renew
    from rollcall.onboarding.district_file import require_district
    from rollcall.stack.accounts import accounts_here
    from rollcall.who import person

    os.umask(UMASK)
    accounts, known, how = accounts_here(), require_district(district), how_of(secret_command, public_key)
    with on_record(Act(district, "rotated", why), person(by)):
        account = renew(accounts, known, how, _tell)
    finish(accounts, known, account, how, _tell, to)


def pause(
    district: DistrictId,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The last night without a delivery.")],
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first one; tonight if not given.")
    ] = None,
    why: Annotated[str, typer.Option(help="Why, for the status, the page and the ledger.")] = "",
    by: By = "",
) -> None:
    """Expect nothing from a district for a while; it resumes by itself.

    For example:

    rollcall districts pause lakeside-usd --until 2027-08-10 --why summer
    """
    from rollcall.onboarding import district_file
    from rollcall.onboarding.acts import Act, on_record
    from rollcall.who import person

    first = since.date() if since else district_file.tonight(district)
    with on_record(Act(district, "paused", why, first, until.date()), person(by)):
        known = district_file.pause(district, first, until.date(), why)
    _tell(f"{known.district_id} is paused from {first} to {until.date()}; the night after that is expected again.")


def resume(district: DistrictId, by: By = "", why: Why = "") -> None:
    """Expect a district's deliveries again, from tonight on.

    For example:

    rollcall districts resume lakeside-usd
    """
    from rollcall.onboarding import district_file
    from rollcall.onboarding.acts import Act, on_record
    from rollcall.who import person

    tonight = district_file.tonight(district)
    with on_record(Act(district, "resumed", why, tonight), person(by)):
        district_file.resume(district, tonight)
    _tell(f"{district} is expected again from the night of {tonight} on.")


def remove(
    district: DistrictId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    by: By = "",
    why: Why = "",
) -> None:
    """Take a district out: its account, its connection, its file. What it published and sent stays.

    For example:

    rollcall districts remove lakeside-usd --yes
    """
    from rollcall.onboarding.acts import Act, on_record
    from rollcall.onboarding.add import remove as take_out
    from rollcall.stack.accounts import accounts_here
    from rollcall.who import person

    os.umask(UMASK)
    if not yes:
        typer.confirm(f"Take {district} out, and refuse what it sends from now on?", abort=True)
    with on_record(Act(district, "removed", why), person(by)):
        take_out(accounts_here(), district, _tell)


def _logs_in_with(account: "Account | None") -> str:
    """What a district's account takes, in words."""
    if account is None:
        return "nothing: it has no account"
    if account.public_key:
        return "its SSH key"
    return "a password" if account.is_handed_over else "a password that is still to be handed over"
