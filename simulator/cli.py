"""The command ``rollcall simulate``: a night of a simulated district, in a folder or uploaded."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from simulator.night import Delivery, write_night
from simulator.package import ZIP_NAME, pack
from simulator.profile import Levels, Packaging, Profile, Rates
from simulator.rows import HEADERS
from simulator.spoil import spoil
from simulator.upload import Account, UploadError, upload

_DAY: Final = "%Y-%m-%d"
_WHAT: Final = "The district"
_HOW: Final = "What changes in a night (fractions)"
_WHERE: Final = "Upload"
_VARIABLE: Final = "ROLLCALL_SIMULATE_PASSWORD"
_DEFAULT: Final = Rates()


def simulate(
    folder: Annotated[Path, typer.Argument(help="Where to write the files; it is made if need be.", file_okay=False)],
    *,
    night: Annotated[int, typer.Option(min=1, help="Which night, counted from 1.")] = 1,
    district: Annotated[str, typer.Option(help="The district's id.", rich_help_panel=_WHAT)] = "demo",
    name: Annotated[str, typer.Option(help="Its name.", rich_help_panel=_WHAT)] = "Demo Unified School District",
    students: Annotated[int, typer.Option(min=1, help="How many at the start.", rich_help_panel=_WHAT)] = 5000,
    seed: Annotated[int, typer.Option(help="Decides all that is left to chance.", rich_help_panel=_WHAT)] = 1,
    levels: Annotated[Levels, typer.Option(help="Which schools it has.", rich_help_panel=_WHAT)] = "k12",
    packaging: Annotated[Packaging, typer.Option(help="How it sends.", rich_help_panel=_WHAT)] = "loose",
    manifest: Annotated[bool, typer.Option(help="Send a manifest.csv.", rich_help_panel=_WHAT)] = False,
    first_night: Annotated[
        datetime,
        typer.Option(formats=[_DAY], help="The date of night 1.", show_default="2026-11-16", rich_help_panel=_WHAT),
    ] = datetime(2026, 11, 16),  # noqa: DTZ001  a date; typer knows no type for one
    joiners: Annotated[float, typer.Option(help="Students who arrive.", rich_help_panel=_HOW)] = _DEFAULT.joiners,
    leavers: Annotated[float, typer.Option(help="Students who vanish.", rich_help_panel=_HOW)] = _DEFAULT.leavers,
    school_movers: Annotated[
        float, typer.Option(help="Students who change schools.", rich_help_panel=_HOW)
    ] = _DEFAULT.school_movers,
    class_changes: Annotated[
        float, typer.Option(help="Students who change a class.", rich_help_panel=_HOW)
    ] = _DEFAULT.class_changes,
    renames: Annotated[float, typer.Option(help="Students who are renamed.", rich_help_panel=_HOW)] = _DEFAULT.renames,
    new_sections: Annotated[
        float, typer.Option(help="Sections split in two.", rich_help_panel=_HOW)
    ] = _DEFAULT.new_sections,
    spoiled: Annotated[
        list[str] | None,
        typer.Option(
            "--spoil",
            metavar="HOW",
            help="Spoil the night; may be given several times: truncate:FILE:KEEP:AT (record, cell, line or byte), "
            "drop_line_end:FILE, remove:FILE, header_only:FILE, drop_school:ID, rekey_users:SHARE (for instance "
            "truncate:enrollments:0.3:line).",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Upload to this server.", rich_help_panel=_WHERE)] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.", rich_help_panel=_WHERE)] = 22,
    username: Annotated[str | None, typer.Option(help="The district's account.", rich_help_panel=_WHERE)] = None,
    password_env: Annotated[
        str,
        typer.Option(
            metavar="VARIABLE", help="The environment variable that holds its password.", rich_help_panel=_WHERE
        ),
    ] = _VARIABLE,
    host_key: Annotated[
        str | None,
        typer.Option(help="The server's key, 'ssh-ed25519 AAAA...'; else any.", rich_help_panel=_WHERE),
    ] = None,
    directory: Annotated[str, typer.Option(help="A folder on the server.", rich_help_panel=_WHERE)] = ".",
    temporary_names: Annotated[
        bool, typer.Option(help="Upload as NAME.filepart, then rename.", rich_help_panel=_WHERE)
    ] = False,
    stop_after_bytes: Annotated[
        int | None,
        typer.Option(min=0, help="Break off after so many bytes of all files together.", rich_help_panel=_WHERE),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write a night of a simulated district, shaped as Aeries would send it; spoil and upload it on demand.

    The same options always give the same bytes. What is printed counts the night before it was spoiled.

    For example:

    rollcall simulate /tmp/night --district lakeside-usd --night 3

    rollcall simulate /tmp/night --students 400 --spoil truncate:enrollments:0.5:line --json
    """
    from rollcall.cli.output import progress_bar

    try:
        rates = Rates(joiners, leavers, school_movers, class_changes, renames, new_sections)
        profile = Profile(
            district, name, students, seed, levels, packaging, manifest, first_night=first_night.date(), rates=rates
        )
        account = _account(host, port, username, password_env, host_key)
        with progress_bar():
            delivery = _write(profile, night, folder, spoiled or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if account:
        _upload(account, delivery, directory, temporary_names=temporary_names, stop_after_bytes=stop_after_bytes)
    typer.echo(_as_json(delivery, spoiled or []) if as_json else _as_table(delivery))


def _account(
    host: str | None, port: int, username: str | None, password_env: str, host_key: str | None
) -> Account | None:
    """Read where to upload to; nowhere without a host.

    Raises:
        ValueError: The user name or the password is missing.
    """
    if host is None:
        return None
    if username is None:
        raise ValueError("An upload needs a user name: add --username.")
    password = os.environ.get(password_env)
    if not password:
        raise ValueError(f"An upload needs a password: put it into the environment variable {password_env}.")
    return Account(host, port, username, password, host_key)


def _write(profile: Profile, night: int, folder: Path, spoiled: Sequence[str]) -> Delivery:
    """Write the night loose, spoil it, and only then pack it."""
    delivery = write_night(replace(profile, packaging="loose"), night, folder)
    for how in spoiled:
        spoil(folder, how)
    files = tuple(file for file in delivery.files if file.exists())
    if profile.packaging == "zip":
        files = (pack(files, folder / ZIP_NAME),)
    return replace(delivery, files=files)


def _upload(
    account: Account, delivery: Delivery, directory: str, *, temporary_names: bool, stop_after_bytes: int | None
) -> None:
    try:
        upload(
            account,
            delivery.files,
            directory=directory,
            temporary_names=temporary_names,
            stop_after_bytes=stop_after_bytes,
        )
    except UploadError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _as_json(delivery: Delivery, spoiled: Sequence[str]) -> str:
    facts = {
        "service_date": str(delivery.service_date),
        "folder": str(delivery.folder),
        "files": [file.name for file in delivery.files],
        "spoiled": list(spoiled),
        "expected": asdict(delivery.expected),
    }
    return json.dumps(facts, indent=2)


def _as_table(delivery: Delivery) -> str:
    expected = delivery.expected
    lines = [f"{'file':<18}{'rows':>12}{'added':>10}{'changed':>10}{'removed':>10}"]
    for file in HEADERS:
        changes = (counts.get(file, "") for counts in (expected.added, expected.changed, expected.removed))
        lines.append(f"{file:<18}{expected.rows[file]:>12,}" + "".join(f"{count:>10}" for count in changes))
    people = (
        f"{expected.students:,} students, {expected.staff:,} staff, {expected.roster_rows:,} active places in classes"
    )
    return "\n".join((*lines, "", f"{delivery.service_date}: {people}", f"written to {delivery.folder}"))
