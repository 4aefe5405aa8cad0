"""Expectations of our own, in the library's own way of adding some: rules in SQL, and many rules asked as one.

Great Expectations asks what it knows of columns together, in one scan, and scans the table anew for each query and for
each ``row_condition``, which it then leaves out of the query for the failing rows (1.24.1).

What one expectation costs the library in Python, some milliseconds, is more than a small file's rows cost PostgreSQL:
it is copied and parsed several times, and for one about a column (`ColumnMapExpectation`) some thirty metrics are made
ready. So the rules of a suite are asked as one expectation, of their metrics: the library's own, which count the rows.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import sqlalchemy as sa
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation, Expectation
from great_expectations.expectations.metrics.metric_provider import metric_partial
from great_expectations.expectations.metrics.query_metrics.query_row_count.query_row_count import QueryRowCount
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.expectations.registry import get_metric_kwargs
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies


class RowsWhere(TableMetricProvider):
    """How many rows fulfil a condition, in one scan with all that is asked of columns; null does not fulfil it."""

    metric_name = "rows.where"
    value_keys = ("condition",)

    @metric_partial(
        engine=SqlAlchemyExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _sqlalchemy(
        cls,  # noqa: N805
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: object,
    ) -> tuple[sa.ColumnElement[int], dict[str, Any], dict[str, Any]]:
        condition = sa.literal_column(f"({metric_value_kwargs['condition']})", sa.Boolean)
        return sa.func.count().filter(condition), metric_domain_kwargs, {}


class RowsFrom(QueryRowCount):
    """How many rows a query finds; they are counted, never fetched: they are personal data, and many."""

    metric_name = "rows.from"
    value_keys = ("unexpected_rows_query",)
    query_param_name = "unexpected_rows_query"


@dataclass(frozen=True)
class RowCount:
    """A metric that counts rows.

    Attributes:
        metric: Its name.
        domain: What it looks at, but for the batch.
        values: What it looks for.
    """

    metric: str
    domain: dict[str, Any]
    values: dict[str, Any]

    def asked_of(self, batch_id: str | None) -> MetricConfiguration:
        """The metric as it is asked of a batch."""
        return MetricConfiguration(self.metric, self.domain | {"batch_id": batch_id}, dict(self.values))


def row_count(expectation: Expectation) -> RowCount | None:
    """What counts the rows that break an expectation; None for one that is not about single rows."""
    if isinstance(expectation, ExpectNone):
        return expectation.row_count
    if isinstance(expectation, ColumnMapExpectation):
        metric = f"{expectation.map_metric}.unexpected_count"
        asked = get_metric_kwargs(metric, expectation.configuration)
        return RowCount(metric, dict(asked["metric_domain_kwargs"]), dict(asked["metric_value_kwargs"]))
    return None


class ExpectNone(BatchExpectation):
    """Expect that a metric is 0; its value is told whatever is asked for: it is no cell."""

    metric: ClassVar[str]

    @property
    def row_count(self) -> RowCount:
        """The one metric, of the whole table."""
        values = {name: getattr(self, name) for name in self.success_keys}
        return RowCount(self.metric, dict.fromkeys(TableMetricProvider.domain_keys), values)

    def get_validation_dependencies(self, *_: object, **__: object) -> ValidationDependencies:
        """The one metric."""
        return ValidationDependencies({self.metric: self.row_count.asked_of(self.batch_id)}, {"result_format": "BASIC"})

    def _validate(self, metrics: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        return {"success": metrics[self.metric] == 0, "result": {"observed_value": metrics[self.metric]}}


class ExpectNoRowsWhere(ExpectNone):
    """Expect that no row fulfils a condition on its own cells, in SQL."""

    condition: str

    metric = "rows.where"
    success_keys: ClassVar[tuple[str, ...]] = ("condition",)


class ExpectNoRowsFrom(ExpectNone):
    """Expect that a query finds no rows."""

    unexpected_rows_query: str

    metric = "rows.from"
    success_keys: ClassVar[tuple[str, ...]] = ("unexpected_rows_query",)


class ExpectNoneOfEach(BatchExpectation):
    """Expect of several counts of rows that each is 0; all are told, by their names, whatever is asked for.

    Attributes:
        counts: The fields of a `RowCount` by the name under which it is told.
    """

    counts: dict[str, dict[str, Any]]

    success_keys: ClassVar[tuple[str, ...]] = ("counts",)

    def get_validation_dependencies(self, *_: object, **__: object) -> ValidationDependencies:
        """The metrics, by those names."""
        asked = {name: RowCount(**count).asked_of(self.batch_id) for name, count in self.counts.items()}
        return ValidationDependencies(asked, {"result_format": "BASIC"})

    def _validate(self, metrics: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        counts = {name: count or 0 for name, count in metrics.items()}  # the library's sum over no rows is null
        return {"success": not any(counts.values()), "result": {"observed_value": counts}}
