"""The embedded PostgreSQL of the local stack, without Airflow."""

import json
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from rollcall import private, stack
from rollcall.stack import StackError, StackState, processes

SECRET = "Jordan Wexler-Ashby 2011-04-05"


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # Deeper than a socket's path may be: people keep projects in deep folders.
    deep = tmp_path_factory.mktemp("postgres") / "/".join(["a-folder-with-a-long-name"] * 4) / "with space"
    (deep / "districts").mkdir(parents=True)
    yield deep
    stack.down(deep)


def bring_up(state_dir: Path) -> StackState:
    return stack.up(state_dir, districts_dir=state_dir / "districts", with_airflow=False)


@pytest.fixture
def state(state_dir: Path) -> StackState:
    return bring_up(state_dir)


def pids(state_dir: Path) -> dict[str, int | None]:
    return {service.name: service.pid for service in stack.status(state_dir) if service.state == "alive"}


def test_up_twice_changes_nothing(state: StackState, state_dir: Path) -> None:
    before = pids(state_dir)
    assert set(before) == {"postgres", "sftp"}
    assert bring_up(state_dir) == state
    assert pids(state_dir) == before


def test_two_ups_at_the_same_moment(state: StackState, state_dir: Path) -> None:
    threads = [threading.Thread(target=bring_up, args=[state_dir]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    postmasters = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "postgres" and str(state_dir / "postgres") in (process.info["cmdline"] or [])
    ]
    assert len(postmasters) == 1


def open_to_others(state_dir: Path) -> list[str]:
    """What others than its owner may do something with; but for PostgreSQL's own user, who passes through the folder.

    PostgreSQL looks after its data folder itself, and starts with no other modes than its own.
    """
    passing = stat.S_IXGRP if os.geteuid() == 0 else 0
    paths = private.everything_in(state_dir, but=[state_dir / "postgres", state_dir / "districts"])
    found = [path for path in paths if private.is_open_to_others(path)]
    return [str(path) for path in found] + (["."] if private.is_open_to_others(state_dir, passing) else [])


def test_law_7_the_state_folder_is_its_owners_alone_also_one_of_an_earlier_version(
    state: StackState, state_dir: Path
) -> None:
    assert open_to_others(state_dir) == []
    paths = list(private.everything_in(state_dir, but=[state_dir / "postgres"]))
    for path in (state_dir, *paths):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = os.umask(0)
    try:
        bring_up(state_dir)
        stack.restart("sftp", state_dir)
        stack.restart("postgres", state_dir)
    finally:
        os.umask(before)
    assert open_to_others(state_dir) == []
    with psycopg.connect(state.warehouse_url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_law_7_what_a_service_writes_is_its_owners_alone(state: StackState, tmp_path: Path) -> None:
    """Airflow and dbt write files, too, and not by our means."""
    probe = processes.Service(
        name="probe",
        argv=["sh", "-c", "echo x > written"],
        env={"PATH": os.defpath},
        cwd=tmp_path,
        log=tmp_path / "log",
    )
    before = os.umask(0)
    try:
        record = processes.start(probe, tmp_path)
        processes.wait_until(lambda: (tmp_path / "written").exists(), record, 30, "done")
    finally:
        os.umask(before)
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("written", "log")} == {
        "written": 0o600,
        "log": 0o600,
    }


def test_roles_and_databases(state: StackState) -> None:
    with psycopg.connect(state.warehouse_url) as connection:
        row = connection.execute(
            "select rolsuper, rolcreaterole, pg_get_userbyid(d.datdba), current_setting('fsync')"
            " from pg_roles r, pg_database d where r.rolname = current_user and d.datname = current_database()"
        ).fetchone()
    assert row == (False, True, "rollcall", "on")
    with psycopg.connect(state.airflow_db_url) as connection:
        assert connection.execute("select current_user::text, current_database()::text").fetchone() == (
            "airflow",
            "airflow",
        )


@pytest.mark.parametrize("role", ["rollcall", "airflow", "postgres"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_no_role_gets_in_without_its_password(state: StackState, role: str, password: str) -> None:
    url = f"postgresql://{role}:{password}@127.0.0.1:{state.postgres_port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url, connect_timeout=5)


def test_passwords_are_kept_as_scram_and_nothing_else_is_listened_to(state: StackState) -> None:
    with psycopg.connect(state.superuser_url) as connection:
        stored = connection.execute("select rolpassword from pg_authid where rolpassword is not null").fetchall()
        methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
        listening = connection.execute(
            "select current_setting('listen_addresses'), current_setting('unix_socket_directories')"
        ).fetchone()
    assert len(stored) == 3
    assert all(row[0].startswith("SCRAM-SHA-256$") for row in stored)
    assert methods == [("scram-sha-256",)]
    assert listening == ("127.0.0.1", "")


def test_law_7_failed_statements_leave_no_value_in_the_log(state: StackState) -> None:
    statements = [
        f"select '{SECRET}'::date",
        f"select '{SECRET}' from no_such_table",
        f"do $$ begin raise warning '%', '{SECRET}'; raise exception '%', '{SECRET}'; end $$",
        "select 1/0",
    ]
    with psycopg.connect(state.warehouse_url, autocommit=True) as connection:
        connection.execute("create temp table student (id int primary key, name text, born date)")
        connection.execute("insert into student values (1, %s, '2011-04-05')", [SECRET])
        for statement in [*statements, f"insert into student values (1, '{SECRET}', null)"]:
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
        with pytest.raises(psycopg.Error, match="Wexler"), connection.cursor().copy("copy student from stdin") as copy:
            copy.write(f"2\tx\t{SECRET}\n".encode())
    assert "Wexler" not in (state.logs_dir / "postgres.log").read_text()


def test_kill_9_then_up_recovers_what_was_committed(state: StackState, state_dir: Path) -> None:
    connection = psycopg.connect(state.warehouse_url, autocommit=True)
    connection.execute("create table if not exists kept (n int)")
    connection.execute("insert into kept values (42)")
    connection.execute("begin; insert into kept values (43)")
    assert stack.kill("postgres", state_dir)
    assert {s.name: s.state for s in stack.status(state_dir)}["postgres"] == "dead"
    again = bring_up(state_dir)
    connection.close()
    assert again.warehouse_url == state.warehouse_url
    with psycopg.connect(again.warehouse_url) as connection:
        assert connection.execute("select n from kept").fetchall() == [(42,)]


def test_a_pid_that_now_belongs_to_another_process_is_not_mistaken(state: StackState, state_dir: Path) -> None:
    """As after a reboot: the recorded pids, PostgreSQL's own lock file included, are in use by something else."""
    stack.kill("postgres", state_dir)
    stack.kill("sftp", state_dir)
    impostor = psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    for name in ("postgres", "sftp"):
        path = state.run_dir / f"{name}.json"
        record = json.loads(path.read_text())
        record.update(pid=impostor.pid, create_time=record["create_time"] - 3600)
        path.write_text(json.dumps(record))
    lock = state_dir / "postgres" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(impostor.pid), *lines[1:]]) + "\n")

    assert {s.state for s in stack.status(state_dir) if s.name in ("postgres", "sftp")} == {"dead"}
    bring_up(state_dir)
    with psycopg.connect(state.warehouse_url) as connection:
        connection.execute("select 1")
    assert impostor.poll() is None
    impostor.kill()
    impostor.wait()


