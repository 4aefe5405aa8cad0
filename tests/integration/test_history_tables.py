"""The history tables: what is impossible in them, and that giving them their keys keeps no reader waiting."""

from collections.abc import Iterator

import psycopg
import pytest
from helpers.deliveries import accept, execute, query, reland_nothing
from helpers.schools import record, school_district

from rollcall.conform import conform
from rollcall.conform.history import HISTORY_TABLES

PRIMARY_KEYS = """
    select conrelid::regclass::text from pg_constraint where contype = 'p' and connamespace = 'history'::regnamespace
"""
UNIQUE_INDEXES = """
    select count(*) from pg_index inner join pg_class on pg_class.oid = indexrelid
    where indisunique and relnamespace = 'history'::regnamespace
"""
TABLES = set(HISTORY_TABLES)
IMPOSSIBLE = {
    "two versions of one record in one night": (
        "insert into history.hist_orgs select * from history.hist_orgs where source_id = '994'",
        psycopg.errors.UniqueViolation,
    ),
    "an end before the beginning": (
        "update history.hist_orgs set valid_to_seq = 1, end_reason = 'missing', ended_on = '2026-10-02'",
        psycopg.errors.CheckViolation,
    ),
    "an end without a reason": (
        "update history.hist_orgs set valid_to_seq = 9, ended_on = '2026-10-02'",
        psycopg.errors.CheckViolation,
    ),
    "an end without a date": (
        "update history.hist_orgs set valid_to_seq = 9, end_reason = 'missing'",
        psycopg.errors.CheckViolation,
    ),
}


@pytest.fixture
def reader(warehouse_url: str) -> Iterator["psycopg.Connection[tuple[int]]"]:
    """Somebody who has read every mart that there is in a transaction that stays open."""
    execute(warehouse_url, "alter database rollcall_test set statement_timeout = '20s'")
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        for (view,) in query(
            warehouse_url,
            "select schemaname || '.' || viewname from pg_views where viewname = 'roster' or viewname like 'dim%%'",
        ):
            connection.execute(f"select count(*) from {view}")
        yield connection


def test_builds_wait_for_no_reader_and_the_keys_come_when_none_is_there(
    warehouse_url: str, reader: "psycopg.Connection[tuple[int]]"
) -> None:
    """The first load makes indexes; to make them primary keys would block readers, and is done when none is there."""
    rows = school_district()
    for sequence in (1, 2):
        record(rows, "orgs", "994")["name"] = f"School of name {sequence}"
        accept(warehouse_url, "hill", sequence, rows)
        conform(reland=reland_nothing)

        assert reader.execute("select count(*) from roster.dim_school").fetchone() == (0,), "the reader's own moment"
        assert query(warehouse_url, "select count(*) from roster.dim_school") == [(2,)]
        assert query(warehouse_url, UNIQUE_INDEXES) == [(len(TABLES),)]
        assert "history.hist_orgs" not in {name for (name,) in query(warehouse_url, PRIMARY_KEYS)}

    reader.rollback()
    accept(warehouse_url, "hill", 3, rows)
    conform(reland=reland_nothing)

    assert {name for (name,) in query(warehouse_url, PRIMARY_KEYS)} == TABLES
    for statement, error in IMPOSSIBLE.values():
        with pytest.raises(error, match="hist_orgs"):
            execute(warehouse_url, statement)
