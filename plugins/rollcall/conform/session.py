"""One conform at a time: the session that holds the lock, and the clearing up after a dead predecessor."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rollcall.conform.ledger import abandon_running_builds
from rollcall.log import get_logger
from rollcall.warehouse import Connection, connect, value

log = get_logger(__name__)

CONFORM_LOCK = 7_236_002
DBT_APPLICATION = "rollcall-dbt"
LOOK_AGAIN_SECONDS = 0.5
BACKENDS_END_WITHIN_SECONDS = 60

NOTICE_A_LOST_CLIENT = "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"


@contextmanager
def conforming() -> Iterator[Connection]:
    """The one session that may build and publish; waits while another live one does.

    Whatever a predecessor left when it died is cleared up first: its backends ended, its half-written sequences
    undone, its build marked abandoned. All writing to the ledger goes through this session, so that a process that
    lost the lock cannot publish.

    Raises:
        WarehouseError: the warehouse cannot be reached or went away.
    """
    with connect(role="rollcall_dbt", autocommit=True) as session:
        session.execute("set application_name = 'rollcall-conform'")
        session.execute(NOTICE_A_LOST_CLIENT)
        _take_lock(session)
        _end_orphaned_backends(session)
        for build_id in abandon_running_builds(session):
            log.warning("Build %s had died; what it had half written is undone.", build_id)
        yield session


def _take_lock(session: Connection) -> None:
    """Take the advisory lock, which PostgreSQL frees when the session ends, however it ends."""
    waiting = False
    while not _try_lock(session):
        if not waiting:
            log.info("Another conform is at work; waiting for it.")
        waiting = True
        time.sleep(LOOK_AGAIN_SECONDS)


def _try_lock(session: Connection) -> bool:
    return bool(value(session, "select pg_try_advisory_lock(%s)", [CONFORM_LOCK]))


def _end_orphaned_backends(session: Connection) -> None:
    """End dbt backends that outlived their process: we hold the lock, so none belongs to a live conform.

    Raises:
        TimeoutError: one did not end.
    """
    deadline = time.monotonic() + BACKENDS_END_WITHIN_SECONDS
    session.execute("set role none")  # backends are the login's: the role may neither see nor end them
    while _terminate(session):
        if time.monotonic() > deadline:
            raise TimeoutError("A dead conform's backend does not end; see pg_stat_activity for 'rollcall-dbt'.")
        time.sleep(0.05)
    session.execute("set role rollcall_dbt")


def _terminate(session: Connection) -> int:
    """Only the login's own: anybody may take the application's name, and ending another login's backend is refused."""
    return session.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = %s and datname = current_database() and usename = session_user",
        [DBT_APPLICATION],
    ).rowcount
