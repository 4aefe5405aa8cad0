"""Readers of the marts: their logins, and which districts each of them sees."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from rollcall.districts import district_files
from rollcall.settings import settings
from rollcall.warehouse import Connection, values
from rollcall.who import Person, person

READER: Final = "roster_reader"
RESTRICTED_READER: Final = "roster_restricted_reader"
NO_PERSON: Final = (READER, RESTRICTED_READER, "roster_exporter", "roster_restricted_exporter")
"""Roles that read the marts and are nobody's login."""
PLANS: Final = {
    # The planner knows nothing of how districts differ in size (law 6), and takes a large one for a small one: merging
    # by an index then looks cheap, and goes through the table in the index's order.
    "enable_mergejoin": "off",
    # An index of any size is read by several workers: the smallest, not the largest, is then the cheapest.
    "min_parallel_index_scan_size": "64kB",
    # A group is taken to be as wide as a whole row of the mart: at the default of 2, the classes and grades of a large
    # district were written to disk, although they fit.
    "hash_mem_multiplier": "4",
}
"""How readers' queries are planned."""


class ReaderError(Exception):
    """A reader cannot be made or changed like this; the message says why."""


@dataclass(frozen=True)
class Reader:
    """A role that reads the marts.

    Attributes:
        name: The role.
        restricted: Whether it reads demographics, too.
        all_districts: Whether it sees every district, those to come included.
        districts: The districts that it sees otherwise.
    """

    name: str
    restricted: bool
    all_districts: bool
    districts: tuple[str, ...]


def readers(connection: Connection) -> list[Reader]:
    """Everybody who is a member of a reader role, by name, and whoever else was granted a district."""
    rows = connection.execute(
        """
        select
            pg_roles.rolname,
            pg_has_role(pg_roles.oid, %s, 'usage'),
            coalesce(bool_or(granted.reader is not null and granted.district_id is null), false),
            coalesce(array_agg(granted.district_id order by granted.district_id)
                filter (where granted.district_id is not null), '{}')
        from pg_roles
        left join rollcall.reader_district as granted on pg_roles.rolname = granted.reader
        where
            not pg_roles.rolsuper
            and pg_roles.rolname <> all(%s)
            and (granted.reader is not null or pg_has_role(pg_roles.oid, %s, 'usage'))
        group by pg_roles.oid, pg_roles.rolname
        order by pg_roles.rolname
        """,
        (RESTRICTED_READER, list(NO_PERSON), READER),
    ).fetchall()
    return [Reader(name, restricted, every, tuple(districts)) for name, restricted, every, districts in rows]


def add_reader(connection: Connection, name: str, *, restricted: bool, by: Person, password: str | None = None) -> str:
    """Make a login that reads the marts, of no district yet.

    Args:
        connection: A transaction of a login that may create roles.
        name: The login.
        restricted: Whether it reads demographics, too.
        by: Who makes it, for the record.
        password: Its password; a random one when not given.

    Returns:
        Its password, which is kept nowhere: the server gets only what a password can be checked by.

    Raises:
        ReaderError: there is such a role already.
    """
    if _exists(connection, name):
        raise ReaderError(f"There is a role {name!r} already. Choose another name, or grant it districts.")
    chosen = password or secrets.token_urlsafe(18)
    connection.execute(
        sql.SQL("create role {} login password {} in role {}").format(
            sql.Identifier(name),
            _scrambled(connection, name, chosen),
            sql.Identifier(RESTRICTED_READER if restricted else READER),
        )
    )
    _limit(connection, name)
    _record(connection, name, "added", [None], by)
    return chosen


def limit_readers(connection: Connection) -> list[str]:
    """Give every reader's login the settings' limits, and `PLANS`: sessions begin with them, and may set their own.

    Args:
        connection: A transaction of a login that may create roles.

    Returns:
        The readers that were left alone, because another login made them.
    """
    left_alone = []
    for reader in readers(connection):
        try:
            with connection.transaction():
                _limit(connection, reader.name)
        except psycopg.errors.InsufficientPrivilege:
            left_alone.append(reader.name)
    return left_alone


def _limit(connection: Connection, name: str) -> None:
    """One idle transaction stops a deploy, and one endless query keeps what was removed from being cleared away."""
    limits = {
        "statement_timeout": f"{settings().reader_statement_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{settings().reader_idle_in_transaction_seconds}s",
        "lock_timeout": f"{settings().reader_lock_timeout_seconds}s",
    }
    for parameter, value in (limits | PLANS).items():
        connection.execute(
            sql.SQL("alter role {} set {} = {}").format(
                sql.Identifier(name), sql.Identifier(parameter), sql.Literal(value)
            )
        )


