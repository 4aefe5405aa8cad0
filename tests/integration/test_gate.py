"""What the gate does with what the rules find, and what it never tells."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.deliveries import ENDED, execute, query
from helpers.gating import (
    DISTRICT,
    GOOD,
    NO_LIMIT,
    NO_LIMITS,
    NO_ROW_MORE,
    NO_ROWS_MORE,
    deliver,
    found,
    gate_file,
    good,
    ledger,
    publish,
)

from rollcall.districts import Limit, Limits
from rollcall.gate import GateError, LandedRowsGoneError, gate_delivery, recording
from rollcall.gate.progress import files_not_gated
from rollcall.gate.rules import all_rules, suite_rules
from rollcall.oneroster import FILE_NAMES
from rollcall.settings import settings, working_on
from rollcall.suites import suite_path
from rollcall.warehouse import connect

MARKER = "Zyxwvut"


@pytest.fixture
def suites(tmp_path: Path) -> Iterator[Path]:
    """A copy of the suites that a test may change."""
    folder = tmp_path / "expectations"
    folder.mkdir()
    for path in settings().expectations_dir.glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    with working_on(home=tmp_path):
        yield folder


def add_rule(suite: str, type_: str, severity: str, code: str, **kwargs: Any) -> None:
    path = suite_path(suite)
    document = json.loads(path.read_text())
    meta = {"code": code, "message": "The file is too short.", **({"file": "users"} if suite == "delivery" else {})}
    document["expectations"].append({"type": type_, "kwargs": kwargs, "severity": severity, "meta": meta})
    path.write_text(json.dumps(document))


def file_row(url: str, delivery_id: int, file: str) -> tuple[Any, ...]:
    """Rows set aside, verdict and the reason for it."""
    return query(
        url,
        "select rows_set_aside, verdict, verdict_reason from rollcall.delivery_file"
        " where delivery_id = %s and file = %s",
        delivery_id,
        file,
    )[0]


def orgs(count: int, nameless: int) -> list[dict[str, Any]]:
    return [good("orgs", sourced_id=str(i), name=None if i < nameless else f"School {i}") for i in range(count)]


def test_every_check_is_a_row_passed_or_not(warehouse_url: str) -> None:
    """Law 8."""
    delivery_id = deliver(warehouse_url, {"orgs": orgs(4, 1)})
    outcome = gate_file(delivery_id, "orgs", NO_LIMIT)
    checks = query(warehouse_url, "select code, severity, rows_checked, rows_failed from rollcall.check_result")
    assert ("orgs_name_missing", "critical", 4, 1) in checks
    assert ("orgs_sourced_id_missing", "critical", 4, 0) in checks
    assert len(checks) == len(json.loads(suite_path("orgs").read_text())["expectations"])
    assert query(
        warehouse_url, "select file, code, severity, row_number, sourced_id, column_name from rollcall.row_finding"
    ) == [("orgs", "orgs_name_missing", "critical", 2, "0", "name")]
    assert (outcome.file, outcome.verdict, outcome.rows_landed, outcome.rows_set_aside) == ("orgs", "accept", 4, 1)
    assert outcome.findings == {"orgs_name_missing": 1}


def test_a_row_that_breaks_two_rules_is_set_aside_once(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"orgs": [good("orgs", name=None, type=None), good("orgs", sourced_id="2")]})
    assert gate_file(delivery_id, "orgs", NO_LIMIT).rows_set_aside == 1


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (Limit(percent=10, floor=0), "accept"),
        (Limit(percent=9, floor=0), "hold"),
        (Limit(percent=0, floor=2), "accept"),
        (Limit(percent=0, floor=1), "hold"),
    ],
)
def test_too_many_rows_set_aside_hold_the_file(warehouse_url: str, limit: Limit, verdict: str) -> None:
    delivery_id = deliver(warehouse_url, {"orgs": orgs(20, 2)})
    assert gate_file(delivery_id, "orgs", limit).verdict == verdict
    set_aside, recorded, reason = file_row(warehouse_url, delivery_id, "orgs")
    assert (set_aside, recorded) == (2, verdict)
    assert reason.startswith("2 of 20 records of orgs.csv (10.0 %) are set aside")


def test_a_file_of_which_nothing_counts_is_held_however_small(warehouse_url: str) -> None:
    limit = Limit(percent=2, floor=10)
    some, all_of_it = [good("orgs", name=None)], [good("orgs", sourced_id=str(n), name=None) for n in range(3)]
    delivery_id = deliver(warehouse_url, {"orgs": [*some, good("orgs", sourced_id="991")]})
    assert gate_file(delivery_id, "orgs", limit).verdict == "accept"
    delivery_id = deliver(warehouse_url, {"orgs": all_of_it})
    assert gate_file(delivery_id, "orgs", limit).verdict == "hold"
    assert gate_file(delivery_id, "orgs", NO_LIMIT).verdict == "accept"


def test_rows_that_are_only_warned_about_hold_nothing(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"classes": [good("classes", title=None)]})
    outcome = gate_file(delivery_id, "classes", NO_ROW_MORE)
    assert (outcome.verdict, outcome.rows_set_aside, outcome.findings) == ("accept", 0, {"classes_title_missing": 1})


def test_a_critical_failure_of_the_table_rejects_the_file(warehouse_url: str, suites: Path) -> None:
    add_rule("orgs", "expect_table_row_count_to_be_between", "critical", "orgs_too_few", min_value=2)
    delivery_id = deliver(warehouse_url, {"orgs": orgs(1, 0)})
    assert gate_file(delivery_id, "orgs", NO_LIMIT).verdict == "reject"
    assert file_row(warehouse_url, delivery_id, "orgs")[1:] == ("reject", "The file is too short.")
    assert gate_delivery(delivery_id, NO_LIMITS).verdict == "reject"
    # The gate's own rejection is not for ever: the suite may have been wrong.
    (suites / "orgs.json").write_text((suites / "orgs.json").read_text().replace('"min_value": 2', '"min_value": 1'))
    assert gate_file(delivery_id, "orgs", NO_LIMIT).verdict == "accept"


def test_what_landing_rejected_stays_rejected(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"orgs": orgs(3, 1)})
    gate_file(delivery_id, "orgs", NO_LIMIT)
    execute(
        warehouse_url,
        "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)"
        " values (%s, 'orgs', 'column_missing', 'critical', 2)",
        delivery_id,
    )
    execute(warehouse_url, "update rollcall.delivery_file set verdict = 'reject', verdict_reason = 'No column name.'")
    for outcome in (
        gate_file(delivery_id, "orgs", NO_LIMIT),
        gate_delivery(delivery_id, NO_LIMITS).files[0],
    ):
        assert (outcome.verdict, outcome.findings) == ("reject", {"column_missing": 2})
    assert file_row(warehouse_url, delivery_id, "orgs")[1:] == ("reject", "No column name.")
    assert found(warehouse_url, delivery_id, "orgs") == {}, "what an earlier gate said of an earlier landing"


def test_a_header_only_file_counts_as_not_sent(warehouse_url: str) -> None:
    """Law 5."""
    delivery_id = deliver(warehouse_url, {"orgs": []})
    outcome = gate_file(delivery_id, "orgs", NO_ROW_MORE)
    assert (outcome.verdict, outcome.findings) == ("accept", {"file_header_only": 1})
    assert found(warehouse_url, delivery_id, "orgs") == {1: {"file_header_only": "warning"}}


def test_a_file_of_ragged_records_is_not_header_only(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"orgs": []}, ragged=[("orgs", 2, "990")])
    outcome = gate_file(delivery_id, "orgs", NO_ROW_MORE)
    assert (outcome.verdict, outcome.findings) == ("hold", {"row_ragged": 1})


def test_a_file_that_was_not_sent_is_passed_over(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"orgs": orgs(1, 1)}, modes={"orgs": "absent"})
    for file in ("orgs", "users"):
        outcome = gate_file(delivery_id, file, NO_ROW_MORE)
        assert (outcome.verdict, outcome.rows_set_aside, outcome.findings) == ("accept", 0, {})
    assert gate_delivery(delivery_id, NO_ROWS_MORE).files == ()
    assert query(warehouse_url, "select * from rollcall.check_result") == []


def test_nothing_is_accepted_when_landed_rows_are_gone(warehouse_url: str) -> None:
    """A crash of PostgreSQL empties unlogged tables."""
    delivery_id = deliver(warehouse_url, {"orgs": orgs(3, 0)})
    execute(warehouse_url, f"delete from delivery_{delivery_id}.orgs where sourced_id = '1'")
    for gate in (
        lambda: gate_file(delivery_id, "orgs", NO_LIMIT),
        lambda: gate_delivery(delivery_id, NO_LIMITS),
    ):
        with pytest.raises(GateError, match=r"orgs\.csv: 3 rows were landed, 2 are there"):
            gate()
    assert file_row(warehouse_url, delivery_id, "orgs") == (None, None, None)


def test_a_ragged_record_is_set_aside_and_named_only_if_it_is_known(warehouse_url: str) -> None:
    """Laws 5 and 7: the first cell of a ragged record may be a name."""
    publish(warehouse_url, "users", "1002", "1009")
    execute(
        warehouse_url,
        f"update history.hist_users set {ENDED} where source_id = '1009'",
    )
    ragged = [("users", 3, "1002"), ("users", 4, MARKER), ("users", 5, "1009"), ("orgs", 2, "1002")]
    delivery_id = deliver(warehouse_url, {"users": [good("users")], "orgs": [good("orgs")]}, ragged=ragged)

    outcome = gate_file(delivery_id, "users", NO_LIMIT)

    assert query(
        warehouse_url, "select code, severity, row_number, sourced_id from rollcall.row_finding order by row_number"
    ) == [
        ("row_ragged", "critical", 3, "1002"),
        ("row_ragged", "critical", 4, None),
        ("row_ragged", "critical", 5, None),
    ]
    assert (outcome.rows_landed, outcome.rows_set_aside, outcome.findings) == (4, 3, {"row_ragged": 3})
    assert MARKER not in "".join(ledger(warehouse_url))


def test_a_ragged_record_before_anything_was_ever_published(warehouse_url: str) -> None:
    execute(warehouse_url, "drop table history.hist_users cascade")
    delivery_id = deliver(warehouse_url, {"users": [good("users")]}, ragged=[("users", 3, "1001")])
    gate_file(delivery_id, "users", NO_LIMIT)
    assert query(warehouse_url, "select row_number, sourced_id from rollcall.row_finding") == [(3, None)]


def bad_night() -> dict[str, list[dict[str, Any]]]:
    """A school without a name, its class, the class's enrollment; and the like that is in order."""
    return {
        **{name: [dict(row)] for name, row in GOOD.items()},
        "orgs": [good("orgs"), good("orgs", sourced_id="991", name=None)],
        "classes": [good("classes"), good("classes", sourced_id="991_1", school_sourced_id="991")],
        "enrollments": [good("enrollments"), good("enrollments", sourced_id="e2", class_sourced_id="991_1")],
    }


