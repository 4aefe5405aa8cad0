"""The steps ``decide``, ``accept`` and the settling of holds, on a real ledger."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from helpers.deliveries import ENDED, execute, hash_versions, land, land_file, put_aside, query
from helpers.inbox import district
from helpers.logged import heard_by
from helpers.threads import Thread

from rollcall import ledger
from rollcall.decision.acceptance import Acceptance, accept, accept_approved
from rollcall.decision.decide import Decision, GateUnfinishedError, decide
from rollcall.decision.holds import Answer, Hold, hold_of, supersede_holds
from rollcall.decision.settle import CannotSettleError, Ruling, settle
from rollcall.ledger import UnknownDeliveryError
from rollcall.warehouse import connect

NIGHT = date(2026, 11, 23)
APPROVED = Answer("approved", "Jo", "Checked with the district.", "cli", "jo-login")
SCHOOLS = {"994": 150, "995": 50}


pytestmark = pytest.mark.usefixtures("warehouse_url")


@pytest.fixture
def url(warehouse_url: str) -> str:
    return warehouse_url


def deliver(
    url: str,
    users: Sequence[str] | None = ("u1",),
    *,
    nights_later: int = 0,
    mode: str = "bulk",
    verdict: str = "accept",
    status: Mapping[str, str] | None = None,
    state: str = "received",
) -> int:
    """Leave a delivery of users.csv as the gate leaves it: landed and judged."""
    with psycopg.connect(url) as connection:
        connection.execute("insert into rollcall.district values ('maple', 'Maple') on conflict do nothing")
        row = connection.execute(
            "insert into rollcall.delivery (district_id, service_date, run_id, state)"
            " values ('maple', %s, gen_random_uuid(), %s) returning delivery_id",
            [NIGHT + timedelta(days=nights_later), state],
        ).fetchone()
        assert row
        delivery_id = int(row[0])
        rows = [
            {"sourced_id": user, "org_sourced_ids": school_of(user), "status": (status or {}).get(user)}
            for user in users or ()
        ]
        land(connection, delivery_id, {"users": rows})
        if users is not None:
            connection.execute(
                "insert into rollcall.delivery_file (delivery_id, file, sent_name, archive_path, sha256, size_bytes,"
                " mode, rows_landed, rows_ragged, rows_set_aside, verdict, verdict_reason, gated) values"
                " (%s, 'users', 'users.csv', '', '', 0, %s, %s, 0, 0, %s, 'users.csv is not right.', 'together')",
                [delivery_id, mode, len(rows), verdict],
            )
    return delivery_id


def school_of(user: str) -> str | None:
    """The school that a user's id begins with, as `publish` makes them."""
    school, dash, _ = user.strip().partition("-")
    return school if dash else None


def send(url: str, delivery_id: int, file: str, rows: Sequence[Mapping[str, Any]], *, mode: str = "bulk") -> None:
    """Add a file to a delivery, as the gate leaves it."""
    with psycopg.connect(url) as connection:
        land_file(connection, delivery_id, file, rows)
        connection.execute(
            "insert into rollcall.delivery_file (delivery_id, file, sent_name, archive_path, sha256, size_bytes,"
            " mode, rows_landed, rows_ragged, rows_set_aside, verdict, gated)"
            " values (%s, %s, '', '', '', 0, %s, %s, 0, 0, 'accept', 'together')",
            [delivery_id, file, mode, len(rows)],
        )


def gated(url: str, delivery_id: int, progress: str | None) -> None:
    """Have the gate have come so far with the delivery."""
    execute(url, "update rollcall.delivery_file set gated = %s where delivery_id = %s", progress, delivery_id)


def finding(
    url: str,
    delivery_id: int,
    sourced_id: str | None,
    *,
    row: int = 2,
    code: str = "test",
) -> None:
    """Have a row of users.csv break a critical check."""
    with psycopg.connect(url) as connection:
        put_aside(connection, delivery_id, "users", row, sourced_id, code)


def publish(url: str, users: Mapping[str, int]) -> list[str]:
    """Have readers see so many users per school, from a delivery of the night before; returns their ids."""
    delivery_id = deliver(url, nights_later=-1, state="published")
    execute(
        url,
        "insert into rollcall.publication values ('maple', 1, %s, %s, now(), null)",
        delivery_id,
        NIGHT - timedelta(days=1),
    )
    execute(url, "update rollcall.delivery set accepted_sequence = 1 where delivery_id = %s", delivery_id)
    ids = [f"{school}-{number}" for school, count in users.items() for number in range(count)]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into history.hist_users (district_id, source_id, valid_from_seq, row_hash, org_source_ids)"
            " values ('maple', %s, 1, gen_random_uuid(), %s)",
            [(one, [one.split("-")[0]]) for one in ids],
        )
        hash_versions(connection, "users")
    return ids


def without(ids: Sequence[str], school: str, count: int) -> list[str]:
    """The ids but for some of a school's."""
    gone = {f"{school}-{number}" for number in range(count)}
    return [one for one in ids if one not in gone]


def told(decision: Decision) -> list[tuple[Any, ...]]:
    """The reasons of a decision."""
    return [(one.code, one.file, one.school_source_id, one.count, one.of) for one in decision.reasons]


