"""What an installation needs to work, looked at one by one: ``rollcall doctor``.

A check is a function that says what it found, or raises what is amiss and what to do. It changes nothing, takes no
longer than a person waits, and stands in ``CHECKS``.
"""

import asyncio
import shutil
import smtplib
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path

import asyncssh
from packaging.requirements import Requirement
from psycopg import sql

from rollcall import private
from rollcall.archive.store import MIB, local_folder, try_archive
from rollcall.forgotten import known_again
from rollcall.migrations import newest_migration
from rollcall.names import LONGEST_PATH, shown
from rollcall.services import service_states
from rollcall.settings import settings
from rollcall.stack.state import DATA_FOLDER
from rollcall.warehouse import Role, WarehouseError, connect, is_there, value

NEED_THE_WAREHOUSE = frozenset({"sessions", "migrations", "roles", "marts", "forgotten", "clock", "archive_growth"})
ROLES: tuple[Role, ...] = ("rollcall_loader", "rollcall_dbt")
_FINDINGS = """
    select district_id, test, severity, failures
    from rollcall.mart_finding inner join rollcall.publication using (district_id, sequence)
    order by district_id, test
"""
_GROWTH = """
    select
        sum(size_bytes) filter (where arrived_at > now() - interval '30 days')
        / least(30, greatest(1, extract(epoch from now() - min(arrived_at)) / 86400))
    from (
        select distinct on (archive_path) size_bytes, arrived_at
        from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)
        where archive_path <> ''
        order by archive_path, arrived_at
    ) as file
"""
"""How many bytes came into the archive a day, over the last thirty days or since the first one; content counts once."""
_PROCESS = "select pg_backend_pid()"
TIMES_LENT = 5
"""How often two sessions take turns: whoever else uses the pool may come between."""
MOST_SECONDS_APART = 30
FEWEST_DAYS = 14
LONGEST_WAIT_SECONDS = 5
MOST_LOOKED_AT = 100_000
"""Files and folders whose rights are looked at; what lies in a closed folder is out of reach anyway."""
MOST_NAMED = 3


@dataclass(frozen=True)
class Diagnosis:
    """What one check found.

    Attributes:
        check: The check's name.
        ok: Whether all is well.
        what: What was found.
        to_do: What to do about it; blank when all is well.
    """

    check: str
    ok: bool
    what: str
    to_do: str = ""

    def as_dict(self) -> dict[str, str | bool]:
        """For JSON."""
        return asdict(self)


def examine() -> list[Diagnosis]:
    """Every check's diagnosis, in order."""
    diagnoses: dict[str, Diagnosis] = {}
    for name, check in CHECKS.items():
        if name in NEED_THE_WAREHOUSE and not diagnoses["warehouse"].ok:
            diagnoses[name] = Diagnosis(name, False, "Not looked at: the warehouse does not answer.")
        else:
            diagnoses[name] = _diagnosis(name, check)
    return list(diagnoses.values())


class _Bad(Exception):  # noqa: N818 -- no error of Rollcall's: what a check has to tell
    def __init__(self, what: str, to_do: str) -> None:
        super().__init__(what)
        self.what, self.to_do = what, to_do


