"""Going back to an earlier publication, and reading as of an earlier night.

All tests begin with one story of six nights, which is played once.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from helpers.deliveries import FIRST_NIGHT, accept, execute, query, reland_nothing
from helpers.inbox import district as district_of
from helpers.logged import heard_by
from helpers.marts import marts_of
from helpers.postgres import DATABASE
from helpers.schools import Rows, record, school_district, without
from typer.testing import CliRunner

from rollcall import ledger
from rollcall.cli import app, main
from rollcall.conform import CannotRollBackError, Rollback, conform, roll_back
from rollcall.conform.history import HISTORY_TABLES
from rollcall.conform.session import CONFORM_LOCK
from rollcall.decision.acceptance import accept as accept_received
from rollcall.pointer import move_effective_date
from rollcall.states import DeliveryState
from rollcall.warehouse import connect
from rollcall.who import Person

KEPT = "rollcall_six_nights"
OF_THE_PUBLICATION = (
    "roster.agg_school_daily",
    "roster.agg_grade_daily",
    "roster_restricted.agg_subgroup_daily",
    "roster.fct_membership_spell",
    "roster.fct_roster_change",
    "roster.fct_class_change",
    "roster.qc_district",
    "roster.qc_finding",
    "roster.dim_district",
)
"""Marts that show of which night and sequence the others are, or all nights."""
CHILD = """
from rollcall.conform import roll_back
from rollcall.who import Person
roll_back("lake", to=1, by=Person("Jo", "jo"), why="wrong files")
"""

Marts = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Story:
    """Six nights of the district lake, beside the district hill, which has one.

    Sequence 1 is of the first night, and counts for the second, too; 2 of the third; 3, of the fourth, was held back by
    an audit; 4 of the fifth; 5, of the sixth, has the content of 4.

    Attributes:
        seen: What readers saw of lake after each night.
        failed: The delivery that was held back.
    """

    seen: dict[int, Marts]
    failed: int


def night(number: int) -> date:
    return FIRST_NIGHT + timedelta(days=number - 1)


@pytest.fixture(scope="module")
def story(postgres: Any, warehouse_template: str) -> Iterator[Story]:
    with postgres.worked_on(warehouse_template) as url:
        accept(url, "hill", 1, school_district())
        seen = {}
        publish(url, 1, first_content())
        seen[1] = marts_of(url, "lake")
        with connect(url) as connection:
            same = ledger.open_delivery(connection, district_of("lake"), night(2), "same")
            assert move_effective_date(connection, "lake", same.delivery_id, night(2))
            ledger.set_state(connection, same.delivery_id, DeliveryState.UNCHANGED)
        seen[2] = marts_of(url, "lake")
        publish(url, 2, second_content(), night(3))
        seen[3] = marts_of(url, "lake")
        failed = publish(url, 3, without(second_content(), "orgs", "994"), night(4))
        seen[4] = marts_of(url, "lake")
        publish(url, 4, third_content(), night(5))
        seen[5] = marts_of(url, "lake")
        publish(url, 5, third_content(), night(6))
        seen[6] = marts_of(url, "lake")
        postgres.create(KEPT, DATABASE)
    yield Story(seen, failed)
    postgres.drop(KEPT)


@pytest.fixture
def url(postgres: Any, story: Story) -> Iterator[str]:
    """The warehouse after the six nights."""
    with postgres.worked_on(KEPT) as url:
        yield url


def publish(url: str, sequence: int, rows: Rows, service_date: date = FIRST_NIGHT, **how: Any) -> int:
    """Have a delivery of lake built; its content hash tells its sequence."""
    delivery_id = accept(url, "lake", sequence, rows, service_date=service_date, **how)
    execute(
        url, "update rollcall.delivery set content_hash = %s where delivery_id = %s", f"hash {sequence}", delivery_id
    )
    conform(reland=reland_nothing)
    return delivery_id


def go_back(to: int | None = None, district: str = "lake") -> Rollback:
    return roll_back(district, to=to, by=Person("Jo", "jo"), why="wrong files")


def first_content() -> Rows:
    """Somebody's last day is the first night."""
    rows = school_district()
    record(rows, "enrollments", "994_1001:994_1001_S0")["end_date"] = night(1).isoformat()
    return rows