def expected(url: str, delivery_id: int, *more: str) -> dict[tuple[str, str | None], dict[str, int]]:
    """The forecast in the ledger, per file and school."""
    names = ("published", "added", "changed", "removed", *more)
    rows = query(
        url,
        f"select file, school_source_id, {', '.join(names)} from rollcall.expected_change where delivery_id = %s",
        delivery_id,
    )
    return {(file, school): dict(zip(names, numbers, strict=True)) for file, school, *numbers in rows}


def state_of(url: str, delivery_id: int) -> str:
    return str(query(url, "select state from rollcall.delivery where delivery_id = %s", delivery_id)[0][0])


def hold(url: str, delivery_id: int) -> Hold:
    with connect(url) as connection:
        found = hold_of(connection, delivery_id)
    assert found
    return found


def approve(url: str, delivery_id: int, settlement: Any = "approved", **changes: Any) -> Ruling:
    with connect(url) as connection:
        return settle(connection, delivery_id, replace(APPROVED, settlement=settlement, **changes))


def decisions(url: str, delivery_id: int) -> list[tuple[Any, ...]]:
    """Every answer to the hold, in the order in which they were written down."""
    return query(
        url,
        "select settlement, decided_by, login, why, via, outcome from rollcall.hold_decision"
        " where delivery_id = %s order by hold_decision_id",
        delivery_id,
    )


def evidence(url: str, delivery_id: int) -> bool:
    statement = "select absence_is_evidence from rollcall.delivery_file where delivery_id = %s and file = 'users'"
    return bool(query(url, statement, delivery_id)[0][0])


def test_a_first_delivery_is_held_where_the_district_says_so(url: str) -> None:
    delivery_id = deliver(url)
    assert decide(district(first_delivery="hold"), delivery_id).verdict == "hold"
    assert state_of(url, delivery_id) == "held"
    assert hold(url, delivery_id).sentences == ("This is the district's first delivery: a person releases it.",)


def first_export(url: str, *, enrolled: int, with_grades: bool = True) -> int:
    """A first delivery of a school with 200 students and 10 teachers, of whom so many students are in classes."""
    delivery_id = deliver(url, None)
    students, teachers = [f"s{number}" for number in range(200)], [f"t{number}" for number in range(10)]
    grades = "07" if with_grades else None
    send(url, delivery_id, "orgs", [{"sourced_id": "990", "type": "school"}])
    people = [{"sourced_id": each, "role": "student", "grades": grades} for each in students]
    people += [{"sourced_id": each, "role": "teacher", "email": f"{each}@maple.example"} for each in teachers]
    send(url, delivery_id, "users", people)
    send(url, delivery_id, "classes", [{"sourced_id": f"c{number}"} for number in range(10)])
    places = [
        {"sourced_id": f"e{number}-{period}", "user_sourced_id": student, "role": "student",
         "class_sourced_id": f"c{(number + period) % 10}"}
        for number, student in enumerate(students[:enrolled]) for period in range(2)
    ]  # fmt: skip
    places += [
        {"sourced_id": f"e-{each}", "user_sourced_id": each, "role": "teacher", "class_sourced_id": f"c{each[1:]}"}
        for each in teachers
    ]
    send(url, delivery_id, "enrollments", places)
    return delivery_id


def test_a_first_delivery_is_welcomed_with_what_it_holds(url: str) -> None:
    delivery_id = first_export(url, enrolled=200)
    assert decide(district(first_delivery="hold"), delivery_id).verdict == "hold"
    assert hold(url, delivery_id).sentences == (
        "This is the district's first delivery: a person releases it. Schools: 1; students: 200; teachers: 10; "
        "classes: 10.",
    )


def test_a_first_delivery_names_what_is_not_as_elsewhere_and_what_to_look_at(url: str) -> None:
    delivery_id = first_export(url, enrolled=20, with_grades=False)
    send(url, delivery_id, "demographics", [{"sourced_id": "s1"}])
    decide(district(first_delivery="hold"), delivery_id)
    assert hold(url, delivery_id).sentences[1:] == (
        "users.csv: 0 of 200 students have a grade; at least 95% are ordinary. Is the grade exported?",
        "enrollments.csv: 20 of 200 students are in a class; at least 90% are ordinary. Is scheduling done?",
        "demographics.csv: 1 of 200 students have a row; at least 95% are ordinary. Is the file exported for every "
        "school?",
    )


def test_a_first_delivery_is_accepted_where_the_district_says_so(url: str) -> None:
    assert decide(district(first_delivery="accept"), deliver(url)).verdict == "accept"


def test_a_second_delivery_is_not_a_first_one(url: str) -> None:
    ids = publish(url, SCHOOLS)
    assert decide(district(first_delivery="hold"), deliver(url, ids)).verdict == "accept"


def test_too_many_removals_in_the_district_hold_it(url: str) -> None:
    ids = publish(url, SCHOOLS)
    delivery_id = deliver(url, without(ids, "994", 21))
    decision = decide(district(), delivery_id)
    assert decision.verdict == "hold"
    assert decision.sentences == (
        "users: 21 of 200 records would be removed (10.5 %, the limit is 10 %). "
        "Check that the export ran to its end, with every school ticked.",
    )


