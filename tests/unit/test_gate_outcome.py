"""A delivery is as good as its worst file."""

import pytest

from rollcall.gate import DeliveryOutcome, FileOutcome
from rollcall.gate.outcome import Verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), "accept"),
        (("accept", "accept"), "accept"),
        (("accept", "hold", "accept"), "hold"),
        (("hold", "reject", "accept"), "reject"),
    ],
)
def test_the_worst_verdict_counts(verdicts: tuple[Verdict, ...], expected: Verdict) -> None:
    assert DeliveryOutcome(tuple(FileOutcome("orgs", verdict, 1, 0, {}) for verdict in verdicts)).verdict == expected


def test_counts_add_up_over_the_files() -> None:
    outcome = DeliveryOutcome(
        (
            FileOutcome("orgs", "accept", 10, 1, {"row_ragged": 1, "orgs_name_missing": 2}),
            FileOutcome("users", "accept", 100, 7, {"row_ragged": 3}),
        )
    )
    assert (outcome.rows_landed, outcome.rows_set_aside) == (110, 8)
    assert outcome.findings == {"row_ragged": 4, "orgs_name_missing": 2}