def second_content() -> Rows:
    """Somebody leaves, somebody is called otherwise, a course is new, a school is gone with all that is in it."""
    rows = without(first_content(), "enrollments", "994_1000:994_1000_S0")
    record(rows, "users", "994_1000_S1")["given_name"] = "Grace"
    rows["courses"].append({"sourced_id": "ART", "title": "Art", "org_sourced_id": "D"})
    rows["classes"] = [row for row in rows["classes"] if row["school_sourced_id"] != "995"]
    rows["enrollments"] = [row for row in rows["enrollments"] if row["school_sourced_id"] != "995"]
    return without(rows, "orgs", "995")


def third_content() -> Rows:
    """The name is what it was, somebody else is new."""
    rows = second_content()
    record(rows, "users", "994_1000_S1")["given_name"] = "Ada"
    rows["users"].append({**record(rows, "users", "994_1000_S2"), "sourced_id": "new", "given_name": "Mary"})
    place = record(rows, "enrollments", "994_1000:994_1000_S2")
    rows["enrollments"].append({**place, "sourced_id": "new", "user_sourced_id": "new"})
    return rows


def of_night(marts: Marts) -> Marts:
    """Without what says whether the night was asked for."""
    return {
        mart: [(re.sub(r",(\d{4}-\d\d-\d\d)?\)$", ")", row),) for (row,) in rows]
        if mart == "roster.dim_district"
        else rows
        for mart, rows in marts.items()
    }


def of_one_night(marts: Marts) -> Marts:
    """Without the marts that tell publications apart."""
    return {mart: rows for mart, rows in marts.items() if mart not in OF_THE_PUBLICATION}


def shown(url: str) -> Marts:
    return of_one_night(marts_of(url, "lake"))


def physical_rows(url: str, where: str = "true") -> list[Any]:
    """Where every version lies, and who wrote it: differs after any write."""
    return [
        query(url, f"select ctid::text, xmin::text from {table} where {where} order by 1") for table in HISTORY_TABLES
    ]


def test_readers_see_again_what_they_saw_and_only_what_differs_is_written(url: str, story: Story) -> None:
    """Law 10. Back, forward, and to before an earlier rollback."""
    contents = {1: story.seen[2], 2: story.seen[3], 4: story.seen[5]}
    contents = {sequence: of_one_night(marts) for sequence, marts in contents.items()}
    assert contents[1] != contents[2] != contents[4] != contents[1]
    ada = "history.hist_users where district_id = 'lake' and given_name = 'Ada' and source_id <> 'new'"
    before = query(url, f"select ctid::text, xmin::text from {ada} and valid_to_seq is null order by 1")
    others = physical_rows(url, "district_id = 'hill'")

    first = go_back(to=1)

    assert (first.sequence, first.from_sequence, first.to_sequence) == (6, 5, 1)
    assert {file: (each.added, each.changed, each.removed) for file, each in first.changes.items()} == {
        "orgs": (1, 0, 0),
        "courses": (0, 0, 1),
        "users": (0, 0, 1),
        "classes": (2, 0, 0),
        "enrollments": (9, 0, 1),
    }
    assert shown(url) == contents[1]
    after = query(url, f"select ctid::text, xmin::text from {ada} and valid_to_seq is null order by 1")
    assert after == before, "the name that had come back by itself, too"
    assert physical_rows(url, "district_id = 'hill'") == others
    new = "select valid_from_seq, valid_to_seq, end_reason, ended_on from history.hist_users where source_id = 'new'"
    assert query(url, new) == [(4, 6, "rolled_back", night(6))]
    assert query(
        url,
        "select sequence, effective_date, build_id, service_date, source, state, state_reason, content_hash"
        " from rollcall.publication inner join rollcall.delivery using (delivery_id)"
        " where publication.district_id = 'lake'",
    ) == [(6, night(6), None, night(6), "rollback", "published",
           "Rolled back from sequence 5 to 1 by Jo: wrong files", "hash 1")]  # fmt: skip
    recorded = "select sequence, from_sequence, to_sequence, rolled_back_by, login, why from rollcall.rollback"
    assert query(url, recorded) == [(6, 5, 1, "Jo", "jo", "wrong files")]
    moves = "select sequence from rollcall.publication_event where district_id = 'lake' order by publication_event_id"
    assert query(url, moves) == [(1,), (1,), (2,), (4,), (5,), (6,)]

    for to, expected, sequence in [(None, 4, 5), (2, 2, 2), (6, 1, 6), (2, 2, 2)]:
        went = go_back(to)
        assert (shown(url), went.to_sequence) == (contents[expected], sequence)
    with connect(url) as connection:
        of_the_night = ledger.delivery_of_night(connection, "lake", night(6))
    assert of_the_night is not None
    assert of_the_night.accepted_sequence == 5, "no run received a rollback"


