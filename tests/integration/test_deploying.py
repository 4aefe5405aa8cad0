"""A deploy and the readers who are at work: neither stops the other."""

from collections.abc import Iterator
from contextvars import copy_context

import psycopg
import pytest
from helpers.deliveries import execute, query
from helpers.logged import heard_by
from helpers.postgres import Postgres, migrate_to
from helpers.threads import Thread
from psycopg.conninfo import make_conninfo

from rollcall.conform import deploy, deployment
from rollcall.conform.outcomes import BuildImpossibleError
from rollcall.progress import watched
from rollcall.readers import add_reader, limit_readers
from rollcall.settings import working_on
from rollcall.warehouse import connect
from rollcall.who import Person

LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout", "enable_mergejoin")


@pytest.fixture
def outdated_url(warehouse_url: str) -> str:
    """A warehouse in which a mart is not what this version wants."""
    execute(
        warehouse_url,
        "set role roster_owner; drop view roster.dim_course; create view roster.dim_course as select 1 as nonsense",
    )
    return warehouse_url


@pytest.fixture
def reader_url(warehouse_url: str) -> Iterator[str]:
    """A reader's login, made by the owner."""
    with connect(warehouse_url, role=None) as connection:
        add_reader(connection, "sitter", restricted=False, by=Person("test", "test"))
    yield make_conninfo(warehouse_url, user="sitter")
    execute(warehouse_url, "drop role sitter")


@pytest.fixture(autouse=True)
def tries_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "TRY_AGAIN_SECONDS", 0.2)


def test_law_06_a_reader_in_a_transaction_delays_no_other_reader_and_no_deploy_for_good(outdated_url: str) -> None:
    told: list[str] = []
    other_reader = make_conninfo(outdated_url, options="-c lock_timeout=0")  # dbt's own stands in our environment
    deploying = Thread(target=copy_context().run, args=(deploy,))
    with psycopg.connect(outdated_url) as sitting, heard_by(told.append):
        sitting.execute("select from roster.dim_course")
        deploying.start()
        while len(told) < 2:
            assert deploying.is_alive()
            assert query(other_reader, "select nonsense from roster.dim_course") == [(1,)]
        process = sitting.info.backend_pid
    deploying.join()
    assert all(f"process {process}" in line for line in told[:2])
    assert query(outdated_url, "select district_id from roster.dim_course") == []


def test_a_deploy_that_has_waited_long_enough_says_for_whom(outdated_url: str) -> None:
    with working_on(deploy_patience_seconds=0), psycopg.connect(outdated_url) as sitting:
        sitting.execute("select from roster.dim_course")
        with pytest.raises(BuildImpossibleError, match=rf"process {sitting.info.backend_pid}.*deploy again"):
            deploy()


def test_migrations_do_not_wait_behind_a_reader_either(postgres: Postgres) -> None:
    with postgres.worked_on("template0", "rollcall_older") as older:
        migrate_to(older, "0011")
        with working_on(deploy_patience_seconds=0), psycopg.connect(older) as sitting:
            sitting.execute("select from rollcall.published")
            with pytest.raises(BuildImpossibleError, match=f"process {sitting.info.backend_pid}"):
                deploy()
        deploy()


def test_readers_begin_with_the_limits_of_the_settings(warehouse_url: str, reader_url: str) -> None:
    def limits() -> list[str]:
        return [query(reader_url, f"show {limit}")[0][0] for limit in LIMITS]

    assert limits() == ["15min", "5min", "30s", "off"]
    told: list[str] = []
    changed = working_on(reader_statement_timeout_seconds=0, reader_idle_in_transaction_seconds=1)
    with changed, watched(lambda what, done, of: told.append(what)):
        deploy()
    assert (told[0], "hist_users" in told, "dim_student" in told) == ("migrations", True, True), told
    assert limits() == ["0", "1s", "30s", "off"]
    with psycopg.connect(reader_url) as session:
        session.execute("select from roster.dim_course")
        while query(warehouse_url, "select from pg_stat_activity where pid = %s", session.info.backend_pid):
            pass
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            session.execute("select 1")


def test_a_reader_that_another_role_made_is_named_and_left_alone(warehouse_url: str, reader_url: str) -> None:
    execute(
        warehouse_url,
        "create role keeper login createrole; create role of_keeper login in role roster_reader;"
        " grant of_keeper to keeper with admin true;"
        " grant usage on schema rollcall to keeper; grant select on rollcall.reader_district to keeper",
    )
    try:
        with connect(make_conninfo(warehouse_url, user="keeper"), role=None) as connection:
            assert limit_readers(connection) == ["sitter"]
        assert query(make_conninfo(warehouse_url, user="of_keeper"), "show lock_timeout") == [("30s",)]
    finally:
        execute(warehouse_url, "drop owned by keeper; drop role of_keeper, keeper")
