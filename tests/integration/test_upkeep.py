"""Upkeep of the ledger: what goes, what stays, and what is said of it."""

from datetime import timedelta

import psycopg
import pydantic
import pytest
from helpers.deliveries import accept, execute, put_aside, query

from rollcall.settings import Settings
from rollcall.upkeep import Removal, remove_old_details

USERS = {"users": [{"sourced_id": "1"}, {"sourced_id": "2"}]}


def judged(url: str, sequence: int, days_ago: int, state: str = "published") -> int:
    """A delivery with two findings in rows, their count, and an expected change for the district and for a school."""
    delivery_id = accept(url, "maple", sequence, USERS)
    with psycopg.connect(url) as connection:
        for row in (2, 3):
            put_aside(connection, delivery_id, "users", row, None)
        connection.execute(
            "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)"
            " values (%s, 'users', 'test', 'critical', 2)",
            [delivery_id],
        )
        for school in (None, "994"):
            connection.execute(
                "insert into rollcall.expected_change values (%s, 'users', %s, 1, 2, 0, 0, 0, 2, 0)",
                [delivery_id, school],
            )
        moment = f"now() - interval '{days_ago} days'"
        connection.execute(
            f"update rollcall.delivery set state = %s, arrived_at = {moment}, decided_at = {moment},"
            f" accepted_at = {moment} where delivery_id = %s",
            [state, delivery_id],
        )
    return delivery_id


def left(url: str) -> dict[int, tuple[int, int, int]]:
    """Rows of findings, counted findings, and expected changes that the ledger has, by delivery."""
    rows = query(
        url,
        """
        select
            delivery_id,
            (select count(*) from rollcall.row_finding where row_finding.delivery_id = delivery.delivery_id),
            (select sum(rows_failed) from rollcall.check_result where check_result.delivery_id = delivery.delivery_id),
            (select count(*) from rollcall.expected_change where expected_change.delivery_id = delivery.delivery_id)
        from rollcall.delivery
        """,
    )
    return {row[0]: row[1:] for row in rows}


def test_old_details_go_counts_stay_and_the_ledger_says_so(warehouse_url: str) -> None:
    old, older = judged(warehouse_url, 1, 91), judged(warehouse_url, 2, 400, "rejected")
    new, waiting, shown = (
        judged(warehouse_url, 3, 89),
        judged(warehouse_url, 4, 400, "held"),
        judged(warehouse_url, 5, 400),
    )
    execute(
        warehouse_url,
        "insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)"
        " values ('maple', 5, %s, '2026-10-01', now())",
        shown,
    )

    removed = remove_old_details(timedelta(days=90))

    assert removed == [Removal("row_finding", 2, 4), Removal("expected_change", 2, 2)]
    gone, kept = (0, 2, 1), (2, 2, 2)
    assert left(warehouse_url) == {old: gone, older: gone, new: kept, waiting: kept, shown: kept}
    said = "select relation, deliveries, rows_removed from rollcall.upkeep order by upkeep_id"
    assert query(warehouse_url, said) == [("row_finding", 2, 4), ("expected_change", 2, 2)]

    assert remove_old_details(timedelta(days=90)) == []
    assert len(query(warehouse_url, said)) == 2, "nothing was removed, nothing is said"


def test_details_are_not_removed_while_somebody_may_still_mend_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_FINDINGS_KEPT_DAYS", "6")
    with pytest.raises(pydantic.ValidationError, match="greater than or equal to 7"):
        Settings()