def gate_all(url: str, delivery_id: int, limit: Limit = NO_LIMIT) -> Any:
    for file in FILE_NAMES:
        gate_file(delivery_id, file, limit)
    return gate_delivery(delivery_id, Limits.alike(limit))


def test_the_gate_has_finished_when_every_file_was_checked_alone_and_with_the_others(warehouse_url: str) -> None:
    """A file that is landed or checked once more has to be checked with the others once more."""
    delivery_id = deliver(warehouse_url, {name: [dict(row)] for name, row in GOOD.items()})
    first, *others = FILE_NAMES
    for file in others:
        gate_file(delivery_id, file, NO_LIMIT)
    gate_delivery(delivery_id, NO_LIMITS)
    assert unfinished(warehouse_url, delivery_id) == [f"{first}.csv"], "it did not go through its own suite"
    gate_file(delivery_id, first, NO_LIMIT)
    assert unfinished(warehouse_url, delivery_id) == [f"{first}.csv"]
    gate_delivery(delivery_id, NO_LIMITS)
    assert unfinished(warehouse_url, delivery_id) == []
    gate_file(delivery_id, first, NO_LIMIT)
    assert unfinished(warehouse_url, delivery_id) == [f"{first}.csv"]


def test_a_file_that_landing_rejected_went_through_the_gate_too(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"orgs": orgs(1, 0)})
    execute(warehouse_url, "update rollcall.delivery_file set verdict = 'reject'")
    record_check = "insert into rollcall.check_result values (%s, 'orgs', 'column_missing', 'critical', 1, 1)"
    execute(warehouse_url, record_check, delivery_id)
    gate_file(delivery_id, "orgs", NO_LIMIT)
    gate_delivery(delivery_id, NO_LIMITS)
    assert unfinished(warehouse_url, delivery_id) == []


