"""Great Expectations, kept quiet: which rules fail in a landed table, how often, and the query for the failing rows."""

import json
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from psycopg import errors
from sqlalchemy import event, make_url

from rollcall.gate.rules import Rule
from rollcall.warehouse import warehouse_url

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.result_format import ResultFormatUnion
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
    from great_expectations.expectations.expectation import Expectation

    from rollcall.gate.context import UnsavedContext

YES_OR_NO = {"result_format": "BOOLEAN_ONLY"}
COUNT_AND_QUERY = {
    "result_format": "SUMMARY",
    "partial_unexpected_count": 0,
    "unexpected_index_column_names": ["_row", "sourced_id"],
    "return_unexpected_index_query": True,
}
"""What is asked of Great Expectations, and never a cell (law 7): how many rows break each rule, of all rules at once;
the query for the rows, where a rule of the library's own kinds fails; whether a rule about the whole table does."""

PLANNING = {"enable_nestloop": "off", "work_mem": "96MB", "jit": "off"}
"""Deliveries are looked through whole: a nested loop is always a misjudgement, and one of hours."""

ENGINE = {"hide_parameters": True, "use_native_hstore": False}
"""A refused statement is told without its parameters, which may be cells; no column is an hstore, so nobody asks."""

TALKATIVE_LOGGERS = ("great_expectations", "sqlalchemy")
"""Loggers whose messages may quote a failed statement, and with it a cell."""


class GateError(Exception):
    """A check could not be made: nothing is known about the rows, so nothing is accepted. Quotes no cell."""


class LandedRowsGoneError(GateError):
    """A table does not hold what was landed: a crash of the database empties unlogged tables."""


@dataclass(frozen=True)
class Evaluation:
    """What one rule found in one table.

    Attributes:
        rows_failed: How many rows break the rule; for a rule about the table as a whole, 1 if it fails.
        rows_query: Selects the line and the sourcedId of each of these rows; None for a rule that no row breaks, and
            for one about the table.
    """

    rule: Rule
    rows_failed: int
    rows_query: str | None

    @property
    def fails_the_file(self) -> bool:
        """Whether the table as a whole is unacceptable."""
        return self.rule.severity == "critical" and self.rows_failed > 0 and self.rows_query is None


class Inspection:
    """A look at the tables of one delivery; made by `inspect`."""

    def __init__(self, datasource: "SQLDatasource") -> None:
        self._datasource = datasource
        self._batches: dict[str, Batch] = {}

    def evaluate(self, table: str, rules: Sequence[Rule]) -> list[Evaluation]:
        """What some rules find in a table, in the order of the rules.

        Args:
            table: The table's name in the delivery's schema.
            rules: Rules about that table.

        Raises:
            GateError: a rule could not be evaluated.
        """
        counts = self._count(table, rules)
        about_the_table = [rule for rule in rules if rule.code not in counts]
        to_query = [rule for rule in rules if counts.get(rule.code) and rule.failing_rows(table) is None]
        results = self._validate(table, about_the_table, YES_OR_NO) | self._validate(table, to_query, COUNT_AND_QUERY)
        return [_evaluation(rule, table, counts.get(rule.code, 0), results.get(rule.code)) for rule in rules]

    def _count(self, table: str, rules: Sequence[Rule]) -> dict[str, int]:
        """How many rows break each rule, by the rule's code; without those that are about the table as a whole."""
        from rollcall.gate.expectations import ExpectNoneOfEach

        counts = {rule.code: asked for rule in rules if (asked := _row_count(_asked(rule)))}
        if not counts:
            return {}
        result = self._batch(table).validate(ExpectNoneOfEach(counts=counts))
        if _raised(result.exception_info):
            self._validate(table, rules, YES_OR_NO)  # one by one, it says which
            raise GateError(f"The rules of {table} could not be evaluated: {_error_class(str(result.exception_info))}.")
        found: dict[str, int] = result.result["observed_value"]
        return found

    def _validate(
        self, table: str, rules: Sequence[Rule], result_format: "ResultFormatUnion"
    ) -> "dict[str, ExpectationValidationResult]":
        """The results of some rules, by their codes."""
        from great_expectations.core import ExpectationSuite

        if not rules:
            return {}
        suite = ExpectationSuite(name=table, expectations=[_parsed(_asked(rule)) for rule in rules])
        results = self._batch(table).validate(suite, result_format=result_format).results
        by_code = {result.expectation_config.meta["code"]: result for result in results if result.expectation_config}
        for rule in rules:
            _refuse_error(rule, by_code[rule.code])
        return by_code

    def _batch(self, table: str) -> "Batch":
        if table not in self._batches:
            asset = self._datasource.add_table_asset(table, table_name=table)
            self._batches[table] = asset.add_batch_definition_whole_table(table).get_batch()
        return self._batches[table]


