"""Whether what Rollcall works with lives: Airflow's services, the packages, the SFTP server, the mail server."""

import asyncio
import smtplib
from importlib import metadata

import asyncssh
from packaging.requirements import Requirement

from rollcall.doctor.diagnosis import Amiss, in_short
from rollcall.services import service_states
from rollcall.settings import settings

LONGEST_WAIT_SECONDS = 5


def services_live() -> str:
    """Airflow's services are alive."""
    states = service_states()
    if not states:
        return "Not looked at: no Airflow is configured here."
    dead = [f"{each.service}: {each.message}" for each in states if each.state == "dead"]
    if dead:
        raise Amiss(" ".join(dead), "Start what is dead: `rollcall up`, or docker compose up --detach.")
    return f"Alive: {', '.join(each.service for each in states)}."


def versions_are_the_locked_ones() -> str:
    """What is installed is what requirements.txt says."""
    lock = settings().home / "requirements.txt"
    if not lock.is_file():
        return f"There is no {lock} to compare with."
    wanted = [Requirement(line) for line in lock.read_text().splitlines() if line and not line.startswith(("#", "-"))]
    pins = {each.name: str(each.specifier) for each in wanted if not each.marker or each.marker.evaluate()}
    wrong = [f"{name} is {found}, not {pin}" for name, pin in pins.items() if (found := _installed(name)) != pin]
    if wrong:
        raise Amiss(f"{in_short(wrong, '; ')}.", f"Install {lock} again: pip install -r {lock}.")
    return f"{len(pins)} packages are installed as locked."


def _installed(package: str) -> str:
    try:
        return f"=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return "missing"


def sftp_shows_its_key() -> str:
    """Rollcall and the districts trust the key on record, and no other."""
    from rollcall.stack import StackError
    from rollcall.stack.accounts import accounts_here

    try:
        server = accounts_here().server()
    except StackError as error:
        return f"Not looked at: {error}"
    where = f"{server.host}:{server.port}"
    try:
        shown_key = asyncio.run(_key_of(server.host, server.port))
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise Amiss(
            f"The SFTP server at {where} does not answer ({type(error).__name__}).",
            "Start it: `rollcall up`, or docker compose up --detach.",
        ) from None
    if shown_key != server.host_key.split()[:2]:
        raise Amiss(
            f"The SFTP server at {where} shows another host key than the one on record: who pinned that refuses it.",
            "Give the server its key back, or find out who answers in its place, before anybody trusts the new one.",
        )
    return f"The SFTP server at {where} shows the key on record."


async def _key_of(host: str, port: int) -> list[str]:
    """The type and the base64 of the key that a server shows."""
    async with asyncio.timeout(LONGEST_WAIT_SECONDS):
        key = await asyncssh.get_server_host_key(host, port, server_host_key_algs=["ssh-ed25519"])
    return key.export_public_key().decode().split()[:2] if key else []


def mail_server_answers() -> str:
    """Where somebody is to get e-mail, the mail server answers."""
    if not settings().operators_email:
        return "Not looked at: ROLLCALL_OPERATORS_EMAIL names nobody."
    from rollcall.report.notify import CONNECTION_ID, smtp_connection

    known = smtp_connection()
    if known is None:
        raise Amiss(
            f"ROLLCALL_OPERATORS_EMAIL names somebody, and there is no connection {CONNECTION_ID} to send with.",
            f"Say where the mail server is: AIRFLOW_CONN_{CONNECTION_ID.upper()}.",
        )
    try:
        kind = smtplib.SMTP if known.extra_dejson.get("disable_ssl") else smtplib.SMTP_SSL
        with kind(str(known.host), known.port or 0, timeout=LONGEST_WAIT_SECONDS) as server:
            server.noop()
    except (OSError, smtplib.SMTPException) as error:  # its own words may quote an address
        raise Amiss(
            f"The mail server of the connection {CONNECTION_ID} does not answer ({type(error).__name__}).",
            "See that it runs, and that the connection names its host, its port, and whether it speaks TLS.",
        ) from None
    return "The mail server answers."
