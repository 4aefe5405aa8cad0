"""What a reader waits for: typical questions to the marts, asked by a login with row-level security on."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_urlsafe
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.stack import BenchStack

READER = "bench_reader"
ONE_SCHOOL = "select * from roster.roster where district_id = %s and school_source_id = %s"
WHOLE_DISTRICT = "select count(*) from roster.roster where district_id = %s"
GRANT = "insert into rollcall.reader_district (reader, district_id, granted_by) values (%s, %s, 'benchmark')"
SCHOOLS = "select source_id from roster.dim_school where district_id = %s order by source_id"
BUDGET_MS = 50
SCHOOLS_ASKED_FOR = 25


@contextmanager
def reader(stack: BenchStack, *districts: str) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """A connection of a reader who was granted some districts, and no more."""
    password = token_urlsafe(24)
    with psycopg.connect(stack.url) as owner:
        if owner.execute("select from pg_roles where rolname = %s", (READER,)).fetchone() is None:
            owner.execute(f"create role {READER} login")
            owner.execute(f"grant roster_reader to {READER}")
            for district in districts:
                owner.execute(GRANT, (READER, district))
        owner.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(READER), sql.Literal(password)))
    with psycopg.connect(stack.url, user=READER, password=password, autocommit=True) as connection:
        yield connection


def ask(connection: "psycopg.Connection[tuple[Any, ...]]", district_id: str) -> dict[str, Any]:
    """One school's roster, for schools from all over the list, and how many rows the whole roster has.

    Each school is asked for twice and counts the second time: what is measured is the query, not the disk.
    """
    schools = [row[0] for row in connection.execute(SCHOOLS, (district_id,)).fetchall()]
    chosen = schools[:: max(1, len(schools) // SCHOOLS_ASKED_FOR)]
    rows, milliseconds = [], []
    for school in chosen:
        _timed(connection, ONE_SCHOOL, district_id, school)
        count, took = _timed(connection, ONE_SCHOOL, district_id, school)
        rows.append(count)
        milliseconds.append(took)
    return {
        "one_school": {
            "schools": len(chosen),
            "rows_median": statistics.median(rows),
            "rows_most": max(rows),
            "ms_median": round(statistics.median(milliseconds), 1),
            "ms_most": round(max(milliseconds), 1),
        },
        "roster_count_ms": round(_timed(connection, WHOLE_DISTRICT, district_id)[1], 1),
    }


def _timed(connection: "psycopg.Connection[tuple[Any, ...]]", query: str, *parameters: str) -> tuple[int, float]:
    """How many rows a query has, and the milliseconds until all of them are here."""
    begun = time.perf_counter()
    rows = connection.execute(query, parameters).fetchall()
    return len(rows), 1000 * (time.perf_counter() - begun)