@contextmanager
def inspect(schema: str) -> Iterator[Inspection]:
    """A look at the tables of a delivery's schema; leaves no connection, no result and no log line behind.

    Args:
        schema: The delivery's schema.

    Raises:
        GateError: a check could not be made; also in place of whatever Great Expectations or SQLAlchemy raised.
    """
    with _quiet():
        try:
            with _datasource(schema) as datasource:
                yield Inspection(datasource)
        except Exception as error:
            if _is_own(error):
                raise
            raise GateError(f"The checks could not be made: {type(error).__name__}.") from None


@contextmanager
def _datasource(schema: str) -> Iterator["SQLDatasource"]:
    """The delivery's schema as a data source, its tables without a prefix."""
    context = _context(os.getpid())
    name = f"{schema}_{uuid4().hex}"
    datasource = context.data_sources.add_sql(  # its type stub forgets the engine's arguments
        name,
        connection_string=_connection_string(),
        kwargs=ENGINE,  # type: ignore[call-arg]
    )
    engines = [datasource.get_engine(), datasource.get_execution_engine().engine]
    for engine in engines:
        event.listen(engine, "connect", partial(_set_for_session, schema))
        engine.dispose()  # what was opened before that
    try:
        yield datasource
    finally:
        context.data_sources.delete(name)
        for engine in engines:
            engine.dispose()


def _asked(rule: Rule) -> str:
    """A rule as Great Expectations asks it: without its texts, which the library would copy at each of many steps."""
    asked = {"type": rule.expectation["type"], "kwargs": rule.expectation["kwargs"], "meta": {"code": rule.code}}
    return json.dumps(asked)


@cache
def _row_count(expectation: str) -> dict[str, Any] | None:
    """What counts the rows that break an expectation of a suite; worked out once in a process, and never changed."""
    from rollcall.gate.expectations import row_count

    count = row_count(_parsed(expectation))
    return asdict(count) if count else None


@cache
def _parsed(expectation: str) -> "Expectation":
    """An expectation of a suite; parsed once in a process, and never changed."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    import rollcall.gate.expectations  # noqa: F401 -- so that the library knows them

    return ExpectationConfiguration(**json.loads(expectation)).to_domain_obj()


@lru_cache(maxsize=1)
def _context(process_id: int) -> "UnsavedContext":  # noqa: ARG001 - a forked process makes its own
    """The process's context."""
    from rollcall.gate.context import make_context

    return make_context()


def _connection_string() -> str:
    """The URL for psycopg2, the only driver for which Great Expectations knows PostgreSQL's regular expressions."""
    url = make_url(warehouse_url()).set(drivername="postgresql+psycopg2")
    return url.update_query_dict({"application_name": "rollcall gate"}).render_as_string(hide_password=False)


def _set_for_session(schema: str, connection: Any, _: object) -> None:
    """The role, where the tables lie, and how queries are planned, by statements: as `warehouse.connect` does it."""
    with connection.cursor() as cursor:
        for setting in ({"role": "rollcall_loader", "search_path": schema} | PLANNING).items():
            cursor.execute("select set_config(%s, %s, false)", setting)
    connection.commit()  # else the first rollback would take it back


def _evaluation(rule: Rule, table: str, count: int, result: "ExpectationValidationResult | None") -> Evaluation:
    """What is known of one rule, without anything but a count and a query.

    Args:
        rule: The rule.
        table: The table's name.
        count: How many rows break it, where it is about rows.
        result: What the library says of it by itself, where it was asked.
    """
    failing_rows = rule.failing_rows(table)
    if result is None:
        return Evaluation(rule, count, failing_rows)
    if count:
        query: str = result.result["unexpected_index_query"]
        return Evaluation(rule, count, query.rstrip("; \n"))
    return Evaluation(rule, 0 if result.success else 1, None)


def _refuse_error(rule: Rule, result: "ExpectationValidationResult") -> None:
    """Raise where a rule could not be evaluated."""
    if _raised(result.exception_info):
        raise GateError(f"{rule.code} could not be evaluated: {_error_class(str(result.exception_info))}.")


def _raised(exception_info: dict[str, Any]) -> bool:
    """Whether a rule ended in an error; the errors of its parts are told one by one."""
    parts = [exception_info, *(part for part in exception_info.values() if isinstance(part, dict))]
    return any(part.get("raised_exception") for part in parts)


def _error_class(told: str) -> str:
    """The class of PostgreSQL's error, the only part of its message that cannot hold a cell."""
    named = re.search(r"psycopg2\.errors\.(\w+)", told)
    return named[1] if named and hasattr(errors, named[1]) else "it raised an error"


def _is_own(error: Exception) -> bool:
    """Whether an error is one of Rollcall's, and so quotes no cell."""
    return type(error).__module__.startswith("rollcall.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the talkative loggers and every warning silent."""
    loggers = [logging.getLogger(name) for name in TALKATIVE_LOGGERS]
    before = [(logger.level, logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate, logger.handlers = False, [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate, logger.handlers = propagate, handlers