def test_later_deliveries_build_on_what_was_gone_back_to(url: str) -> None:
    """A row set aside keeps the restored version, a delta applies to it, a bulk file removes what only it has."""
    go_back(to=2)
    rows = second_content()
    broken = record(rows, "users", "994_1000_S1")
    broken["given_name"] = "Wrong"
    delivered: Rows = {
        "users": rows["users"],
        "courses": [{**rows["courses"][0], "title": "Mathematics II"}],
        "enrollments": [row for row in rows["enrollments"] if row["sourced_id"] != "994_1000:994_1000_S2"],
    }
    delivery_id = publish(
        url,
        7,
        delivered,
        night(7),
        no_evidence={"courses"},
        set_aside={("users", 2 + rows["users"].index(broken))},
    )

    assert query(
        url,
        "select entity, added, changed, removed, kept from rollcall.change_count where delivery_id = %s"
        " and added + changed + removed + kept > 0 and entity in ('users', 'courses', 'enrollments') order by 1",
        delivery_id,
    ) == [("courses", 0, 1, 0, 1), ("enrollments", 0, 0, 1, 0), ("users", 0, 0, 0, 1)]
    versions = "select valid_from_seq, valid_to_seq, end_reason from history.hist_{} where district_id = 'lake' and "
    assert query(url, versions.format("users") + "given_name in ('Grace', 'Wrong') order by 1") == [
        (2, 4, "changed"),
        (6, None, None),
    ]
    assert query(url, versions.format("enrollments") + "source_id = '994_1000:994_1000_S2' order by 1") == [
        (1, 7, "missing")
    ]
    assert query(url, "select course_name from roster.dim_course where district_id = 'lake' order by 1") == [
        ("Art",),
        ("Mathematics II",),
    ]
    assert go_back().to_sequence == 6


def test_a_rollback_that_is_killed_leaves_nothing_and_can_be_run_again(url: str) -> None:
    """Law 4."""
    before, seen = physical_rows(url), shown(url)
    with psycopg.connect(url) as blocker:
        blocker.execute("lock table rollcall.publication_event in share row exclusive mode")
        child = subprocess.Popen([sys.executable, "-c", CHILD], env=os.environ | {"AIRFLOW_CONN_WAREHOUSE": url})
        _wait_for(url, "select count(*) > 0 from pg_locks where not granted")
        assert shown(url) == seen, "nothing is seen of it before it is done"
        child.send_signal(signal.SIGKILL)
        child.wait()
    _wait_for(url, "select count(*) = 0 from pg_stat_activity where application_name = 'rollcall-conform'")

    assert physical_rows(url) == before
    assert query(url, "select count(*) from rollcall.rollback") == [(0,)]
    assert go_back(to=1).sequence == 6


def _wait_for(url: str, condition: str) -> None:
    deadline = time.monotonic() + 60
    while query(url, condition) != [(True,)]:
        assert time.monotonic() < deadline, f"never came true: {condition}"
        time.sleep(0.02)