def unfinished(url: str, delivery_id: int) -> list[str]:
    with connect(url) as connection:
        return files_not_gated(connection, delivery_id)


def test_what_is_set_aside_is_unknown_to_what_refers_to_it(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, bad_night())
    gate_all(warehouse_url, delivery_id)
    assert found(warehouse_url, delivery_id, "orgs") == {3: {"orgs_name_missing": "critical"}}
    assert found(warehouse_url, delivery_id, "classes") == {3: {"classes_school_unknown": "critical"}}
    assert found(warehouse_url, delivery_id, "enrollments") == {3: {"enrollments_class_unknown": "critical"}}


def test_a_finding_across_files_can_hold_a_file_that_was_fine_alone(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, bad_night())
    assert gate_file(delivery_id, "enrollments", NO_ROW_MORE).verdict == "accept"
    outcome = gate_all(warehouse_url, delivery_id, NO_ROW_MORE)
    assert {file.file: file.verdict for file in outcome.files if file.verdict != "accept"} == {
        "orgs": "hold",
        "classes": "hold",
        "enrollments": "hold",
    }
    assert (outcome.verdict, outcome.rows_set_aside, outcome.rows_landed) == ("hold", 3, 10)
    assert file_row(warehouse_url, delivery_id, "enrollments")[:2] == (1, "hold")