def _diagnosis(name: str, check: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(name, True, check())
    except _Bad as bad:
        return Diagnosis(name, False, bad.what, bad.to_do)
    except WarehouseError as error:
        return Diagnosis(name, False, str(error), "See that PostgreSQL runs and that AIRFLOW_CONN_WAREHOUSE names it.")


def _warehouse_answers() -> str:
    with connect(role=None) as connection:
        told = connection.info
        return f"PostgreSQL {told.server_version // 10_000}, database {told.dbname}, as {told.user}."


def _sessions_are_kept() -> str:
    """A pool in transaction mode lends one server process to two sessions: locks and roles would not hold."""
    with connect(role=None, autocommit=True) as one, connect(role=None, autocommit=True) as other:
        pairs = [(value(one, _PROCESS), value(other, _PROCESS)) for _ in range(TIMES_LENT)]
    if any(mine == theirs for mine, theirs in pairs):
        raise _Bad(
            "A connection pool before the warehouse works in transaction mode: two builds could run at once.",
            "Set pool_mode = session for this database, or name PostgreSQL itself in AIRFLOW_CONN_WAREHOUSE.",
        )
    return "Each session has a server process of its own."


def _warehouse_is_migrated() -> str:
    newest = newest_migration()
    with connect(role=None) as connection:
        deployed = is_there(connection, sql.Identifier("public", "migration"))
        rows = connection.execute("select version_num from public.migration").fetchall() if deployed else []
    if not rows:
        raise _Bad("The warehouse was never deployed.", "Run `rollcall deploy`.")
    if rows != [(newest,)]:
        raise _Bad(
            f"The warehouse is at migration {rows[0][0]}, this version of Rollcall at {newest}.",
            "Run `rollcall deploy` with the newest version that is installed anywhere.",
        )
    return f"At migration {newest}."


def _roles_can_be_taken_on() -> str:
    for role in ROLES:
        with connect(role=role) as connection:
            connection.execute("select")
    return f"The login may act as {' and '.join(ROLES)}."


def _forgotten_people_are_known_again() -> str:
    with connect() as connection:
        rows = connection.execute("select district_id, finished_at is not null from rollcall.forgetting").fetchall()
        known = {district: known_again(connection, district) for district in sorted({district for district, _ in rows})}
    unknown = [district for district, (hashes, key) in known.items() if hashes and key is None]
    if unknown:
        raise _Bad(
            f"Nobody can tell whether deliveries of {', '.join(unknown[:MOST_NAMED])} name people who were "
            "forgotten: the key is another one.",
            "Put the secret rollcall_forget_key back; docs/security.md says what to do if it is lost.",
        )
    broken_off = sorted({district for district, is_finished in rows if not is_finished})
    if broken_off:
        raise _Bad(
            f"`rollcall forget` was interrupted in {', '.join(broken_off[:MOST_NAMED])}.",
            "Give the same command again: it goes on where it stopped.",
        )
    return f"{len(rows)} people were forgotten, and are known again if they are sent."


def _marts_pass_their_tests() -> str:
    """What the tests found in what readers see now; what happens with what districts send is no reason to worry."""
    with connect() as connection:
        rows = connection.execute(_FINDINGS).fetchall()
        tested = connection.execute("select count(distinct district_id), max(tested_at) from rollcall.mart_test")
        districts, last = tested.fetchone() or (0, None)
    by_mistake = [f"{district} fails {test} {count} times" for district, test, severity, count in rows
                  if severity == "error"]  # fmt: skip
    if by_mistake:
        named = "; ".join(by_mistake[:MOST_NAMED]) + ("; ..." if len(by_mistake) > MOST_NAMED else "")
        raise _Bad(f"{named}.", "Ask Rollcall's maintainers: the marts show it. All of it: rollcall.mart_finding.")
    warned = sum(severity == "warn" for _, _, severity, _ in rows)
    if not districts:
        return "Not tested yet: the DAG mart_tests does it after publications."
    return (
        f"{districts} districts tested, the last at {last:%Y-%m-%d %H:%M}; {warned} warnings in rollcall.mart_finding."
    )


def _clocks_agree() -> str:
    """Deadlines are told by this machine's clock, and the ledger's moments by the database's."""
    with connect(role=None) as connection:
        ahead = value(connection, "select extract(epoch from clock_timestamp())::double precision") - time.time()
    if abs(ahead) > MOST_SECONDS_APART:
        raise _Bad(
            f"The warehouse's clock is {abs(ahead):,.0f} seconds {'ahead of' if ahead > 0 else 'behind'} this one.",
            "Have both machines keep the time by NTP.",
        )
    return f"This machine and the warehouse agree within {MOST_SECONDS_APART} seconds."


def _services_live() -> str:
    states = service_states()
    if not states:
        return "Not looked at: no Airflow is configured here."
    dead = [f"{each.service}: {each.message}" for each in states if each.state == "dead"]
    if dead:
        raise _Bad(" ".join(dead), "Start what is dead: `rollcall up`, or docker compose up --detach.")
    return f"Alive: {', '.join(each.service for each in states)}."


def _versions_are_the_locked_ones() -> str:
    lock = settings().home / "requirements.txt"
    if not lock.is_file():
        return f"There is no {lock} to compare with."
    wanted = [Requirement(line) for line in lock.read_text().splitlines() if line and not line.startswith(("#", "-"))]
    pins = {each.name: str(each.specifier) for each in wanted if not each.marker or each.marker.evaluate()}
    wrong = [f"{name} is {found}, not {pin}" for name, pin in pins.items() if (found := _installed(name)) != pin]
    if wrong:
        more = f" and {len(wrong) - MOST_NAMED:,} more" if len(wrong) > MOST_NAMED else ""
        raise _Bad(f"{'; '.join(wrong[:MOST_NAMED])}{more}.", f"Install {lock} again: pip install -r {lock}.")
    return f"{len(pins)} packages are installed as locked."


def _installed(package: str) -> str:
    try:
        return f"=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return "missing"


def _archive_takes_files() -> str:
    root = settings().archive_root
    try:
        try_archive(root)
    except OSError as error:
        raise _Bad(
            f"{root} takes no files ({type(error).__name__}: {error.strerror or 'refused'}).",
            "Let the user that runs Airflow's workers write there.",
        ) from None
    return f"{root} takes files."


def _archive_has_room() -> str:
    folder = local_folder(settings().archive_root)
    if folder is None:
        return "An object store: it has the room that is paid for."
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free / MIB
    stays_free = settings().archive_keep_free_mib
    if free < stays_free:
        raise _Bad(
            f"{free:,.0f} MiB are free where the archive lies, and {stays_free:,.0f} have to stay so "
            "(ROLLCALL_ARCHIVE_KEEP_FREE_MIB): no delivery is taken.",
            "Make room, or move the archive.",
        )
    return f"{free:,.0f} MiB are free; {stays_free:,.0f} have to stay so."


def _archive_will_have_room() -> str:
    """How long the room lasts if the archive goes on growing as it did of late."""
    folder = local_folder(settings().archive_root)
    if folder is None:
        return "An object store: it has the room that is paid for."
    with connect() as connection:
        grown = float(value(connection, _GROWTH) or 0) / MIB
    if not grown:
        return "The archive has not grown of late."
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free / MIB
    days = max(0.0, free - settings().archive_keep_free_mib) / grown
    told = f"It grows by {grown:,.1f} MiB a day: there is room for {days:,.0f} days."
    if days < FEWEST_DAYS:
        raise _Bad(told, "Make room, move the archive, or set ROLLCALL_ARCHIVE_KEPT_DAYS.")
    return told


def _sftp_shows_its_key() -> str:
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
        raise _Bad(
            f"The SFTP server at {where} does not answer ({type(error).__name__}).",
            "Start it: `rollcall up`, or docker compose up --detach.",
        ) from None
    if shown_key != server.host_key.split()[:2]:
        raise _Bad(
            f"The SFTP server at {where} shows another host key than the one on record: who pinned that refuses it.",
            "Give the server its key back, or find out who answers in its place, before anybody trusts the new one.",
        )
    return f"The SFTP server at {where} shows the key on record."


async def _key_of(host: str, port: int) -> list[str]:
    """The type and the base64 of the key that a server shows."""
    async with asyncio.timeout(LONGEST_WAIT_SECONDS):
        key = await asyncssh.get_server_host_key(host, port, server_host_key_algs=["ssh-ed25519"])
    return key.export_public_key().decode().split()[:2] if key else []


def _mail_server_answers() -> str:
    if not settings().operators_email:
        return "Not looked at: ROLLCALL_OPERATORS_EMAIL names nobody."
    from rollcall.report.notify import CONNECTION_ID, smtp_connection

    known = smtp_connection()
    if known is None:
        raise _Bad(
            f"ROLLCALL_OPERATORS_EMAIL names somebody, and there is no connection {CONNECTION_ID} to send with.",
            f"Say where the mail server is: AIRFLOW_CONN_{CONNECTION_ID.upper()}.",
        )
    try:
        kind = smtplib.SMTP if known.extra_dejson.get("disable_ssl") else smtplib.SMTP_SSL
        with kind(str(known.host), known.port or 0, timeout=LONGEST_WAIT_SECONDS) as server:
            server.noop()
    except (OSError, smtplib.SMTPException) as error:  # its own words may quote an address
        raise _Bad(
            f"The mail server of the connection {CONNECTION_ID} does not answer ({type(error).__name__}).",
            "See that it runs, and that the connection names its host, its port, and whether it speaks TLS.",
        ) from None
    return "The mail server answers."


def _archive_is_private() -> str:
    folder = local_folder(settings().archive_root)
    if folder is None:
        return "An object store: who may read it is said there."
    return _is_private(folder, but_for=0)


def _state_folder_is_private() -> str:
    return _is_private(settings().state_dir, but=settings().state_dir / DATA_FOLDER, but_for=stat.S_IXGRP)


def _is_private(folder: Path, *, but: Path | None = None, but_for: int) -> str:
    """Nothing in a folder is for others than its owner.

    Args:
        folder: The folder.
        but: A folder in it that looks after itself.
        but_for: Rights that others may have on the folder itself.
    """
    if not folder.is_dir():
        return f"There is no {folder} yet."
    inside = private.everything_in(folder, but=[but] if but else [])
    looked_at = list(islice(inside, MOST_LOOKED_AT))
    found = [path for path in looked_at if _is_open(path)]
    if private.is_open_to_others(folder, but_for):
        found.insert(0, folder)
    if found:
        more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
        raise _Bad(
            f"Others may get at {_in_short(found)}{more}.",
            f"Run `rollcall deploy`, or chmod -R go= {folder}; see who reads and writes there besides Rollcall.",
        )
    return f"{folder} and {len(looked_at):,} entries in it are its owner's alone."


def _is_open(path: Path) -> bool:
    try:
        return private.is_open_to_others(path)
    except FileNotFoundError:  # gone meanwhile
        return False


def _in_short(paths: Iterable[Path]) -> str:
    return ", ".join(shown(str(path), LONGEST_PATH) for path in islice(paths, MOST_NAMED))


CHECKS: dict[str, Callable[[], str]] = {
    "warehouse": _warehouse_answers,
    "sessions": _sessions_are_kept,
    "migrations": _warehouse_is_migrated,
    "roles": _roles_can_be_taken_on,
    "marts": _marts_pass_their_tests,
    "forgotten": _forgotten_people_are_known_again,
    "clock": _clocks_agree,
    "services": _services_live,
    "versions": _versions_are_the_locked_ones,
    "archive": _archive_takes_files,
    "archive_room": _archive_has_room,
    "archive_growth": _archive_will_have_room,
    "archive_private": _archive_is_private,
    "state_private": _state_folder_is_private,
    "host_key": _sftp_shows_its_key,
    "mail": _mail_server_answers,
}
"""Each check by its name: its answer is what it found; ``_Bad`` says what is amiss and what to do."""
