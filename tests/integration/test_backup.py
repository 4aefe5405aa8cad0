"""The warehouse, dumped by a login that may read and no more, and restored: nothing is missing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from helpers.deliveries import accept, execute, query, reland_nothing
from helpers.marts import marts_of
from helpers.postgres import Postgres
from helpers.schools import school_district
from psycopg.conninfo import make_conninfo

from rollcall.conform import conform, deploy
from rollcall.recovery.dumps import OF_WAREHOUSE
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack.programs import bin_dir

RESTORED = "rollcall_restored"
AS_DOCUMENTED = (*OF_WAREHOUSE, "--format=custom")
TABLES = """
    select pg_class.oid::regclass::text from pg_class
    where relkind = 'r' and relpersistence = 'p' and relnamespace >= 16384 or oid = to_regclass('public.migration')
    order by 1
"""
SEQUENCES = """
    select schemaname || '.' || sequencename, last_value from pg_sequences
    where schemaname not like 'pg_%%' order by 1
"""


@pytest.fixture
def published_url(warehouse_url: str) -> Iterator[str]:
    """Two districts that have published twice, one delivery that waits; and a login for backups."""
    for sequence in (1, 2):
        for district in ("hill", "lake"):
            accept(warehouse_url, district, sequence, school_district())
        conform(reland=reland_nothing)
    accept(warehouse_url, "hill", 3, school_district())
    execute(warehouse_url, "create role backups login in role rollcall_backup")
    yield warehouse_url
    execute(warehouse_url, "drop role backups")


def dump(url: str, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pg_dump as the login for backups."""
    command = [
        str(bin_dir() / "pg_dump"),
        "--dbname",
        make_conninfo(url, user="backups"),
        "--file",
        str(file),
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every logged table, and where every sequence stands."""
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(TABLES).fetchall()]
        rows = {
            name: connection.execute(f"select row_of::text from {name} as row_of order by 1").fetchall()
            for name in tables
        }
        return rows | {"sequences": connection.execute(SEQUENCES).fetchall()}


def test_what_is_dumped_and_restored_is_the_whole_warehouse(
    published_url: str, postgres: Postgres, tmp_path: Path
) -> None:
    before = everything(published_url)
    dumped = dump(published_url, tmp_path / "warehouse.dump", *AS_DOCUMENTED)
    assert dumped.returncode == 0, dumped.stderr
    restored_url = postgres.create(RESTORED)
    try:
        pg_restore = [str(bin_dir() / "pg_restore"), "--dbname", restored_url, "--exit-on-error"]
        subprocess.run([*pg_restore, str(tmp_path / "warehouse.dump")], check=True)
        assert len(before["history.hist_users"]) == 32
        assert everything(restored_url) == before
        for district in ("hill", "lake"):
            assert marts_of(restored_url, district) == marts_of(published_url, district)
        with working_on(warehouse=restored_url):
            deploy()
        landed = query(restored_url, "select count(*) from delivery_5.users")
        assert landed == [(0,)], "unlogged: landed again from the archive"
        secured = "select count(*) from pg_class where relnamespace = 'history'::regnamespace and relforcerowsecurity"
        assert query(restored_url, secured) == [(10,)]
        assert everything(restored_url) == before
    finally:
        postgres.drop(RESTORED)


def test_the_role_for_backups_writes_nothing_and_no_reader_takes_it_on(published_url: str, tmp_path: Path) -> None:
    own = make_conninfo(published_url, user="backups")
    for statement in (
        "delete from history.hist_users",
        "update rollcall.publication set sequence = 1",
        "insert into rollcall.reader_district (reader, granted_by) values ('backups', 'me')",
        "create table rollcall.mine (n int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(own, statement)
    refused = dump(published_url, tmp_path / "none.dump", "--format", "custom")
    assert refused.returncode != 0, "pg_dump switches row-level security off, unless it is told not to"
    assert "row-level security" in refused.stderr
    assert query(published_url, "select pg_has_role('roster_reader', 'rollcall_backup', 'member')") == [(False,)]


def test_the_page_says_what_the_test_does() -> None:
    page = (PROJECT_ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (command,) = (line for line in page.splitlines() if line.startswith("pg_dump "))
    assert " ".join(AS_DOCUMENTED) in command