def ensure_reader(connection: Connection, name: str, password: str) -> None:
    """Make a reader of every district, or give the one that is there this password; what it sees stays as it is.

    Args:
        connection: A transaction of a login that owns the ledger and may create roles.
        name: The login.
        password: Its password.
    """
    if _exists(connection, name):
        scrambled = _scrambled(connection, name, password)
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(name), scrambled))
        _limit(connection, name)
        return
    by = person("rollcall up")
    add_reader(connection, name, restricted=False, password=password, by=by)
    grant(connection, name, None, by=by)


def _scrambled(connection: Connection, name: str, password: str) -> str:
    """All that the server gets of a password: what it can be checked by."""
    return connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()


def grant(connection: Connection, name: str, districts: Sequence[str] | None, *, by: Person) -> None:
    """Let a reader see districts.

    Args:
        connection: A transaction of a login that owns the ledger.
        name: The reader, or a role that readers are members of.
        districts: The districts; None for every district, those to come included.
        by: Who grants it, for the record.

    Raises:
        ReaderError: there is no such role or district.
    """
    _must_exist(connection, name)
    for district_id in _known(connection, districts):
        connection.execute(
            "insert into rollcall.reader_district (reader, district_id, granted_by, login) values (%s, %s, %s, %s)"
            " on conflict do nothing",
            (name, district_id, by.name, by.login),
        )
    _record(connection, name, "granted", districts or [None], by)


def revoke(connection: Connection, name: str, districts: Sequence[str] | None, *, by: Person) -> None:
    """Take districts from a reader; whoever is logged in does not see them from the next statement on.

    Args:
        connection: A transaction of a login that owns the ledger.
        name: The reader.
        districts: The districts; None for all that was ever granted.
        by: Who revokes it, for the record.

    Raises:
        ReaderError: the reader does not have one of the districts, or has it because it sees every district.
    """
    _record(connection, name, "revoked", districts or [None], by)
    if districts is None:
        connection.execute("delete from rollcall.reader_district where reader = %s", (name,))
        return
    for district_id in districts:
        gone = connection.execute(
            "delete from rollcall.reader_district where reader = %s and district_id = %s", (name, district_id)
        )
        if not gone.rowcount:
            raise ReaderError(
                f"{name} was not granted {district_id}. See `rollcall readers list`; of a reader of every district,"
                " revoke --all-districts and grant those that remain."
            )


def remove_reader(connection: Connection, name: str, *, by: Person) -> None:
    """Take everything from a reader, and remove the login.

    Args:
        connection: A transaction of a login that owns the ledger and may drop the role.
        name: The reader.
        by: Who removes it, for the record.

    Raises:
        ReaderError: there is no such reader, or something belongs to it.
    """
    if name not in {reader.name for reader in readers(connection)}:
        raise ReaderError(f"There is no reader {name!r}. `rollcall readers list` names them.")
    revoke(connection, name, None, by=by)
    _record(connection, name, "removed", [None], by)
    try:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    except psycopg.errors.DependentObjectsStillExist:
        raise ReaderError(f"{name} owns something in a database: drop it first, then remove the reader.") from None


def _record(connection: Connection, name: str, action: str, districts: Sequence[str | None], by: Person) -> None:
    """What was done stays on record when what it did is undone."""
    for district_id in districts:
        connection.execute(
            "insert into rollcall.reader_event (reader, district_id, action, by_whom, login)"
            " values (%s, %s, %s, %s, %s)",
            (name, district_id, action, by.name, by.login),
        )


def _exists(connection: Connection, name: str) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", (name,)).fetchone() is not None


def _must_exist(connection: Connection, name: str) -> None:
    if not _exists(connection, name):
        raise ReaderError(f"There is no role {name!r}. Make it with `rollcall readers add {name}`.")


def _known(connection: Connection, districts: Sequence[str] | None) -> Sequence[str | None]:
    """The districts, each of which has a file or ran once."""
    if districts is None:
        return [None]
    ran = set(values(connection, "select district_id from rollcall.district"))
    to_come = {path.stem for path in district_files(settings().districts_dir)}
    unknown = sorted(set(districts) - ran - to_come)
    if unknown:
        raise ReaderError(f"There is no district {', '.join(unknown)}. `rollcall districts list` names them.")
    return districts