def test_gating_again_leaves_the_same_ledger(warehouse_url: str) -> None:
    """Law 4, for each step by itself and for both in a row."""
    delivery_id = deliver(warehouse_url, bad_night(), ragged=[("users", 9, "x")])
    first = gate_all(warehouse_url, delivery_id)
    after = ledger(warehouse_url)
    assert gate_delivery(delivery_id, NO_LIMITS) == first
    assert ledger(warehouse_url) == after
    assert gate_all(warehouse_url, delivery_id) == first
    assert ledger(warehouse_url) == after


def test_gating_again_forgets_what_is_no_longer_so(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, bad_night(), ragged=[("orgs", 9, "x")])
    gate_all(warehouse_url, delivery_id, NO_ROW_MORE)
    execute(warehouse_url, f"update delivery_{delivery_id}.orgs set name = 'Oak School' where name is null")
    execute(warehouse_url, f"delete from delivery_{delivery_id}.ragged_row")
    execute(warehouse_url, "update rollcall.delivery_file set rows_landed = 2, rows_ragged = 0 where file = 'orgs'")
    outcome = gate_all(warehouse_url, delivery_id, NO_ROW_MORE)
    assert (outcome.verdict, outcome.rows_set_aside, outcome.findings) == (
        "accept",
        0,
        {"enrollments_school_differs": 1},
    )
    assert query(warehouse_url, "select code from rollcall.row_finding") == [("enrollments_school_differs",)]


def test_one_delivery_is_gated_without_touching_another(warehouse_url: str) -> None:
    """Law 6."""
    other = deliver(warehouse_url, bad_night())
    gate_all(warehouse_url, other)
    before = ledger(warehouse_url)
    delivery_id = deliver(warehouse_url, {"orgs": [good("orgs")]})
    gate_all(warehouse_url, delivery_id)
    assert set(before) <= set(ledger(warehouse_url))
    assert found(warehouse_url, delivery_id, "orgs") == {}


