"""The rules as the gate asks them: the suites in ``expectations/``, which `make rules` renders."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rollcall.codes import Severity
from rollcall.suites import SUITES, Scope, SentAs, expectations_of


@dataclass(frozen=True)
class Rule:
    """One expectation of a suite.

    Attributes:
        code: Its stable name in the ledger and in receipts.
        file: Whose rows it judges, by the standard's name of the file.
        severity: What a failing row means: critical sets it aside.
        message: What is wrong and what to do about it, for a district's data manager.
        column: The column to look at, in the standard's spelling; None when it is not one column.
        names: The file whose records the column names, by the standard's name, if the rule asks for them.
        sent_as: The only way of being sent in which a file is asked; None for any.
        scope: What it hangs on whether a row breaks it.
        alike: Of a rule about rows that are alike: SQL, the text that they share.
        expectation: The expectation as Great Expectations reads it.
    """

    code: str
    file: str
    severity: Severity
    message: str
    column: str | None
    names: str | None
    sent_as: SentAs | None
    scope: Scope
    alike: str | None
    expectation: dict[str, Any]

    @property
    def own_query(self) -> str | None:
        """The SQL of a rule that looks at several rows or files, with ``{batch}`` where the table goes; else None."""
        query: str | None = self.expectation["kwargs"].get("unexpected_rows_query")
        return query

    def failing_rows(self, table: str) -> str | None:
        """The query for the rows that break a rule in SQL; None for one of Great Expectations' own kinds.

        Args:
            table: The table's name.
        """
        if self.own_query is not None:
            return self.own_query.format(batch=f"{table} as subselect")
        condition = self.expectation["kwargs"].get("condition")
        return f"select _row, sourced_id from {table} where {condition}" if condition else None


def suite_rules(suite: str) -> tuple[Rule, ...]:
    """The rules of one suite, in its order.

    Args:
        suite: The standard's name of a file, or ``delivery``.
    """
    return tuple(_rule(suite, expectation) for expectation in expectations_of(suite))


def all_rules() -> dict[str, Rule]:
    """The rules of every suite by their code; one that several files share appears once."""
    return {rule.code: rule for suite in SUITES for rule in suite_rules(suite)}


def codes(rules: Iterable[Rule]) -> list[str]:
    """The codes of some rules."""
    return [rule.code for rule in rules]


def _rule(suite: str, expectation: dict[str, Any]) -> Rule:
    meta = expectation["meta"]
    return Rule(
        code=meta["code"],
        file=meta.get("file", suite),
        severity=expectation["severity"],
        message=meta["message"],
        column=meta.get("column"),
        names=meta.get("names"),
        sent_as=meta.get("sent_as"),
        scope=meta.get("scope", "file"),
        alike=meta.get("alike"),
        expectation=expectation,
    )
