"""Two expectations of our own, in the library's own way of adding some: rules in SQL that it asks cheaply.

Great Expectations asks what it knows of columns together, in one scan, and scans the table anew for each query and for
each ``row_condition``, which it then leaves out of the query for the failing rows (1.24.1).

What one expectation costs the library in Python grows with the metrics that it hangs on: some thirty for one about a
column (`ColumnMapExpectation`), two for each of ours.
"""

from typing import Any, ClassVar

import sqlalchemy as sa
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_partial
from great_expectations.expectations.metrics.query_metrics.query_row_count.query_row_count import QueryRowCount
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
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


class ExpectNone(BatchExpectation):
    """Expect that a metric is 0; its value is told whatever is asked for: it is no cell."""

    metric: ClassVar[str]

    def get_validation_dependencies(self, *_: object, **__: object) -> ValidationDependencies:
        """The one metric, of the whole table."""
        asked = MetricConfiguration(
            self.metric,
            dict.fromkeys(TableMetricProvider.domain_keys) | {"batch_id": self.batch_id},
            {name: getattr(self, name) for name in self.success_keys},
        )
        return ValidationDependencies({self.metric: asked}, {"result_format": "BASIC"})

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
