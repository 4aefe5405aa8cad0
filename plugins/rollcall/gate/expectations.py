"""Two expectations of our own, in the library's own way of adding some: rules in SQL that it asks cheaply.

Great Expectations asks what it knows of columns together, in one scan, and scans the table anew for each query and for
each ``row_condition``, which it then leaves out of the query for the failing rows (1.24.1).
"""

from typing import Any, ClassVar, Literal

import sqlalchemy as sa
from great_expectations.compatibility import pydantic
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import ColumnMapExpectation, Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)


class RowsWhere(ColumnMapMetricProvider):
    """The rows that fulfil a condition; a condition that is null is not fulfilled."""

    condition_metric_name = "rows.where"
    condition_value_keys = ("condition",)
    filter_column_isnull = False

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: object, condition: str, **_: object) -> sa.ColumnElement[bool]:  # noqa: ARG002, N805
        """What is expected of a row."""
        return sa.not_(sa.func.coalesce(sa.literal_column(f"({condition})", sa.Boolean), sa.false()))


class ConfiguredOnce(Expectation):
    """An expectation that writes down what it is once: the library asks some forty times in each validation."""

    _written: ExpectationConfiguration | None = pydantic.PrivateAttr(default=None)

    @property
    def configuration(self) -> ExpectationConfiguration:
        """What the expectation is; ours are never changed once they are made."""
        if self._written is None:
            self._written = super().configuration
        return self._written


class ExpectNoRowsWhere(ConfiguredOnce, ColumnMapExpectation):
    """Expect that no row fulfils a condition on its own cells, in SQL; in one scan with all other rules of columns."""

    column: Literal["_row"] = "_row"
    condition: str

    map_metric = "rows.where"
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "condition")


class ExpectNoRowsFrom(ConfiguredOnce, UnexpectedRowsExpectation):
    """Expect that a query finds no rows. They are counted, never fetched: they are personal data, and many."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(self, metrics: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        found = metrics["unexpected_rows_query.row_count"]
        return {"success": found == 0, "result": {"observed_value": found}}