def test_lost_state_file_gets_new_passwords_for_the_same_data(state: StackState, state_dir: Path) -> None:
    with psycopg.connect(state.warehouse_url, autocommit=True) as connection:
        connection.execute("create table if not exists survivor ()")
    stack.down(state_dir)
    (state_dir / "stack.json").unlink()
    fresh = bring_up(state_dir)
    assert fresh.warehouse_password != state.warehouse_password
    with psycopg.connect(fresh.warehouse_url) as connection:
        assert connection.execute("select to_regclass('survivor') is not null").fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(state.warehouse_url.replace(str(state.postgres_port), str(fresh.postgres_port)))


def test_passwords_are_for_the_owner_only_and_not_shown(state: StackState, state_dir: Path) -> None:
    for name in ("stack.json", "sftp_accounts.json", "sftp_host_key"):
        assert stat.S_IMODE((state_dir / name).stat().st_mode) == 0o600
    secrets = [state.warehouse_password, state.postgres_password, state.airflow_password, state.fernet_key]
    assert not [secret for secret in secrets if secret in repr(state)]
    for name in ("postgres", "sftp"):
        process = processes.running(state.run_dir, name)
        assert process is not None
        assert not [secret for secret in secrets if secret in " ".join(process.cmdline())]


def test_after_postgres_is_called_and_its_failure_is_raised(state: StackState, state_dir: Path) -> None:
    def fail(_: StackState) -> None:
        raise ValueError("the migration failed")

    with pytest.raises(ValueError, match="the migration failed"):
        stack.up(state_dir, districts_dir=state_dir / "districts", with_airflow=False, after_postgres=fail)


def test_a_service_that_does_not_come_up_is_named_with_its_log(state: StackState, state_dir: Path) -> None:
    stack.down(state_dir)
    (state_dir / "postgres" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    try:
        with pytest.raises(StackError, match=r"(?s)postgres stopped.*postgres\.log.*no_such_setting"):
            bring_up(state_dir)
    finally:
        (state_dir / "postgres" / "postgresql.auto.conf").write_text("")
    bring_up(state_dir)


def test_down_stops_everything_and_may_be_repeated(state: StackState, state_dir: Path) -> None:
    was = pids(state_dir)
    stack.down(state_dir)
    assert not [pid for pid in was.values() if pid and psutil.pid_exists(pid)]
    assert {service.state for service in stack.status(state_dir)} == {"stopped"}
    stack.down(state_dir)


def test_down_where_no_stack_was_ever_started(tmp_path: Path) -> None:
    said: list[str] = []
    stack.down(tmp_path, progress=said.append)
    assert said == ["No stack was ever started here."]
    assert list(tmp_path.iterdir()) == []


def test_a_state_file_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{}")
    with pytest.raises(StackError, match="remove the file"):
        StackState.load(tmp_path)


def test_unknown_services_are_refused(state_dir: Path) -> None:
    with pytest.raises(StackError, match="there are postgres, sftp"):
        stack.kill("web", state_dir)


def test_readers_of_the_warehouse_do_not_get_into_airflows_database(state: StackState) -> None:
    """Nor does any other login but its own: the right is everybody's until it is taken away."""
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(state.warehouse_url, dbname="airflow")