REFERRING = {"classes": [good("classes")]}


@pytest.mark.parametrize(
    ("sent", "modes", "verdict"),
    [
        ({}, {}, "accept"),
        ({"orgs": []}, {}, "accept"),
        ({"orgs": [good("orgs", sourced_id="991")]}, {"orgs": "delta"}, "accept"),
        ({"orgs": [good("orgs", sourced_id="991")]}, {}, "hold"),
    ],
    ids=["absent", "header only", "delta", "bulk"],
)
def test_references_resolve_in_what_is_published_unless_the_file_is_whole(
    warehouse_url: str, sent: dict[str, Any], modes: dict[str, str], verdict: str
) -> None:
    publish(warehouse_url, "orgs", "990")
    delivery_id = deliver(warehouse_url, {**REFERRING, **sent}, modes=modes)
    assert gate_delivery(delivery_id, NO_ROWS_MORE).verdict == verdict


def test_references_do_not_resolve_in_what_is_no_longer_or_elsewhere_published(warehouse_url: str) -> None:
    publish(warehouse_url, "orgs", "990")
    delivery_id = deliver(warehouse_url, REFERRING)
    execute(warehouse_url, "insert into rollcall.district (district_id, name) values ('other', 'Other')")
    execute(
        warehouse_url,
        "insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)"
        " values ('other', 1, %s, now(), now())",
        delivery_id,
    )
    for change in (
        ENDED,
        "valid_from_seq = 2, valid_to_seq = null, end_reason = null, ended_on = null",
        "valid_from_seq = 1, district_id = 'other'",
    ):
        execute(warehouse_url, f"update history.hist_orgs set {change}")
        assert gate_delivery(delivery_id, NO_ROWS_MORE).verdict == "hold", change
    execute(warehouse_url, "update history.hist_orgs set district_id = %s", DISTRICT)
    assert gate_delivery(delivery_id, NO_ROWS_MORE).verdict == "accept"


def test_a_delivery_can_be_gated_before_there_is_any_history(warehouse_url: str) -> None:
    execute(warehouse_url, "drop schema history cascade")
    assert gate_delivery(deliver(warehouse_url, REFERRING), NO_ROWS_MORE).verdict == "hold"


def test_the_ledger_lists_the_first_rows_of_a_rule_and_all_are_counted_and_set_aside(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "ROWS_LISTED", 3)
    classes = [good("classes", sourced_id=str(i), title=None, school_sourced_id=None) for i in range(5)]
    enrollments = [good("enrollments", sourced_id=str(i), class_sourced_id="nowhere") for i in range(5)]
    ragged = [("enrollments", 10 + i, "x") for i in range(5)]
    delivery_id = deliver(warehouse_url, {"classes": classes, "enrollments": enrollments}, ragged=ragged)

    outcome = gate_all(warehouse_url, delivery_id)

    counted = {code: outcome.findings[code] for code in FLOOD}
    assert counted == dict.fromkeys(FLOOD, 5)
    listed: dict[str, list[int]] = {}
    for file in ("classes", "enrollments"):
        for line, codes in sorted(found(warehouse_url, delivery_id, file).items()):
            for code in codes:
                listed.setdefault(code, []).append(line)
    assert {code: listed[code] for code in FLOOD} == FLOOD
    assert [file.rows_set_aside for file in outcome.files] == [5, 10]
    assert query(
        warehouse_url, f"select file, count(distinct row_number) from delivery_{delivery_id}.row_set_aside group by 1"
    ) == [("classes", 5), ("enrollments", 10)]


FLOOD = {
    "classes_title_missing": [2, 3, 4],
    "classes_school_sourced_id_missing": [2, 3, 4],
    "enrollments_class_unknown": [2, 3, 4],
    "row_ragged": [10, 11, 12],
}
"""A warning, a rule that sets aside in one file, one across files, and what could not be read; with what is listed."""


