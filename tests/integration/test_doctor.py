"""``rollcall doctor``: on a real warehouse and a real archive, well and ill."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.deliveries import execute
from typer.testing import CliRunner

from rollcall import doctor
from rollcall.archive.store import Archive
from rollcall.cli import app
from rollcall.settings import working_on


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path) -> Iterator[Path]:
    with working_on(state_dir=tmp_path / "state", archive_keep_free_mib=0):
        Archive.of("maple").write_index("receipts/x.html", "x")
        yield tmp_path / "state"


def bad() -> dict[str, dict[str, Any]]:
    """The findings that are not well, by check; the exit code agrees with them."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    findings = {finding["check"]: finding for finding in json.loads(result.stdout)}
    assert list(findings) == list(doctor.CHECKS)
    found = {name: finding for name, finding in findings.items() if not finding["ok"]}
    assert result.exit_code == (1 if found else 0)
    assert all(finding["what"] for finding in findings.values())
    return found


def everything(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}


def test_all_is_well_and_nothing_is_changed(world: Path) -> None:
    before = everything(world)
    assert bad() == {}
    assert everything(world) == before
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "BAD" not in result.stdout


@pytest.mark.parametrize("name", ["archive/maple/receipts/x.html", "archive/maple", "archive"])
@pytest.mark.parametrize("right", [stat.S_IROTH, stat.S_IRGRP, stat.S_IXOTH, stat.S_IWGRP])
def test_law_7_an_archive_that_others_get_at_is_told_and_left_as_it_is(world: Path, name: str, right: int) -> None:
    path = world / name
    path.chmod(path.stat().st_mode | right)
    before = everything(world)
    found = bad()
    assert set(found) == {"archive_private", "state_private"}
    assert found["archive_private"]["what"] == f"Others may get at {path}."
    assert "chmod" in found["archive_private"]["to_do"]
    assert everything(world) == before


def test_postgresqls_own_folder_and_its_way_there_are_not_open(world: Path) -> None:
    (world / "postgres").mkdir(0o700)
    (world / "postgres" / "PG_VERSION").touch(0o640)
    world.chmod(0o710)
    assert bad() == {}
    world.chmod(0o711)
    assert set(bad()) == {"state_private"}


def test_a_full_disk_is_told() -> None:
    with working_on(archive_keep_free_mib=2**40):
        assert bad()["archive_room"]["to_do"] == "Make room, or move the archive."


def test_an_archive_that_takes_no_files_is_told(world: Path) -> None:
    (world / "file").touch(0o600)
    with working_on(archive_url=(world / "file").as_uri()):
        assert set(bad()) == {"archive"}


def test_a_warehouse_that_is_away_is_told_once() -> None:
    with working_on(warehouse="postgresql://rollcall:secret@127.0.0.1:1/warehouse"):
        found = bad()
        assert set(found) == {"warehouse", "migrations", "roles", "marts"}
        assert "cannot be reached" in found["warehouse"]["what"]
        assert "secret" not in json.dumps(found)
        assert found["roles"]["what"] == "Not looked at: the warehouse does not answer."


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update public.migration set version_num = '0001'", "at migration 0001"),
        ("delete from public.migration", "never deployed"),
        ("drop table public.migration", "never deployed"),
    ],
)
def test_a_warehouse_of_another_version_is_told(warehouse_url: str, statement: str, what: str) -> None:
    execute(warehouse_url, statement)
    found = bad()
    assert set(found) == {"migrations"}
    assert what in found["migrations"]["what"]
    assert "rollcall deploy" in found["migrations"]["to_do"]


def test_a_login_that_may_not_act_as_the_loader_is_told(warehouse_url: str) -> None:
    execute(warehouse_url, "create role stranger login")
    try:
        execute(warehouse_url, "grant select on public.migration to stranger")
        with working_on(warehouse=warehouse_url.replace("postgres:@", "stranger:@", 1)):
            found = bad()
    finally:
        execute(warehouse_url, "drop owned by stranger; drop role stranger")
    assert set(found) == {"roles", "marts"}
    assert "may not take on the role rollcall_loader" in found["roles"]["what"]


def test_the_umask_of_whoever_asks_does_not_matter() -> None:
    before = os.umask(0)
    try:
        assert bad() == {}
    finally:
        os.umask(before)
