"""A backup put back in its place: an empty one, unless somebody says otherwise."""

import json
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from rollcall.archive.store import archived_districts
from rollcall.conform import deploy
from rollcall.migrations import migrate
from rollcall.names import named
from rollcall.private import make_folder, write_private
from rollcall.progress import tell
from rollcall.readers import READER, RESTRICTED_READER
from rollcall.recovery.copies import put_copies_back
from rollcall.recovery.differences import Difference
from rollcall.recovery.dumps import empty, load
from rollcall.recovery.manifest import (
    ACCOUNTS,
    AIRFLOW,
    ARCHIVE,
    DISTRICTS,
    INVENTORY,
    READERS,
    WAREHOUSE,
    BackupError,
    Manifest,
)
from rollcall.recovery.place import Place, place_here, texts_in, unpack
from rollcall.recovery.verify import verify
from rollcall.settings import settings
from rollcall.warehouse import Connection, connect, redacted, value, warehouse_url

OWNERS = ("rollcall_loader", "rollcall_dbt", "roster_owner")
"""Who owns what in the warehouse, besides its own login."""


def restore(folder: Path, *, replace: bool = False) -> list[Difference]:
    """Put a backup back, bring it to this version, and verify it.

    Killed, it is begun again with ``replace``.

    Args:
        folder: What `rollcall.recovery.backup.back_up` wrote.
        replace: Whether what is here may be removed.

    Returns:
        What does not agree: nothing, if the backup was whole.

    Raises:
        BackupError: it is no whole backup, is of another kind of stack, or something is here already.
        StackError: the local stack does not start.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    place, manifest = place_here(), Manifest.read(folder)
    if manifest.stack != place.stack:
        raise BackupError(f"{folder} is a backup of a {manifest.stack} stack, and this is a {place.stack} one.")
    tell("the backup's hashes")
    manifest.check(folder)
    place.require_quiet()
    districts = unpack(folder / DISTRICTS)
    if not replace:
        _require_empty(place, manifest, districts)
    make_folder(settings().districts_dir)
    for name, text in districts.items():
        write_private(settings().districts_dir / name, text)
    place.take_accounts(unpack(folder / ACCOUNTS))
    if not replace:
        _require_unused(place)
    _restore_databases(place, folder)
    if manifest.with_archive:
        put_copies_back(folder / INVENTORY, folder / ARCHIVE, _documents_known())
    return verify()


def _restore_databases(place: Place, folder: Path) -> None:
    """Warehouse, readers' logins and Airflow's database."""
    tell("warehouse")
    empty(warehouse_url())
    migrate()  # makes the roles that the dump speaks of
    empty(warehouse_url())
    _make_readers(json.loads((folder / READERS).read_bytes()))
    load(warehouse_url(), folder / WAREHOUSE, OWNERS)
    tell("Airflow's database")
    empty(place.airflow_url())
    load(place.airflow_url(), folder / AIRFLOW)
    deploy()


def _require_empty(place: Place, manifest: Manifest, districts: Mapping[str, str]) -> None:
    """See, before anything is touched, that there is nothing to lose.

    Raises:
        BackupError: there is.
    """
    if place.has_accounts():
        raise BackupError("There are SFTP accounts here already. To give up what is here, say --replace.")
    if manifest.with_archive and archived_districts(settings().archive_root):
        raise BackupError("The archive holds files already. To have the backup's beside them, say --replace.")
    others = sorted(name for name, text in texts_in(settings().districts_dir).items() if districts.get(name) != text)
    if others:
        raise BackupError(
            f"{settings().districts_dir} holds other files: {named(others)}. To replace them, say --replace."
        )


def _require_unused(place: Place) -> None:
    """See that the databases hold nothing that somebody could miss.

    Raises:
        BackupError: they do.
    """
    if _has_rows(warehouse_url(), "rollcall.delivery") or _has_rows(place.airflow_url(), "public.dag_run"):
        raise BackupError("The databases are in use already. To give up what is in them, say --replace.")


def _has_rows(url: str, table: str) -> bool:
    with connect(url, role=None) as connection:
        return value(connection, "select to_regclass(%s)", [table]) is not None and bool(
            value(connection, sql.SQL("select exists (select from {})").format(sql.Identifier(*table.split("."))))
        )


def _documents_known() -> dict[tuple[str, str], int]:
    """The newest version of each document of decisions that the restored ledger knows."""
    with connect() as connection:
        rows = connection.execute("select district_id, name, version from rollcall.decision_entry").fetchall()
    return {(district_id, name): version for district_id, name, version in rows}


def _make_readers(known: list[dict[str, str | bool | None]]) -> None:
    """Make the readers' logins that are missing; one whose password the backup could not read gets none."""
    with connect(role=None) as connection:
        for reader in known:
            _make_reader(connection, str(reader["name"]), reader["password"], restricted=bool(reader["restricted"]))


def _make_reader(connection: Connection, name: str, verifier: str | bool | None, *, restricted: bool) -> None:
    if value(connection, "select exists (select from pg_roles where rolname = %s)", [name]):
        return
    statement = sql.SQL("create role {} login password {} in role {}").format(
        sql.Identifier(name), sql.Literal(verifier), sql.Identifier(RESTRICTED_READER if restricted else READER)
    )
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        raise redacted(error) from None