def test_too_many_removals_in_one_school_hold_the_delivery(url: str) -> None:
    ids = publish(url, {"994": 950, "995": 50})
    decision = decide(district(), deliver(url, without(ids, "995", 21)))
    assert told(decision) == [("hold_removed", "users", "995", 21, 50)]
    assert decision.sentences[0].startswith("users of school 995: 21 of 50 records would be removed (42.0 %")


@pytest.mark.parametrize("gone", [0, 20])
def test_removals_up_to_the_floor_are_ordinary(url: str, gone: int) -> None:
    ids = publish(url, {"994": 30})
    assert decide(district(), deliver(url, without(ids, "994", gone))).verdict == "accept"


def test_records_marked_for_deletion_count_as_removals_in_bulk_and_in_delta(url: str) -> None:
    ids = publish(url, SCHOOLS)
    marked = dict(zip(ids, ["ToBeDeleted "] * 15 + ["inactive"] * 15, strict=False))
    for mode, sent in (("bulk", ids), ("delta", ids[:40])):
        decision = decide(district(), deliver(url, sent, mode=mode, status=marked))
        assert told(decision) == [("hold_removed", "users", None, 30, 200)]


def test_law_5_a_delta_file_removes_nothing_by_what_it_leaves_out(url: str) -> None:
    ids = publish(url, SCHOOLS)
    assert decide(district(), deliver(url, ids[:1], mode="delta")).verdict == "accept"


def test_blanks_around_an_id_do_not_make_it_another(url: str) -> None:
    ids = publish(url, SCHOOLS)
    assert decide(district(), deliver(url, [f" {one} " for one in ids])).verdict == "accept"


def test_law_5_a_file_without_a_record_removes_nothing_and_is_held(url: str) -> None:
    publish(url, SCHOOLS)
    delivery_id = deliver(url, [])
    send(url, delivery_id, "orgs", [{"sourced_id": "994"}])
    assert told(decide(district(), delivery_id)) == [("hold_file_vanished", "users", None, 200, 200)]
    assert expected(url, delivery_id)["users", None] == {"published": 200, "added": 0, "changed": 0, "removed": 0}


@pytest.mark.parametrize("mode", ["bulk", "delta"])
def test_law_5_a_delivery_without_a_record_is_rejected_unless_it_is_a_delta(url: str, mode: str) -> None:
    publish(url, SCHOOLS)
    delivery_id = deliver(url, [], mode=mode)
    decision = decide(district(), delivery_id)
    if mode == "delta":
        assert decision.verdict == "accept"
    else:
        assert (decision.verdict, told(decision)) == ("reject", [("delivery_empty", None, None, 0, 0)])
    assert query(url, "select rows_failed from rollcall.check_result where code = 'delivery_empty'") == [
        (int(mode == "bulk"),)
    ]


def test_records_that_were_removed_before_do_not_count(url: str) -> None:
    ids = publish(url, SCHOOLS)
    execute(
        url,
        f"update history.hist_users set {ENDED} where source_id like '995-%%'",
    )
    assert decide(district(), deliver(url, without(ids, "995", 50))).verdict == "accept"


def test_law_6_another_districts_records_do_not_count(url: str) -> None:
    publish(url, {"994": 1})
    execute(url, "insert into rollcall.district values ('oak', 'Oak')")
    execute(
        url,
        "insert into history.hist_users (district_id, source_id, valid_from_seq, row_hash)"
        " select 'oak', n::text, 1, gen_random_uuid() from generate_series(1, 100) as n",
    )
    assert decide(district(), deliver(url, ["994-0"])).verdict == "accept"


def test_a_file_that_the_gate_wants_held_holds_the_delivery(url: str) -> None:
    delivery_id = deliver(url, [str(number) for number in range(10)], verdict="hold")
    execute(url, "update rollcall.delivery_file set rows_set_aside = 7 where delivery_id = %s", delivery_id)
    decision = decide(district(), delivery_id)
    assert decision.verdict == "hold"
    assert told(decision) == [("hold_set_aside", "users", None, 7, 10)]


def test_a_file_that_is_folded_into_another_holds_the_delivery_too(url: str) -> None:
    delivery_id = deliver(url)
    send(url, delivery_id, "roles", [{"sourced_id": "r1"}])
    execute(url, "update rollcall.delivery_file set verdict = 'hold', rows_set_aside = 1 where file = 'roles'")
    assert told(decide(district(), delivery_id)) == [("hold_set_aside", "roles", None, 1, 1)]


@pytest.mark.parametrize(("users", "verdict"), [("OneRoster 1.1", "accept"), ("OneRoster 1.2", "reject")])
def test_an_unusable_roles_csv_matters_only_where_users_leave_their_roles_to_it(
    url: str, users: str, verdict: str
) -> None:
    delivery_id = deliver(url)
    send(url, delivery_id, "roles", [{"sourced_id": "r1"}])
    execute(url, "update rollcall.delivery_file set verdict = 'reject' where file = 'roles'")
    execute(url, "update rollcall.delivery_file set format = %s where file = 'users'", users)
    assert decide(district(), delivery_id).verdict == verdict


