"""The marts' tests, on what readers see: after a publication, in nobody's way, and only to tell."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from rollcall.conform.dbt_build import DataTest, compile_tests
from rollcall.log import get_logger
from rollcall.warehouse import Connection, connect, redacted, value

log = get_logger(__name__)

MART_TESTS_LOCK = 7_236_003
LONGEST_STATEMENT = "10min"
_RELATION = re.compile(r'"[^"]+"\."(roster|roster_restricted|history)"\."(\w+)"')
"""A model, as dbt writes it into a test."""

_UNTESTED = """
    select district_id, sequence
    from rollcall.publication
    where not exists (
        select from rollcall.mart_test
        where mart_test.district_id = publication.district_id and mart_test.sequence = publication.sequence
    )
    order by district_id
"""


@dataclass(frozen=True)
class MartFinding:
    """A test that a publication fails.

    Attributes:
        district_id: The district.
        test: dbt's name of the test.
        severity: ``error`` or ``warn``, as the model's file says.
        failures: How often.
    """

    district_id: str
    test: str
    severity: str
    failures: int


def check_marts() -> list[MartFinding]:
    """Test every publication that was not tested yet, and record what is found. Changes nothing, holds nothing up.

    Works each mart out once for the districts that have published since the last time, into temporary tables, and asks
    all tests of those: some hundred questions to the marts themselves would work each of them out as often. Killed, it
    begins again.

    Returns:
        What was found; nothing where nothing was published, or where somebody else is testing.

    Raises:
        BuildImpossibleError: dbt did not compile the tests.
        WarehouseError: the warehouse cannot be reached or went away.
    """
    with connect(role="rollcall_dbt", autocommit=True) as session:
        session.execute(f"set application_name = 'rollcall-mart-tests'; set statement_timeout = '{LONGEST_STATEMENT}'")
        if not value(session, "select pg_try_advisory_lock(%s)", [MART_TESTS_LOCK]):
            log.info("Somebody else is testing.")
            return []
        untested = dict(session.execute(_UNTESTED).fetchall())
        if not untested:
            return []
        begun = time.monotonic()
        tests = compile_tests()
        for schema, mart in sorted({relation for test in tests for relation in _RELATION.findall(test.query)}):
            if schema != "history":
                _work_out(session, schema, mart, list(untested))
        tests = [DataTest(test.name, test.severity, _of(test.query, list(untested))) for test in tests]
        findings = [finding for test in tests for finding in _failures(session, test)]
        seconds = time.monotonic() - begun
        _record(session, untested, len(tests), seconds, findings)
    log.info("%s tests of %s districts in %.0f s: %s findings.", len(tests), len(untested), seconds, len(findings))
    return findings


def _work_out(session: Connection, schema: str, mart: str, districts: Sequence[str]) -> None:
    """Put a mart's rows of these districts into a temporary table; district by district, which its plan is made for."""
    source, copy = sql.Identifier(schema, mart), sql.Identifier("pg_temp", mart)
    try:
        session.execute(sql.SQL("create temporary table {} as select * from {} limit 0").format(copy, source))
        for district in districts:
            statement = sql.SQL("insert into {} select * from {} where district_id = {}")
            session.execute(statement.format(copy, source, sql.Literal(district)))
        session.execute(sql.SQL("analyze {}").format(copy))
    except psycopg.Error as error:
        if session.broken:
            raise
        log.warning("%s could not be read: %s", mart, redacted(error))
        session.execute(sql.SQL("drop table if exists {}").format(copy))  # half a mart would fail tests


def _of(query: str, districts: Sequence[str]) -> str:
    """A test's query, asked of what was worked out, and of these districts' history."""
    history = sql.SQL("district_id = any({})").format(sql.Literal(list(districts))).as_string()

    def looked_at(relation: re.Match[str]) -> str:
        schema, name = relation.groups()
        return f"(select * from {relation[0]} where {history})" if schema == "history" else f'pg_temp."{name}"'

    return _RELATION.sub(looked_at, query)


def _failures(session: Connection, test: DataTest) -> list[MartFinding]:
    """How often each district fails a test. One that cannot be asked says nothing, and keeps no other from asking."""
    counted = sql.SQL("select district_id, count(*) from ({}) as failure group by district_id order by district_id")
    try:
        rows = session.execute(counted.format(sql.SQL(test.query))).fetchall()
    except psycopg.Error as error:
        if session.broken:
            raise
        log.warning("%s was not asked: %s", test.name, redacted(error))
        return []
    return [MartFinding(district, test.name, test.severity, count) for district, count in rows]


def _record(
    session: Connection, tested: dict[str, int], tests: int, seconds: float, findings: Sequence[MartFinding]
) -> None:
    """Write down what was tested and found, in one transaction."""
    with session.transaction():
        for district, sequence in tested.items():
            session.execute(
                "insert into rollcall.mart_test (district_id, sequence, tests, seconds) values (%s, %s, %s, %s)",
                (district, sequence, tests, seconds),
            )
        for each in findings:
            session.execute(
                "insert into rollcall.mart_finding (district_id, sequence, test, severity, failures)"
                " values (%s, %s, %s, %s, %s)",
                (each.district_id, tested[each.district_id], each.test, each.severity, each.failures),
            )