def test_what_cannot_be_gone_back_to_is_refused_in_words(
    url: str, story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(url, "insert into rollcall.district values ('new', 'New', 'inclusive')")
    state = "select state from rollcall.delivery where delivery_id = %s"
    assert query(url, state, story.failed) == [("audit_failed",)]
    before = physical_rows(url)
    for district, to, words in [
        ("nowhere", None, "knows no district"),
        ("new", None, "Nothing of new was ever published"),
        ("hill", None, "Nothing of another content"),
        ("lake", 3, "Sequence 3 of lake was never published. Before 5 were: 4, 2, 1."),
        ("lake", 0, "never published"),
        ("lake", 5, "not older than sequence 5"),
        ("lake", 6, "not older than sequence 5"),
        ("lake", 4, "has the content that readers see already"),
    ]:
        with pytest.raises(CannotRollBackError, match=words):
            go_back(to, district)
    monkeypatch.setattr(sys, "argv", ["rollcall", "rollback", "lake", "--to", "3", "--by", "Jo", "--why", "so"])
    with pytest.raises(SystemExit) as exited:
        main()
    assert exited.value.code == 2
    assert "was never published" in " ".join(capsys.readouterr().err.split())

    waiting = accept(url, "lake", 6, second_content(), service_date=night(7))
    with pytest.raises(CannotRollBackError, match="accepted and waits for its build"):
        go_back()
    execute(url, "update rollcall.delivery set state = 'discarded' where delivery_id = %s", waiting)
    assert physical_rows(url) == before

    told = CliRunner().invoke(app, ["rollback", "lake", "--by", "Jo", "--why", "so", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["to_sequence"] == 2, "the last one of another content"
    told = CliRunner().invoke(app, ["rollback", "lake", "--to", "1", "--by", "Jo", "--why", "so"])
    assert "readers see sequence 8 now, with the content of sequence 1" in " ".join(told.stdout.split())


def test_what_was_published_while_the_rollback_waited_is_not_gone_back_from(url: str) -> None:
    """Whoever went back looked at another publication."""

    def publish_meanwhile(line: str) -> None:
        assert "waiting" in line
        execute(url, "update rollcall.publication set sequence = 4 where district_id = 'lake'")
        other.execute("select pg_advisory_unlock(%s)", [CONFORM_LOCK])

    with psycopg.connect(url, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", [CONFORM_LOCK])
        meanwhile = "Sequence 4 of lake was published meanwhile"
        with heard_by(publish_meanwhile), pytest.raises(CannotRollBackError, match=meanwhile):
            roll_back("lake", to=None, by=Person("Jo", "jo"), why="so")


def test_content_that_was_taken_back_is_held_until_it_is_published_again(url: str) -> None:
    """By what the ledger knows of content alone; the whole way is played in tests/scenarios."""

    def is_held(sequence: int) -> bool:
        """Whether a delivery that was let through before the rollback is held at the last moment."""
        with connect(url) as connection:
            sent = ledger.open_delivery(connection, district_of("lake"), night(8), "once more")
            ledger.set_state(connection, sent.delivery_id, DeliveryState.RECEIVED, decided=True)
            connection.execute("update rollcall.delivery set content_hash = %s where delivery_id = %s",
                               (f"hash {sequence}", sent.delivery_id))  # fmt: skip
        acceptance = accept_received(sent.delivery_id)
        holds = query(url, "select reasons -> 0 ->> 'code' from rollcall.hold where delivery_id = %s", sent.delivery_id)
        execute(url, "delete from rollcall.hold where delivery_id = %s", sent.delivery_id)
        execute(url, "delete from rollcall.delivery where delivery_id = %s", sent.delivery_id)
        assert holds == ([] if acceptance.sequence else [("hold_rolled_back",)])
        return acceptance.sequence is None

    assert not any(is_held(sequence) for sequence in (1, 2, 3, 4, 5))
    go_back(to=1)
    assert [is_held(sequence) for sequence in (1, 2, 3, 4, 5)] == [False, True, False, True, True]
    go_back(to=4)
    assert [is_held(sequence) for sequence in (1, 2, 3, 4, 5)] == [True, True, False, False, True]


def test_with_a_night_set_every_mart_shows_what_it_showed_then(url: str, story: Story) -> None:
    """Sequences that stood for several nights, one that was held back, one of no change, and a rollback at the end."""
    went = go_back(to=1)
    present = marts_of(url, "lake")
    seen = {**story.seen, 6: present}
    assert len({repr(of_one_night(marts)) for marts in seen.values()}) == 4, "the first night differs by a last day"
    for role in (None, "everybody"):
        if role is not None:
            execute(url, f"create role {role}; grant roster_restricted_reader to {role}")
            execute(url, f"insert into rollcall.reader_district values ('{role}', 'lake', 'test')")
        try:
            for number, marts in seen.items():
                as_of = marts_of(url, "lake", as_of=night(number).isoformat(), role=role)
                for mart, rows in marts.items():
                    assert of_night(as_of)[mart] == of_night({mart: rows})[mart], (number, mart, role)
            day_without = (night(6) + timedelta(days=1)).isoformat()
            assert of_night(marts_of(url, "lake", as_of=day_without, role=role)) == of_night(present), "nothing since"
            assert marts_of(url, "lake", as_of="", role=role) == marts_of(url, "lake", role=role) == present
            before_all = marts_of(url, "lake", as_of=night(0).isoformat(), role=role)
            assert before_all.keys() == present.keys()
            assert [mart for mart, rows in before_all.items() if rows] == ["roster.qc_district"]
        finally:
            if role is not None:
                execute(url, f"drop owned by {role}; drop role {role}")
    assert went.effective_date == night(6)


def test_law_08_settings_that_change_today_rewrite_no_night_before(url: str, story: Story) -> None:
    """What is written while a delivery is waited for, too: nothing of it was accepted."""
    before = {number: marts_of(url, "lake", as_of=night(number).isoformat()) for number in range(1, 7)}
    present = marts_of(url, "lake")
    with connect(url) as connection:
        ledger.record_district(connection, district_of("lake", name="Renamed", enrollment_end_date="exclusive"))
    assert marts_of(url, "lake") == present

    with connect(url) as connection:
        same = ledger.open_delivery(connection, district_of("lake"), night(7), "unchanged")
        assert move_effective_date(connection, "lake", same.delivery_id, night(7))
    assert "Renamed" in str(marts_of(url, "lake")["roster.dim_district"]), "from the next night on"
    go_back(to=1)
    assert query(
        url, "select district_name, enrollment_end_date from rollcall.publication where district_id = 'lake'"
    ) == [("District lake", "inclusive")], "a rollback shows what was shown"
    for number, marts in before.items():
        assert marts_of(url, "lake", as_of=night(number).isoformat()) == marts, number


def test_a_last_day_counts_by_the_habit_that_the_night_was_published_with(url: str, story: Story) -> None:
    """Somebody's last day is the first night, and the district sends nothing else ever after."""
    counted = "select enrollments from roster.agg_school_daily where district_id = 'lake' and school_source_id = '994'"
    counts = query(url, f"{counted} order by effective_date")
    execute(url, "update rollcall.district set enrollment_end_date = 'exclusive' where district_id = 'lake'")
    assert query(url, f"{counted} order by effective_date") == counts


def test_every_move_of_the_pointer_has_its_moment(url: str, story: Story) -> None:
    moments = query(
        url, "select published_at, moved_at from rollcall.publication_event where district_id = 'lake' order by 2"
    )
    assert moments[0][0] == moments[1][0], "the second night had nothing new"
    moved = [moment for _, moment in moments]
    assert len(set(moved)) == len(moved) == 5


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("roster.as_of", "the day after", "'the day after', which is no date"),
        ("roster.as_of", "10/07/2026", "no date"),
        ("roster.as_of", "2026-02-31", "no date"),
        ("roster.as_of", "infinity", "no date"),
        ("roster.as_of", "2999-12-31", "has not come anywhere"),
        ("roster.asof", "2026-10-02", "roster.asof means nothing"),
        ("rooster.as_of", "2026-10-02", "rooster.as_of means nothing"),
    ],
)
def test_a_night_that_cannot_be_meant_is_refused_in_words(
    url: str, story: Story, setting: str, value: str, words: str
) -> None:
    execute(url, "create role asking login in role roster_reader")
    execute(url, "insert into rollcall.reader_district values ('asking', 'lake', 'test')")
    try:
        with psycopg.connect(psycopg.conninfo.make_conninfo(url, user="asking")) as session:
            session.execute("select set_config(%s, %s, true)", [setting, value])
            with pytest.raises(psycopg.DatabaseError, match=words) as refused:
                session.execute("select from roster.roster")
            assert "roster.as_of" in str(refused.value.diag.message_hint)
            session.rollback()
            session.execute("select from roster.roster")
    finally:
        execute(url, "drop role asking")


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("roster.compare_with", "last week", "'last week', which is no date"),
        ("roster.compare_with", "2999-12-31", "has not come anywhere"),
        ("roster.compare_with", "2026-10-05", "later than roster.as_of, 2026-10-04"),
        ("roster.compare_to", "2026-10-02", "roster.compare_to means nothing"),
    ],
)
def test_two_nights_that_cannot_be_compared_are_refused_in_words(
    url: str, story: Story, setting: str, value: str, words: str
) -> None:
    with psycopg.connect(url) as session:
        session.execute("set roster.as_of = '2026-10-04'")
        session.execute("select set_config(%s, %s, true)", [setting, value])
        with pytest.raises(psycopg.DatabaseError, match=words) as refused:
            session.execute("select from roster.fct_roster_change")
        assert "roster.compare_with" in str(refused.value.diag.message_hint)


def test_which_night_was_asked_for_can_be_seen(url: str, story: Story) -> None:
    with psycopg.connect(url) as session:
        asked = "select as_of from roster.dim_district where district_id = 'lake'"
        assert session.execute(asked).fetchall() == [(None,)]
        session.execute("set roster.as_of = '2026-10-02'")
        assert session.execute(asked).fetchall() == [(night(2),)]