def test_a_rejected_file_rejects_the_delivery(url: str) -> None:
    delivery_id = deliver(url, verdict="reject")
    decision = decide(district(), delivery_id)
    assert (decision.verdict, decision.sentences) == ("reject", ("users.csv is not right.",))
    assert [(reason.code, reason.file) for reason in decision.reasons] == [("file_rejected", "users")]
    assert state_of(url, delivery_id) == "rejected"


def test_a_missing_file_rejects_the_delivery_by_name(url: str) -> None:
    delivery_id = deliver(url)
    missing = "insert into rollcall.check_result values (%s, %s, 'file_missing', %s, null, 1)"
    execute(url, missing, delivery_id, "orgs", "critical")
    execute(url, missing, delivery_id, "demographics", "info")
    decision = decide(district(), delivery_id)
    assert decision.sentences == ("The delivery holds no orgs.csv. Export all files of the set and send it again.",)
    assert [(reason.code, reason.file) for reason in decision.reasons] == [("file_missing", "orgs")]


def test_a_rejected_file_is_told_by_the_checks_that_it_failed_as_a_whole(url: str) -> None:
    delivery_id = deliver(url, verdict="reject")
    for code, severity in (("column_missing", "critical"), ("users_role_invalid", "critical"), ("test", "warning")):
        execute(
            url,
            "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)"
            " values (%s, 'users', %s, %s, 1)",
            delivery_id,
            code,
            severity,
        )
    execute(
        url,
        "insert into rollcall.row_finding (delivery_id, file, code, severity, row_number, column_name) values"
        " (%(d)s, 'users', 'column_missing', 'critical', 1, 'role'),"
        " (%(d)s, 'users', 'users_role_invalid', 'critical', 2, 'role')".replace("%(d)s", str(delivery_id)),
    )
    reasons = decide(district(), delivery_id).reasons
    assert [(reason.code, reason.file, reason.sentence) for reason in reasons] == [
        ("column_missing", "users", "users.csv is not right.")
    ]


def test_law_4_deciding_again_gives_the_same_answer(url: str) -> None:
    ids = publish(url, SCHOOLS)
    delivery_id = deliver(url, without(ids, "994", 30))
    assert decide(district(), delivery_id) == decide(district(), delivery_id)
    assert query(url, "select count(*) from rollcall.hold") == [(1,)]


def test_once_held_only_a_person_releases_it(url: str) -> None:
    delivery_id = deliver(url)
    decide(district(first_delivery="hold"), delivery_id)
    assert decide(district(first_delivery="accept"), delivery_id).verdict == "hold"
    assert state_of(url, delivery_id) == "held"
    assert accept(delivery_id).sequence is None


def test_a_held_delivery_that_is_rejected_when_judged_again_asks_nobody_any_more(url: str) -> None:
    delivery_id = deliver(url)
    decide(district(first_delivery="hold"), delivery_id)
    execute(url, "update rollcall.delivery_file set verdict = 'reject'")
    assert decide(district(first_delivery="hold"), delivery_id).verdict == "reject"
    assert hold(url, delivery_id).settlement == "discarded"


@pytest.mark.parametrize("settlement", ["approved", "discarded"])
def test_law_8_a_settled_hold_stays_settled_and_says_by_whom(url: str, settlement: str) -> None:
    delivery_id = deliver(url)
    decide(district(first_delivery="hold"), delivery_id)
    approve(url, delivery_id, settlement)
    assert decide(district(first_delivery="hold"), delivery_id).verdict == "done"
    assert query(url, "select settlement, settled_by, settled_why, settled_via from rollcall.hold") == [
        (settlement, "Jo", "Checked with the district.", "cli")
    ]
    assert (accept(delivery_id).sequence == 1) == (settlement == "approved")


def test_an_approval_outlasts_a_failed_build(url: str) -> None:
    delivery_id = deliver(url)
    decide(district(first_delivery="hold"), delivery_id)
    approve(url, delivery_id)
    accept(delivery_id)
    execute(url, "update rollcall.delivery set state = 'conform_failed' where delivery_id = %s", delivery_id)
    assert decide(district(first_delivery="hold"), delivery_id).verdict == "accept"
    assert accept(delivery_id).sequence == 2