def test_a_delivery_of_which_it_is_not_known_what_is_set_aside_is_not_judged(warehouse_url: str) -> None:
    """A crash of the database takes that along with the landed rows; here there were none: every record is ragged."""
    delivery_id = deliver(warehouse_url, {"orgs": []}, ragged=[("orgs", 2, "x")])
    gate_all(warehouse_url, delivery_id)
    execute(warehouse_url, f"truncate delivery_{delivery_id}.row_set_aside")
    with pytest.raises(LandedRowsGoneError, match=r"orgs\.csv: which records are set aside is not known"):
        gate_delivery(delivery_id, NO_LIMITS)
    execute(warehouse_url, f"drop table delivery_{delivery_id}.row_set_aside cascade")  # an older version made none
    with pytest.raises(LandedRowsGoneError, match=r"orgs\.csv: which records are set aside is not known"):
        gate_file(delivery_id, "orgs", NO_LIMIT)


def test_a_rule_whose_rows_are_not_as_many_as_it_counts_accepts_nothing(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rollcall.gate import inspection

    delivery_id = deliver(warehouse_url, {"orgs": orgs(3, 2)})
    real = inspection._evaluation
    wrong = all_rules()["orgs_name_missing"]
    monkeypatch.setattr(
        inspection,
        "_evaluation",
        lambda rule, *given: replace(real(rule, *given), rows_failed=1) if rule == wrong else real(rule, *given),
    )
    with pytest.raises(GateError, match="orgs_name_missing counted 1 rows, but its query selects 2"):
        gate_file(delivery_id, "orgs", NO_LIMIT)
    assert query(warehouse_url, "select * from rollcall.check_result") == []


def personal(file: str) -> dict[str, str]:
    """A record whose every cell is personal, and wrong."""
    from rollcall.oneroster import FILE_BY_NAME

    cells = {
        column.column_name: f"{MARKER} {column.name}@x.org 3/4/2012" for column in FILE_BY_NAME[file].landed_columns
    }
    return {**cells, "sourced_id": "7 7"}


def test_no_cell_leaves_the_warehouse(
    warehouse_url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Law 7: with every cell personal and wrong, neither ledger nor outcome nor log tells any."""
    caplog.set_level(logging.DEBUG)
    wrong = {file: [personal(file), personal(file)] for file in FILE_NAMES}
    delivery_id = deliver(warehouse_url, wrong, ragged=[("users", 9, MARKER)])
    outcome = gate_all(warehouse_url, delivery_id)
    assert len(outcome.findings) > 40
    assert_untold(warehouse_url, caplog, capfd, outcome)


STUMBLES = "given_name::integer > 0"


@pytest.mark.parametrize(
    ("suite", "type_", "judged"),
    [
        ("users", "expect_no_rows_where", {"condition": STUMBLES}),
        (
            "users",
            "expect_no_rows_from",
            {"unexpected_rows_query": f"select _row, sourced_id from {{batch}} where {STUMBLES}"},
        ),
        (
            "delivery",
            "expect_no_rows_from",
            {"unexpected_rows_query": f"select _row, sourced_id from {{batch}} where {STUMBLES}"},
        ),
    ],
)
def test_no_cell_leaves_the_warehouse_when_a_rule_stumbles_over_it(
    warehouse_url: str,
    suites: Path,
    suite: str,
    type_: str,
    judged: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Law 7: PostgreSQL's own message quotes the cell that it cannot cast."""
    caplog.set_level(logging.DEBUG)
    add_rule(suite, type_, "critical", "users_stumbles", **judged)
    delivery_id = deliver(warehouse_url, {"users": [personal("users")]})
    with pytest.raises(GateError) as raised:
        gate_all(warehouse_url, delivery_id)
    assert str(raised.value) == "users_stumbles could not be evaluated: InvalidTextRepresentation."
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert_untold(warehouse_url, caplog, capfd, raised.value)


def test_a_warehouse_that_is_away_is_told_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    from rollcall.gate.inspection import inspect

    caplog.set_level(logging.DEBUG)
    with (
        working_on(warehouse="postgresql://someone:secret@127.0.0.1:1/nowhere"),
        pytest.raises(GateError, match=r"^The checks could not be made: \w+\.$") as raised,
        inspect("delivery_1"),
    ):
        pass
    assert raised.value.__suppress_context__
    assert "secret" not in caplog.text


def assert_untold(url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], told: object) -> None:
    captured = capfd.readouterr()
    everything = [*ledger(url), caplog.text, captured.out, captured.err, repr(told)]
    assert not [text for text in everything if MARKER in text]


def test_the_libraries_below_are_silent_while_they_look(
    warehouse_url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Law 7: what they log on a bad day is not ours to know, so nothing is."""
    from rollcall.gate.inspection import inspect

    caplog.set_level(logging.DEBUG)
    with inspect("delivery_1"):
        for name in ("great_expectations.validator.validation_graph", "sqlalchemy.engine.Engine", "sqlalchemy"):
            logging.getLogger(name).error("Caught exception %s", MARKER)
    assert_untold(warehouse_url, caplog, capfd, None)


def test_the_gate_leaves_logging_and_the_server_as_they_were(warehouse_url: str) -> None:
    logger = logging.getLogger("great_expectations")
    before = (logger.level, logger.propagate, list(logger.handlers))
    gate_all(warehouse_url, deliver(warehouse_url, bad_night()))
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    deadline = time.monotonic() + 10  # a server process takes a moment to leave
    while query(warehouse_url, "select from pg_stat_activity where starts_with(application_name, 'rollcall')"):
        assert time.monotonic() < deadline, "a connection was left behind"
        time.sleep(0.05)


def test_great_expectations_fetches_no_row(warehouse_url: str) -> None:
    """Law 7, and memory: it would load every row that an SQL rule finds, to keep 200 of them."""
    from sqlalchemy import Engine, event

    fetched: dict[str, int] = {}

    def count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        counts = any(word in statement for word in ("SELECT COUNT(", "SELECT count(", "sum(", "bool_or("))
        if "sourced_id" in statement and not counts:
            fetched[statement] = cursor.rowcount

    event.listen(Engine, "after_cursor_execute", count)
    try:
        gate_all(warehouse_url, deliver(warehouse_url, bad_night()))
    finally:
        event.remove(Engine, "after_cursor_execute", count)
    assert any("name IS NULL" in statement for statement in fetched)
    assert {statement for statement, rows in fetched.items() if rows} == set()


def test_rules_of_columns_and_rows_are_asked_in_one_scan(warehouse_url: str) -> None:
    """However many they are; the library scans the table anew for each query, and would for each row condition."""
    from sqlalchemy import Engine, event

    from rollcall.gate.inspection import inspect

    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM users" in statement and "LIMIT" not in statement:
            asked.append(statement)

    delivery_id = deliver(warehouse_url, {"users": [good("users")]})
    rules = [rule for rule in suite_rules("users") if rule.own_query is None and rule.sent_as != "delta"]
    own = [rule for rule in rules if rule.expectation["type"] == "expect_no_rows_where"]
    event.listen(Engine, "before_cursor_execute", note)
    try:
        with inspect(f"delivery_{delivery_id}") as inspection:
            assert not any(evaluation.rows_failed for evaluation in inspection.evaluate("users", rules))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    # One to count the table's rows, one for the lengths of cells, one for everything else.
    assert len(asked) == 3
    assert max(statement.count('"rows.where') for statement in asked) == len(own) > 15


def test_a_password_with_every_special_character(warehouse_url: str) -> None:
    from sqlalchemy import make_url

    from rollcall.gate.inspection import _connection_string

    password = "p$a{ss}/w@rd:%20 ?#&+${HOME}"
    url = make_url(warehouse_url).set(password=password).render_as_string(hide_password=False)
    with working_on(warehouse=url):
        string = _connection_string()
    assert make_url(string).password == password
    assert "$" not in string, "Great Expectations would take it for a variable"
