"""``rollcall doctor``: on a real warehouse and a real archive, well and ill."""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import asyncssh
import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from helpers.deliveries import accept, execute
from helpers.inbox import district, sftp_server
from typer.testing import CliRunner

from rollcall import doctor
from rollcall.archive.store import Archive
from rollcall.cli import app
from rollcall.forgotten import ForgetKey
from rollcall.ledger import record_district
from rollcall.settings import PROJECT_ROOT, settings, working_on
from rollcall.stack import StackState
from rollcall.stack.processes import free_port
from rollcall.warehouse import connect


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


def test_an_archive_that_will_be_full_soon_is_told(warehouse_url: str, world: Path) -> None:
    number = accept(warehouse_url, "maple", 1, {"users": []})
    free = shutil.disk_usage(world).free
    execute(warehouse_url, "update rollcall.delivery set arrived_at = now() - interval '10 days'")
    for days, expected in ((7, {"archive_growth"}), (30, set())):
        execute(
            warehouse_url,
            "update rollcall.delivery_file set archive_path = 'x', size_bytes = %s where delivery_id = %s",
            free * 10 // days,
            number,
        )
        assert set(bad()) == expected
    with working_on(archive_keep_free_mib=free / 2**20 * 0.6):
        assert "there is room for 12 days" in bad()["archive_growth"]["what"], "what has to stay free is no room"


def test_a_warehouse_whose_clock_is_wrong_is_told(warehouse_url: str) -> None:
    """Its clock cannot be turned here; a function in front of PostgreSQL's own can."""
    execute(
        warehouse_url,
        "create schema wrong; create function wrong.clock_timestamp() returns timestamptz"
        " return pg_catalog.clock_timestamp() - interval '90 seconds'; grant usage on schema wrong to public;"
        " do $$ begin execute format('alter database %%I set search_path = wrong, pg_catalog', current_database());"
        " end $$",
    )
    found = bad()
    assert set(found) == {"clock"}
    assert re.fullmatch(r"The warehouse's clock is (89|9\d) seconds behind this one\.", found["clock"]["what"])


def test_packages_that_are_not_the_locked_ones_are_told(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("# a lock\nrich==0.1\nno-such-package==1.0\ntyper==0.1 ; python_version < '3'\n")
    with working_on(home=tmp_path):
        found = bad()
    assert set(found) == {"versions"}
    assert "rich is ==" in found["versions"]["what"]
    assert "no-such-package is missing, not ==1.0" in found["versions"]["what"]
    assert "typer" not in found["versions"]["what"]


def test_a_server_with_another_host_key_is_told_and_one_that_is_away(world: Path) -> None:
    state = StackState(state_dir=world, home=PROJECT_ROOT, districts_dir=settings().districts_dir.resolve())
    with sftp_server(world.parent / "sftp", "maple") as server:
        known = {"sftp_host": "127.0.0.1", "sftp_port": server.port, "sftp_host_key": server.host_key}
        state.model_copy(update=known).save()
        assert set(bad()) == {"services"}, "Airflow was never started here"
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        state.model_copy(update=known | {"sftp_host_key": other}).save()
        found = bad()
        assert set(found) == {"host_key", "services"}
        assert "shows another host key" in found["host_key"]["what"]
    assert "does not answer (ConnectionRefusedError)" in bad()["host_key"]["what"]


def test_an_airflow_that_is_away_is_told() -> None:
    with working_on(airflow_url=f"http://127.0.0.1:{free_port(0)}"):
        found = bad()
    assert set(found) == {"services"}
    assert found["services"]["what"].startswith("api-server: Airflow at http://127.0.0.1:")


def test_a_mail_server_that_is_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    server = Controller(Sink(), hostname="127.0.0.1", port=free_port(0))
    where = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.port, "extra": {"disable_ssl": True}}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(where))
    with working_on(operators_email="ops@example.org"):
        server.start()
        assert bad() == {}
        server.stop()
        found = bad()
        assert set(found) == {"mail"}
        assert "does not answer (ConnectionRefusedError)" in found["mail"]["what"]
        assert "ops@example.org" not in json.dumps(found)
        monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
        assert "there is no connection smtp_default" in bad()["mail"]["what"]


def test_an_archive_that_takes_no_files_is_told(world: Path) -> None:
    (world / "file").touch(0o600)
    with working_on(archive_url=(world / "file").as_uri()):
        assert set(bad()) == {"archive"}


def test_a_warehouse_that_is_away_is_told_once() -> None:
    with working_on(warehouse="postgresql://rollcall:secret@127.0.0.1:1/warehouse"):
        found = bad()
        assert set(found) == {"warehouse", *doctor.NEED_THE_WAREHOUSE}
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


def test_a_pool_that_lends_one_session_to_two_is_told(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(role=None, autocommit=True) as lent:
        monkeypatch.setattr(doctor.warehouse, "connect", lambda **_: nullcontext(lent))
        found = bad()
    assert "transaction mode" in found["sessions"]["what"]


def test_a_login_that_may_not_act_as_the_loader_is_told(warehouse_url: str) -> None:
    execute(warehouse_url, "create role stranger login")
    try:
        execute(warehouse_url, "grant select on public.migration to stranger")
        with working_on(warehouse=warehouse_url.replace("postgres:@", "stranger:@", 1)):
            found = bad()
    finally:
        execute(warehouse_url, "drop owned by stranger; drop role stranger")
    assert set(found) == {"roles", "marts", "forgotten", "archive_growth"}
    assert "may not take on the role rollcall_loader" in found["roles"]["what"]


def test_the_umask_of_whoever_asks_does_not_matter() -> None:
    before = os.umask(0)
    try:
        assert bad() == {}
    finally:
        os.umask(before)


def test_who_was_forgotten_is_known_again_only_by_the_key_of_then(warehouse_url: str) -> None:
    with psycopg.connect(warehouse_url) as connection:
        record_district(connection, district())
    key = ForgetKey(b"of then")
    execute(
        warehouse_url,
        "insert into rollcall.forgetting (district_id, kind, id_hashes, key_mark, forgotten_by, login, why)"
        " values ('maple', 'student', array['x'], %s, 'Ada', 'ada', 'asked')",
        key.mark,
    )
    with working_on(forget_key="another"):
        assert "maple name people who were forgotten" in bad()["forgotten"]["what"]
    with working_on(forget_key="of then"):
        assert "was interrupted in maple" in bad()["forgotten"]["what"]
        execute(warehouse_url, "update rollcall.forgetting set finished_at = now()")
        assert "forgotten" not in bad()
    with working_on(forget_key="another"):
        execute(warehouse_url, "update rollcall.forgetting set key_mark = 'lost'")
        assert "forgotten" not in bad()