def test_a_hold_is_settled_once_by_whoever_comes_first(url: str) -> None:
    delivery_id = deliver(url)
    decide(district(first_delivery="hold"), delivery_id)
    together, seen = threading.Barrier(6), list[Ruling]()

    def act(number: int) -> None:
        together.wait()
        seen.append(approve(url, delivery_id, "approved" if number % 2 else "discarded", by=f"person {number}"))

    threads = [Thread(target=act, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 6
    assert len({(one.hold.settlement, one.hold.settled_by) for one in seen}) == 1
    assert state_of(url, delivery_id) == ("accepted" if seen[0].hold.settlement == "approved" else "discarded")
    assert sorted(outcome for *_, outcome in decisions(url, delivery_id)) == ["overtaken"] * 5 + ["settled"]


def test_who_comes_second_changes_nothing(url: str) -> None:
    delivery_id = deliver(url)
    decide(district(first_delivery="hold"), delivery_id)
    seen: list[Ruling] = []
    with psycopg.connect(url) as approval:
        approval.execute("update rollcall.hold set settlement = 'approved', settled_by = 'Al', settled_at = now()")
        second = Thread(target=lambda: seen.append(approve(url, delivery_id, "discarded")))
        second.start()
        second.join(timeout=1)
        assert second.is_alive()
    second.join(timeout=30)
    assert [(one.hold.settlement, one.hold.settled_by) for one in seen] == [("approved", "Al")]
    assert decisions(url, delivery_id) == [
        ("discarded", "Jo", "jo-login", "Checked with the district.", "cli", "overtaken")
    ]
    assert state_of(url, delivery_id) == "held"


def test_what_is_not_held_cannot_be_settled(url: str) -> None:
    delivery_id = deliver(url)
    with pytest.raises(CannotSettleError, match=rf"Delivery {delivery_id} of maple is not held; it is received"):
        approve(url, delivery_id)
    with pytest.raises(UnknownDeliveryError):
        approve(url, 999)


@pytest.mark.parametrize("first", ["accept", "hold"])
def test_a_newer_delivery_supersedes_the_hold_of_an_older_one(url: str, first: str) -> None:
    older, newer = deliver(url), deliver(url, nights_later=1)
    decide(district(first_delivery="hold"), older)
    decide(district(first_delivery=first), newer)
    assert (state_of(url, older), hold(url, older).settlement) == ("superseded", "superseded")
    assert accept(older).sequence is None


def test_a_rejected_delivery_supersedes_nothing(url: str) -> None:
    older, newer = deliver(url), deliver(url, nights_later=1, verdict="reject")
    decide(district(first_delivery="hold"), older)
    decide(district(), newer)
    assert hold(url, older).is_open


def test_an_older_delivery_supersedes_nothing(url: str) -> None:
    newer, older = deliver(url, nights_later=1), deliver(url)
    decide(district(first_delivery="hold"), newer)
    decide(district(first_delivery="hold"), older)
    assert hold(url, newer).is_open


def test_a_hold_that_is_approved_while_a_newer_delivery_is_decided_on_keeps_its_sequence(url: str) -> None:
    older, newer = deliver(url), deliver(url, nights_later=1)
    decide(district(first_delivery="hold"), older)
    with psycopg.connect(url) as approval:
        approval.execute("update rollcall.hold set settlement = 'approved', settled_at = now()")
        approval.execute(
            "update rollcall.delivery set state = 'accepted', accepted_sequence = 1 where delivery_id = %s", [older]
        )
        decider = Thread(target=decide, args=[district(), newer])
        decider.start()
        decider.join(timeout=1)
        assert decider.is_alive()
    decider.join(timeout=30)
    assert state_of(url, older) == "accepted"


def test_an_approved_delivery_is_not_superseded_by_one_that_is_only_held(url: str) -> None:
    older, newer = deliver(url), deliver(url, nights_later=1)
    decide(district(first_delivery="hold"), older)
    approve(url, older)
    decide(district(first_delivery="hold"), newer)
    assert accept(older).sequence == 1
    assert hold(url, newer).is_open


def test_law_10_an_approved_delivery_is_overtaken_by_a_newer_one_that_is_accepted_first(url: str) -> None:
    older, newer = deliver(url), deliver(url, nights_later=1)
    decide(district(first_delivery="hold"), older)
    gated(url, older, None)  # somebody cleared `land` just then
    assert approve(url, older).acceptance.sequence is None  # type: ignore[union-attr]
    decide(district(), newer)
    assert accept(newer).sequence == 1
    gated(url, older, "together")
    assert accept(older).sequence is None
    assert (state_of(url, older), hold(url, older).settlement) == ("superseded", "approved")


@pytest.mark.parametrize("faster", ["approval", "delivery"])
def test_an_approval_and_a_newer_delivery_at_the_same_moment_leave_one_outcome(url: str, faster: str) -> None:
    """Whoever holds the delivery's row first decides; the other sees it and follows."""
    older, newer = deliver(url), deliver(url, nights_later=1)
    decide(district(first_delivery="hold"), older)
    with connect(url) as first:
        if faster == "approval":
            settle(first, older, APPROVED)
            other = Thread(target=decide, args=[district(first_delivery="hold"), newer])
        else:
            supersede_holds(first, ledger.delivery(first, newer))
            other = Thread(target=approve, args=[url, older])
        other.start()
        other.join(timeout=1)
        assert other.is_alive(), "it waits for the first"
    other.join(timeout=30)
    approved = faster == "approval"
    assert hold(url, older).settlement == ("approved" if approved else "superseded")
    assert (accept(older).sequence == 1) is approved
    assert state_of(url, older) == ("accepted" if approved else "superseded")


def test_law_10_approving_what_is_older_than_the_publication_is_refused(url: str) -> None:
    older, newer = deliver(url), deliver(url, nights_later=1)
    decide(district(first_delivery="hold"), older)
    execute(url, "update rollcall.delivery set state = 'published' where delivery_id = %s", newer)
    refused = approve(url, older)
    assert refused.outcome == "refused"
    assert f"older than delivery {newer} (2026-11-24)" in str(refused.reason)
    assert hold(url, older).is_open
    assert approve(url, older, "discarded").hold.settlement == "discarded"
    assert [(said, outcome) for said, *_, outcome in decisions(url, older)] == [
        ("approved", "refused"), ("discarded", "settled")
    ]  # fmt: skip


def test_law_10_an_older_delivery_is_superseded_by_an_accepted_newer_one(url: str) -> None:
    older, newer = deliver(url), deliver(url, nights_later=1)
    decide(district(), older)
    decide(district(), newer)
    assert accept(newer).sequence == 1
    assert accept(older).sequence is None
    assert state_of(url, older) == "superseded"
    late = deliver(url)
    assert decide(district(), late).verdict == "superseded"


def test_sequences_follow_the_night_and_then_the_arrival(url: str) -> None:
    deliveries = [deliver(url), deliver(url), deliver(url, nights_later=1)]
    for expected, delivery_id in enumerate(deliveries, start=1):
        decide(district(), delivery_id)
        assert accept(delivery_id).sequence == expected


def test_law_4_accepting_again_changes_nothing(url: str) -> None:
    delivery_id = deliver(url)
    decide(district(), delivery_id)
    assert [accept(delivery_id).sequence for _ in range(3)] == [1, 1, 1]


def test_deliveries_accepted_at_the_same_time_get_sequences_of_their_own(url: str) -> None:
    deliveries = [deliver(url) for _ in range(4)]
    for delivery_id in deliveries:
        decide(district(), delivery_id)
    threads = [Thread(target=accept, args=[delivery_id]) for delivery_id in deliveries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = query(url, "select state, accepted_sequence from rollcall.delivery order by delivery_id")
    accepted = [sequence for state, sequence in states if state == "accepted"]
    assert accepted == list(range(1, len(accepted) + 1))
    assert {state for state, _ in states} <= {"accepted", "superseded"}


def test_what_was_not_decided_on_is_not_accepted(url: str) -> None:
    delivery_id = deliver(url)
    assert accept(delivery_id).reason == f"Delivery {delivery_id} was not decided on."
    assert state_of(url, delivery_id) == "received"


@pytest.mark.parametrize("state", ["rejected", "discarded", "superseded", "conform_failed", "audit_failed"])
def test_what_was_put_away_is_not_accepted(url: str, state: str) -> None:
    delivery_id = deliver(url)
    decide(district(), delivery_id)
    execute(url, "update rollcall.delivery set state = %s where delivery_id = %s", state, delivery_id)
    assert accept(delivery_id).sequence is None
    assert state_of(url, delivery_id) == state


@pytest.mark.parametrize("state", ["published", "accepted", "unchanged", "same_as_held", "superseded", "discarded"])
def test_deciding_again_on_what_is_over_changes_nothing(url: str, state: str) -> None:
    delivery_id = deliver(url, verdict="reject", state=state)
    before = query(url, "select d::text from rollcall.delivery as d")
    assert decide(district(), delivery_id).verdict == "done"
    assert query(url, "select d::text from rollcall.delivery as d") == before


@pytest.fixture(params=["accepted", "approved"])
def let_through(request: pytest.FixtureRequest, url: str) -> Any:
    """Accepts a delivery: by itself, or after a person's approval."""

    def act(delivery_id: int) -> bool:
        if request.param == "approved":
            execute(url, "update rollcall.delivery_file set verdict = 'hold' where delivery_id = %s", delivery_id)
        decide(district(), delivery_id)
        if request.param == "approved":
            approve(url, delivery_id)
        assert accept(delivery_id).sequence
        return evidence(url, delivery_id)

    act.approved = request.param == "approved"  # type: ignore[attr-defined]
    return act


def test_law_5_absence_from_a_bulk_file_is_evidence(url: str, let_through: Any) -> None:
    assert let_through(deliver(url))


def test_law_5_absence_from_a_delta_file_is_none(url: str, let_through: Any) -> None:
    assert not let_through(deliver(url, mode="delta"))


def test_law_5_absence_from_a_header_alone_is_none(url: str, let_through: Any) -> None:
    delivery_id = deliver(url, [])
    send(url, delivery_id, "orgs", [{"sourced_id": "994"}])
    assert let_through(delivery_id) is False


def test_law_5_a_row_set_aside_under_its_id_leaves_the_others_evidence(url: str, let_through: Any) -> None:
    ids = publish(url, SCHOOLS)
    delivery_id = deliver(url, ids)
    finding(url, delivery_id, f" {ids[0]} ")
    finding(url, delivery_id, "a newcomer's second row", code="users_row_repeated")
    assert let_through(delivery_id)


@pytest.mark.parametrize("shifted", ["", "active"])
def test_law_5_a_torn_row_set_aside_under_what_is_no_published_id_may_be_anyones(
    url: str, let_through: Any, shifted: str
) -> None:
    """Its cells have moved one to the right, its last one was empty: it still fits the header."""
    ids = publish(url, SCHOOLS)
    delivery_id = deliver(url, [shifted, *ids[1:]])
    finding(url, delivery_id, shifted)
    assert let_through(delivery_id) is let_through.approved


def test_law_5_an_id_that_is_published_no_more_or_elsewhere_tells_nothing(url: str) -> None:
    ids = publish(url, SCHOOLS)
    execute(
        url,
        f"update history.hist_users set {ENDED} where source_id = %s",
        ids[0],
    )
    execute(url, "insert into rollcall.district values ('oak', 'Oak')")
    execute(url, "update history.hist_users set district_id = 'oak' where source_id = %s", ids[1])
    for gone in ids[:2]:
        delivery_id = deliver(url, ids)
        finding(url, delivery_id, gone)
        decide(district(), delivery_id)
        assert accept(delivery_id).sequence
        assert not evidence(url, delivery_id)


def test_law_5_a_row_set_aside_without_an_id_may_be_anyones_unless_a_person_approved(
    url: str, let_through: Any
) -> None:
    delivery_id = deliver(url)
    finding(url, delivery_id, None)
    assert let_through(delivery_id) is let_through.approved


def test_law_5_where_it_is_lost_which_rows_are_set_aside_they_may_be_anyones(url: str) -> None:
    """PostgreSQL crashed between the decision and the acceptance, which is only told what was set aside."""
    ids = publish(url, SCHOOLS)
    delivery_id = deliver(url, ids)
    finding(url, delivery_id, ids[0])
    assert decide(district(), delivery_id).verdict == "accept"
    execute(url, f"truncate delivery_{delivery_id}.row_set_aside")
    assert accept(delivery_id).sequence
    assert not evidence(url, delivery_id)


def test_files_of_two_nights_are_held_whatever_they_change(url: str) -> None:
    delivery_id = deliver(url)
    execute(
        url,
        "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)"
        " values (%s, 'users', 'files_of_two_nights', 'warning', 1)",
        delivery_id,
    )
    decision = decide(district(), delivery_id)
    assert (decision.verdict, [reason.code for reason in decision.reasons]) == ("hold", ["hold_two_nights"])
    assert decision.reasons[0].sentence.endswith("Old: users.csv.")


def test_law_10_what_says_the_same_as_a_publication_taken_back_is_held(url: str) -> None:
    ids = publish(url, SCHOOLS)
    taken_back, back = (deliver(url, ids, nights_later=-1, state="published") for _ in range(2))
    for delivery_id, sequence, content in ((taken_back, 2, "wrong"), (back, 3, "right")):
        execute(
            url,
            "update rollcall.delivery set accepted_sequence = %s, content_hash = %s where delivery_id = %s",
            sequence,
            content,
            delivery_id,
        )
    execute(
        url,
        "insert into rollcall.rollback (district_id, delivery_id, sequence, from_sequence, to_sequence, rolled_back_by,"
        " why) values ('maple', %s, 3, 2, 1, 'Jo', 'theirs no more')",
        back,
    )
    verdicts = {}
    for content in ("wrong", "right", "new"):
        delivery_id = deliver(url, ids)
        execute(url, "update rollcall.delivery set content_hash = %s where delivery_id = %s", content, delivery_id)
        verdicts[content] = decide(district(), delivery_id)

    assert {content: told(decision) for content, decision in verdicts.items()} == {
        "wrong": [("hold_rolled_back", None, None, 0, 0)],
        "right": [],
        "new": [],
    }
    (sentence,) = verdicts["wrong"].sentences
    assert f"It equals the delivery of {NIGHT - timedelta(days=1)} (sequence 2), taken back on" in sentence
    assert "theirs no more" not in sentence, "that remark was not written for the district"


def held(url: str) -> int:
    """A delivery that waits for a person, with its night."""
    delivery_id = deliver(url)
    with connect(url) as connection:
        ledger.record_night(connection, "maple", NIGHT, "in_progress", delivery_id=delivery_id, run_id="gone")
    decide(district(first_delivery="hold"), delivery_id)
    return delivery_id


def night_of(url: str) -> tuple[str, str]:
    rows = query(url, "select outcome, message from rollcall.night where service_date = %s", NIGHT)
    return str(rows[0][0]), str(rows[0][1])


def test_what_is_approved_is_accepted_though_no_run_goes_on(url: str) -> None:
    """Somebody marked `hold` as success, or deleted the run: the approval was said to be done, and nothing followed."""
    delivery_id = held(url)
    ruling = approve(url, delivery_id)
    assert (ruling.outcome, ruling.acceptance) == ("settled", Acceptance(1))
    assert state_of(url, delivery_id) == "accepted"
    assert evidence(url, delivery_id), "approving believes every absence, as it does when the run goes on"
    assert night_of(url) == ("accepted", "The delivery is accepted and waits for its build.")
    assert accept(delivery_id) == Acceptance(1), "the run, if it goes on after all"


@pytest.mark.parametrize("state", ["published", "audit_failed", "conform_failed"])
def test_a_run_that_goes_on_after_the_build_has_its_sequence(url: str, state: str) -> None:
    delivery_id = held(url)
    approve(url, delivery_id)
    execute(url, "update rollcall.delivery set state = %s where delivery_id = %s", state, delivery_id)
    assert accept(delivery_id) == Acceptance(1)
    assert state_of(url, delivery_id) == state


def test_a_hold_without_a_run_can_be_discarded_and_its_night_says_so(url: str) -> None:
    delivery_id = held(url)
    assert approve(url, delivery_id, "discarded").outcome == "settled"
    assert night_of(url) == ("discarded", "Discarded by Jo: Checked with the district.")


def test_the_night_of_a_superseded_hold_says_so(url: str) -> None:
    delivery_id, newer = held(url), deliver(url, nights_later=1)
    decide(district(first_delivery="hold"), newer)
    assert night_of(url) == ("superseded", f"Delivery {newer} of 2026-11-24 took its place.")
    assert decisions(url, delivery_id)[0][1:] == (
        f"delivery {newer}", None, f"Delivery {newer} of 2026-11-24 took its place.", "delivery", "settled"
    )  # fmt: skip


def test_the_backstop_accepts_what_was_approved_and_not_accepted_yet(url: str) -> None:
    """Killed between the two, or approved while the gate was at work; what is not approved waits."""
    delivery_id, said = held(url), list[str]()
    assert accept_approved() == []
    gated(url, delivery_id, "alone")
    ruling = approve(url, delivery_id)
    assert ruling.acceptance == Acceptance(
        None, f"Delivery {delivery_id} is being checked again: the gate has not finished with users.csv."
    )
    with heard_by(said.append):
        assert accept_approved() == []
    assert "is being checked again" in said[-1]
    gated(url, delivery_id, "together")
    assert accept_approved() == [delivery_id]
    assert night_of(url)[0] == "accepted"
    assert accept_approved() == []


def test_law_8_every_answer_to_a_hold_is_a_row_the_overtaken_ones_too(url: str) -> None:
    """Airflow's answer came first and is read last: its row says when it was given, and that it does not count."""
    delivery_id = held(url)
    earlier = Answer("approved", "al", "looks fine", "airflow", at=datetime(2026, 11, 23, 7, 0, 0, 123457, tzinfo=UTC))
    approve(url, delivery_id, "discarded")
    with connect(url) as connection:
        ruling = settle(connection, delivery_id, earlier)
    assert (ruling.outcome, ruling.reason) == ("overtaken", "It was discarded by Jo before.")
    assert decisions(url, delivery_id) == [
        ("discarded", "Jo", "jo-login", "Checked with the district.", "cli", "settled"),
        ("approved", "al", None, "looks fine", "airflow", "overtaken"),
    ]
    moments = query(
        url, "select decided_at < recorded_at, decided_at from rollcall.hold_decision where via = 'airflow'"
    )
    assert moments == [(True, earlier.at)]


@pytest.mark.parametrize("first", ["approved", "discarded"])
def test_law_8_an_answer_that_is_read_twice_is_one_row(url: str, first: str) -> None:
    """By the command line that asks Airflow before it decides, and by the task that the answer wakes."""
    delivery_id = held(url)
    answer = Answer(first, "al", "looks fine", "airflow", at=datetime(2026, 11, 23, 7, tzinfo=UTC))  # type: ignore[arg-type]
    outcomes = []
    for _ in range(2):
        with connect(url) as connection:
            outcomes.append(settle(connection, delivery_id, answer).outcome)
    assert outcomes == ["settled", "settled"]
    assert len(decisions(url, delivery_id)) == 1


@pytest.mark.parametrize("progress", [None, "alone"])
def test_law_2_nothing_is_decided_on_before_the_gate_has_finished(url: str, progress: str | None) -> None:
    """`gate_delivery` was marked as success by hand, and 100 broken references came as far as the audit."""
    delivery_id = deliver(url)
    gated(url, delivery_id, progress)
    with pytest.raises(GateUnfinishedError, match=r"the gate has not finished with users\.csv\. Clear `check`"):
        decide(district(), delivery_id)
    assert state_of(url, delivery_id) == "received"
    assert accept(delivery_id).sequence is None
    gated(url, delivery_id, "together")
    assert decide(district(), delivery_id).verdict == "accept"


def test_what_the_gate_is_at_work_on_is_not_accepted_meanwhile(url: str) -> None:
    delivery_id = held(url)
    with psycopg.connect(url) as gate:
        gate.execute("select from rollcall.delivery_file where delivery_id = %s for update", [delivery_id])
        ruling = approve(url, delivery_id)
    assert ruling.acceptance is not None
    assert "being checked again" in ruling.acceptance.reason
    assert accept_approved() == [delivery_id]


@pytest.mark.parametrize(("mode", "students"), [("bulk", 1), ("delta", None)])
def test_how_much_a_delivery_holds_is_kept_with_it(url: str, mode: str, students: int | None) -> None:
    delivery_id = deliver(url, ("u1", "u2", "u3"), mode=mode)
    execute(url, f"update delivery_{delivery_id}.users set role = 'Student' where sourced_id = 'u1'")
    execute(url, "update rollcall.delivery_file set rows_set_aside = 1")
    decide(district(), delivery_id)
    assert query(url, "select records, set_aside, students from rollcall.delivery") == [(3, 1, students)]


def test_of_a_rejected_delivery_the_records_are_kept_too(url: str) -> None:
    delivery_id = deliver(url, ("u1", "u2"), verdict="reject")
    assert decide(district(), delivery_id).verdict == "reject"
    assert query(url, "select records, students from rollcall.delivery") == [(2, None)]
