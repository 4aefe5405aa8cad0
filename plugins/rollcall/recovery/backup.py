"""A backup of everything, in one folder: warehouse, Airflow's database, accounts, district files, archive."""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg

from rollcall import ledger, private
from rollcall.archive.decisions import write_decisions
from rollcall.progress import tell
from rollcall.readers import readers
from rollcall.recovery.copies import copy_archive
from rollcall.recovery.dumps import OF_WAREHOUSE, dump
from rollcall.recovery.manifest import (
    ACCOUNTS,
    AIRFLOW,
    ARCHIVE,
    DISTRICTS,
    INVENTORY,
    PARTS,
    READERS,
    WAREHOUSE,
    BackupError,
    Manifest,
    part_of,
)
from rollcall.recovery.place import Place, pack, place_here, texts_in
from rollcall.settings import settings
from rollcall.warehouse import connect, redacted, value, warehouse_url


def back_up(folder: Path, *, with_archive: bool = True) -> Manifest:
    """Write everything that a stack is made of into a folder; nights may go on meanwhile.

    The files hold students' data and passwords, and are for their owner alone.

    Args:
        folder: An empty folder, or one that is not there yet.
        with_archive: Whether the archive's files are copied; else only their inventory is.

    Returns:
        What the backup says of itself.

    Raises:
        BackupError: the folder is not empty, or a part cannot be written.
        ArchiveError: the archive takes nothing.
        WarehouseError: the warehouse cannot be reached.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty.")
    private.make_folder(folder)
    place, taken_at = place_here(), datetime.now(UTC)
    _write_down_decisions()
    # Databases first, archive last: what the ledger names was archived before, and stays where it is, for the archive
    # only grows. Airflow's database may be minutes younger than the warehouse: what a run did since, it finds undone
    # in the ledger when it is cleared, and does again.
    tell("warehouse")
    dump(warehouse_url(), folder / WAREHOUSE, *OF_WAREHOUSE)
    tell("Airflow's database")
    dump(place.airflow_url(), folder / AIRFLOW)
    tell("accounts")
    private.write_private(folder / READERS, json.dumps(_readers(place), indent=1))
    pack(folder / ACCOUNTS, place.accounts())
    pack(folder / DISTRICTS, texts_in(settings().districts_dir))
    copy_archive(folder / INVENTORY, folder / ARCHIVE if with_archive else None)
    manifest = Manifest(
        taken_at=taken_at,
        stack=place.stack,
        rollcall=version("rollcall"),
        **_versions(),
        with_archive=with_archive,
        parts={name: part_of(folder / name) for name in PARTS},
    )
    manifest.write(folder)
    return manifest


def _write_down_decisions() -> None:
    """So that the archive in the backup tells no less than the ledger."""
    with connect() as connection:
        district_ids = ledger.district_ids(connection)
    for district_id in district_ids:
        write_decisions(district_id)


def _readers(place: Place) -> list[dict[str, str | bool | None]]:
    """Every reader's login, with what its password is checked by where that can be read: by a superuser alone."""
    with connect(role=None) as connection:
        known = readers(connection)
    return [
        {"name": each.name, "restricted": each.restricted, "password": _verifiers(place).get(each.name)}
        for each in known
    ]


def _verifiers(place: Place) -> dict[str, str]:
    url = place.superuser_url()
    if url is None:
        return {}
    try:
        with psycopg.connect(url) as connection:
            return dict(
                connection.execute(
                    "select rolname, rolpassword from pg_authid where rolpassword is not null"
                ).fetchall()
            )
    except psycopg.Error as error:
        raise redacted(error) from None


def _versions() -> dict[str, str]:
    with connect(role=None) as connection:
        return {
            "migration": str(value(connection, "select version_num from migration")),
            "postgresql": str(value(connection, "show server_version")),
        }
