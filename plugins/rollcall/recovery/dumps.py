"""PostgreSQL's own programs at work on the warehouse and on Airflow's database."""

import asyncio
import os
import re
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from rollcall.recovery.manifest import BackupError
from rollcall.recovery.within_reach import server_of, within_reach
from rollcall.stack.programs import bin_dir
from rollcall.warehouse import redacted

OF_WAREHOUSE = ("--role=rollcall_backup", "--enable-row-security", "--no-unlogged-table-data")
"""The role reads every row, past the policies that are forced on the owner, too. What is unlogged are rows of
deliveries under way, which are landed again from the archive."""

_VARIABLES = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
}  # fmt: skip

_GRANT = re.compile(r"\d+; \d+ \d+ (DEFAULT )?ACL ")
"""A line of a dump's list that is about rights."""

_OWNED_SCHEMAS = """
    select nspname, nspowner::regrole::text from pg_namespace
    where nspname !~ '^pg_' and nspname not in ('information_schema', 'public') order by 1
"""


def dump(url: str, file: Path, *options: str) -> None:
    """Write a database into a file, in PostgreSQL's custom format.

    Args:
        url: The database's ``postgresql://`` URL.
        file: A file that is not there yet.
        options: Further ones of ``pg_dump``.

    Raises:
        BackupError: it did not work.
    """
    _run("pg_dump", url, "--format=custom", f"--file={file}", *options)


def load(url: str, file: Path, owners: Sequence[str] = ()) -> None:
    """Load such a file into an empty database.

    A superuser may give a table to whomever it belongs to; anybody else only to a role that may make tables in that
    schema. So these roles may, in every schema that is made here; then that right goes, and the dump's own grants come.

    Args:
        url: The database's ``postgresql://`` URL, as its owner.
        file: The file.
        owners: The roles that own something in it, besides the database's owner.

    Raises:
        BackupError: it did not work.
        WarehouseError: PostgreSQL refused.
    """
    into = (f"--dbname={conninfo_to_dict(url)['dbname']}", "--exit-on-error", str(file))
    _let_make_tables(url, owners)
    _run("pg_restore", url, "--no-acl", *into)
    _let_make_no_tables(url, owners)
    listed = _run("pg_restore", url, "--list", str(file)).splitlines()
    with NamedTemporaryFile("w", prefix="rollcall-grants-") as grants:
        grants.write("".join(f"{line}\n" for line in listed if _GRANT.match(line)))
        grants.flush()
        _run("pg_restore", url, f"--use-list={grants.name}", *into)


def _let_make_tables(url: str, owners: Sequence[str]) -> None:
    with _owner(url) as connection:
        for role in owners:
            statement = "alter default privileges grant usage, create on schemas to {}"
            connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def _let_make_no_tables(url: str, owners: Sequence[str]) -> None:
    with _owner(url) as connection:
        schemas = connection.execute(_OWNED_SCHEMAS).fetchall()
        for role in owners:
            statement = "alter default privileges revoke usage, create on schemas from {}"
            connection.execute(sql.SQL(statement).format(sql.Identifier(role)))
        for schema, owner in schemas:
            for role in set(owners) - {owner}:
                statement = "revoke all on schema {} from {}"
                connection.execute(sql.SQL(statement).format(sql.Identifier(schema), sql.Identifier(role)))


@contextmanager
def _owner(url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise redacted(error) from None


def empty(url: str) -> None:
    """Remove everything from a database that its owner can remove; the database itself stays, and so do roles.

    Args:
        url: The database's ``postgresql://`` URL, as its owner.

    Raises:
        WarehouseError: PostgreSQL refused.
    """
    with _owner(url) as connection:
        for schema, _ in connection.execute(_OWNED_SCHEMAS).fetchall():
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
        connection.execute("drop schema public cascade")
        connection.execute("create schema public authorization pg_database_owner")
        connection.execute("grant usage on schema public to public")


def _run(program: str, url: str, *options: str) -> str:
    """What a program prints, with a database's URL in its environment: a command line is for everybody to read."""
    return asyncio.run(_printed(program, url, options))


async def _printed(program: str, url: str, options: Sequence[str]) -> str:
    command = [str(bin_dir() / program), "--no-password", *options]
    async with within_reach(server_of(url)) as server:
        told = {_VARIABLES[name]: given for name, given in server.items() if name in _VARIABLES}
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **told}
        running = await asyncio.create_subprocess_exec(
            *command, env=environment, umask=0o077, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        said, wrong = (each.decode(errors="replace") for each in await running.communicate())
    if running.returncode != 0:
        raise BackupError(f"{program} failed ({running.returncode}): {_without_rows(wrong)}")
    return said


def _without_rows(told: str) -> str:
    """What a program says went wrong, but for the lines that quote a row or a statement (law 7)."""
    lines = [line for line in told.splitlines() if line.startswith(("pg_dump: error:", "pg_restore: error:"))]
    reasons = [line.partition("DETAIL:")[0].partition("CONTEXT:")[0].strip() for line in lines]
    return " ".join(reasons) or "no reason given"
