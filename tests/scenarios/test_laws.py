"""The laws of the blueprint, one test each; the seventh has a file of its own, test_law_07.py."""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from helpers.counts import agree, counts_of
from helpers.deliveries import accept as accepted_delivery
from helpers.schools import Rows, school_district
from helpers.threads import Pool
from nights import FIRST_NIGHT, STEPS, Record, Run, World, records, rewrite, small_district, write
from psycopg.conninfo import make_conninfo

from rollcall.archive.store import Archive
from rollcall.conform import roll_back
from rollcall.decision.settle import CannotSettleError
from rollcall.gate.rules import codes, suite_rules
from rollcall.oneroster import FILE_NAMES
from rollcall.readers import add_reader, grant, remove_reader
from rollcall.suites import DELIVERY_SUITE
from rollcall.warehouse import connect
from rollcall.who import Person
from simulator.spoil import header_only, truncate

LONGEST_WAIT = 60


def test_law_01_nothing_that_arrived_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload at the very moment in which the one before it is taken: both are there afterwards."""
    world.settle_in("law-1")
    profile = small_district("law-1", students=30)
    first, second = (write(profile, night, world.work / "law-1" / str(night)) for night in (1, 2))
    world.send("law-1", first.files)
    _upload_when_the_archive_is_first_used(world, second.files, monkeypatch)

    run = Run(world, "law-1")
    run.receive()

    assert _archived(world, "law-1") >= _hashes(first.files)
    assert _archived(world, "law-1") | _waiting(world, "law-1") >= _hashes(second.files)
    in_ledger = world.query("select sha256 from rollcall.delivery_file where delivery_id = %s", run.delivery_id)
    assert {sha256 for (sha256,) in in_ledger} == _hashes(first.files), "one delivery, not a mixture of two"

    Run(world, "law-1", night=2).receive()
    assert _archived(world, "law-1") >= _hashes(first.files) | _hashes(second.files)
    assert world.waiting("law-1") == []


def _upload_when_the_archive_is_first_used(world: World, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, uploads = Archive.keep, list[str]()

    async def keep_while_someone_uploads(archive: Archive, blocks: Any) -> Any:
        if not uploads:
            uploads.append("now")
            await asyncio.to_thread(world.send, "law-1", files)
        return await keep(archive, blocks)

    monkeypatch.setattr(Archive, "keep", keep_while_someone_uploads)


def _hashes(files: Any) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _archived(world: World, district_id: str) -> set[str]:
    """The hash of every content in the archive, computed from its bytes."""
    folder = world.state.state_dir / "archive" / district_id
    blobs = {path for path in folder.rglob("*") if path.is_file() and len(path.parent.name) == 2}
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in blobs)
    return {path.name for path in blobs}


def _waiting(world: World, district_id: str) -> set[str]:
    return _hashes(world.inbox(district_id) / name for name in world.waiting(district_id))


def test_law_02_a_bad_night_changes_nothing(world: World) -> None:
    """Rejected, held, failed in the build, held back by an audit: readers see the last good roster, to the letter."""
    world.settle_in("law-2")
    profile = small_district("law-2", students=30)
    world.play("law-2", write(profile, 1, world.work / "law-2" / "1").files)
    good = world.shown("law-2")
    assert good["roster.roster"]

    def bad_night(night: int, *spoil: Callable[[Path], object], tamper: str = "") -> str:
        world.send("law-2", write(profile, 2, world.work / "law-2" / str(night), *spoil).files)
        run = Run(world, "law-2", night)
        run.judge()
        if tamper:
            world.execute(tamper.format(schema=f"delivery_{run.delivery_id}"))
        world.conform()
        run.report()
        assert world.shown("law-2") == good
        return run.delivery_state

    assert bad_night(2, _without_a_column) == "rejected"
    assert bad_night(3, truncate) == "held"
    unhashed = "insert into {schema}.change_demographics (kind, source_id) values ('added', 'nobody')"
    assert bad_night(4, tamper=unhashed) == "conform_failed", "history refuses it"
    ghost = "update {schema}.change_enrollments set user_source_id = 'ghost' where role = 'student'"
    assert bad_night(5, _with_another_name, tamper=ghost) == "audit_failed"
    assert world.publication("law-2") == (1, FIRST_NIGHT)


def _without_a_column(folder: Path) -> None:
    path = folder / "users.csv"
    path.write_bytes(path.read_bytes().replace(b",role,", b",rank,", 1))


def _with_another_name(folder: Path) -> None:
    rewrite(folder, "orgs", lambda org: org | {"name": org["name"] + " Renamed"})


def test_law_03_publication_is_atomic_per_district(world: World) -> None:
    """Readers look at two districts while both are published over and over: never at two deliveries of one.

    They are logged in as readers are, with row-level security; a third district is built along.
    """
    _accept_for_all(world, 1)
    world.conform()
    stop = threading.Event()
    with _reader(world) as url, Pool(3) as pool:
        readers = [pool.submit(_look_on, url, stop, look) for look in (_at_once, _joined, _in_a_transaction)]
        try:
            for number in (2, 3):
                _accept_for_all(world, number)
                world.conform()
            for district in LAW_3:
                roll_back(district, to=1, by=Person("Jo", "jo"), why="a look back")
            _accept_for_all(world, 4, sequence=5)
            world.conform()
            for district in LAW_3:
                roll_back(district, to=3, by=Person("Jo", "jo"), why="a look back")
        finally:
            stop.set()
        sights = [reader.result() for reader in readers]
    contents = (1, 2, 3, 4)
    everything = {*map(_content, contents), *map(_content_joined, contents)}
    for seen in sights:
        assert [sight for sight in seen if len(sight[1]) > 1] == [], "one transaction saw two publications"
        assert {content for _, (content, *_) in seen} <= everything, "a mixture"
        assert {district for district, _ in seen} == {"law-3-a", "law-3-b"}
        last = dict(seen)  # the last that was seen of each
        assert set(last.values()) <= {frozenset({_content(3)}), frozenset({_content_joined(3)})}
    assert {content for seen in sights for _, (content, *_) in seen} == everything, "each was seen, by either way"


LAW_3 = ("law-3-a", "law-3-b", "law-3-c")


@contextmanager
def _reader(world: World) -> Iterator[str]:
    """The warehouse's URL for a login that may see two of the three districts."""
    with connect(role=None) as connection:
        password = add_reader(connection, "law_3", restricted=True, by=Person("test", "test"))
        grant(connection, "law_3", LAW_3[:2], by=Person("test", "test"))
    try:
        yield make_conninfo(world.url, user="law_3", password=password)
    finally:
        with connect(role=None) as connection:
            remove_reader(connection, "law_3", by=Person("test", "test"))


def _accept_for_all(world: World, number: int, sequence: int | None = None) -> None:
    for district in LAW_3:
        accepted_delivery(world.url, district, sequence or number, _delivery_that_says(number))


def _delivery_that_says(number: int) -> Rows:
    """A delivery whose every record says which it is, and which has so many students fewer."""
    rows = deepcopy(school_district())
    gone = {f"994_1000_S{place}" for place in range(number - 1)}
    rows["users"] = [user | {"given_name": f"N{number}"} for user in rows["users"] if user["sourced_id"] not in gone]
    rows["enrollments"] = [row for row in rows["enrollments"] if row["user_sourced_id"] not in gone]
    rows["classes"] = [row | {"title": f"N{number}"} for row in rows["classes"]]
    rows["orgs"] = [row | {"name": f"N{number}"} for row in rows["orgs"]]
    return rows


def _content(number: int) -> str:
    """What a reader sees of a whole delivery: its mark, and how many students and places it has."""
    students = 13 - number
    return f"N{number} with {students} students in {students} places, {students} counted"


def _content_joined(number: int) -> str:
    return f"N{number} N{number} N{number} for {13 - number}"


SIGHT = """
    select
        district_id,
        string_agg(distinct mark, '+' order by mark)
        || ' with ' || count(*) filter (where mart = 'student') || ' students'
        || ' in ' || count(*) filter (where mart = 'place') || ' places, '
        || (select sum(students) from roster.agg_school_daily as daily where daily.district_id = everything.district_id)
        || ' counted'
    from (
        select district_id, 'student' as mart, given_name as mark from roster.dim_student
        union all select district_id, 'class', class_name from roster.dim_class
        union all select district_id, 'school', school_name from roster.dim_school
        union all select district_id, 'place', class_name from roster.roster
        union all select district_id, 'name', student_given_name from roster.roster
        union all select district_id, 'school', school_name from roster.roster
    ) as everything
    group by district_id
"""

JOINED_SIGHT = """
    select
        enrollment.district_id,
        string_agg(distinct student.given_name || ' ' || class.class_name || ' ' || school.school_name, '+')
        || ' for ' || count(*)
    from roster.fct_enrollment as enrollment
    left join roster.dim_student as student
        on enrollment.district_id = student.district_id and enrollment.student_source_id = student.source_id
    left join roster.dim_class as class
        on enrollment.district_id = class.district_id and enrollment.class_source_id = class.source_id
    left join roster.dim_school as school
        on enrollment.district_id = school.district_id and enrollment.school_source_id = school.source_id
    group by enrollment.district_id
"""

Sights = list[tuple[str, frozenset[str]]]


def _look_on(url: str, stop: threading.Event, look: Callable[[Any], Sights]) -> Sights:
    """What was seen, in order."""
    sights: Sights = []
    with psycopg.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            sights += look(connection)
        return sights + look(connection)


def _at_once(connection: psycopg.Connection[Any]) -> Sights:
    """One statement over many marts."""
    return [(district, frozenset({seen})) for district, seen in connection.execute(SIGHT).fetchall()]


def _joined(connection: psycopg.Connection[Any]) -> Sights:
    """One statement that joins several marts."""
    return [(district, frozenset({seen})) for district, seen in connection.execute(JOINED_SIGHT).fetchall()]


def _in_a_transaction(connection: psycopg.Connection[Any]) -> Sights:
    """Some statements, with time between them, in one REPEATABLE READ transaction."""
    seen: dict[str, set[str]] = {}
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        for _ in range(4):
            for district, sight in connection.execute(SIGHT).fetchall():
                seen.setdefault(district, set()).add(sight)
            time.sleep(0.1)
    return [(district, frozenset(sights)) for district, sights in seen.items()]


def test_law_04_every_step_can_be_run_again(world: World) -> None:
    """Each step twice, and the same delivery twice: the same rows as from a night that nothing disturbed.

    Steps that are killed: test_kills.py.
    """
    world.settle_in("law-4-once", "law-4-twice")
    profile = small_district("law-4", students=30)
    for night in (1, 2):
        files = write(profile, night, world.work / "law-4" / str(night)).files
        once, twice = (Run(world, district_id, night) for district_id in ("law-4-once", "law-4-twice"))
        for run in (once, twice):
            world.send(run.district_id, files)
        once.judge()
        for step in STEPS:
            twice.step(step)
            twice.step(step)
        world.conform()
        world.conform()
        for run in (once, twice, twice):
            run.report()
    for look in (world.meaning, world.history, world.shown):
        assert look("law-4-twice") == look("law-4-once")
    rows = world.history("law-4-twice")
    world.play("law-4-twice", files, night=3)
    assert world.history("law-4-twice") == rows


def test_law_05_absence_is_evidence_only_in_an_accepted_bulk_file(world: World) -> None:
    """Who is missing, who is to be deleted, and who only seems to be gone; and all of them return."""
    limits = {"removed": {"percent": 10, "floor": 30}, "set_aside": {"percent": 2, "floor": 30}}
    world.settle_in("law-5", limits=limits)
    profile, work = small_district("law-5", students=30), world.work / "law-5"
    first = write(profile, 1, work / "1")
    missing, leaving, muddled = sorted(
        user["sourcedId"] for user in records(first.folder, "users") if user["role"] == "student"
    )[:3]
    course = records(first.folder, "courses")[0]["sourcedId"]

    def strange(folder: Path) -> None:
        def user(record: Record) -> Record | None:
            if record["sourcedId"] == missing:
                return None
            changes = {leaving: {"status": "tobedeleted"}, muddled: {"role": "wizard"}}
            return record | changes.get(record["sourcedId"], {})

        def enrollment(record: Record) -> Record | None:
            if record["userSourcedId"] == missing:
                return None
            return record | ({"status": "tobedeleted"} if record["userSourcedId"] == leaving else {})

        rewrite(folder, "users", user)
        rewrite(folder, "enrollments", enrollment)
        rewrite(folder, "courses", lambda record: None if record["sourcedId"] == course else record)
        with (folder / "courses.csv").open("a") as stream:
            stream.write("a record,that nobody can tell\r\n")

    world.play("law-5", first.files)
    run = world.play("law-5", write(profile, 1, work / "2", strange).files, night=2)
    assert run.delivery_state == "published"
    second = FIRST_NIGHT + timedelta(days=1)
    assert _ends(world, "users") == {(missing, "missing", second), (leaving, "tobedeleted", second)}
    assert {reason for _, reason, _ in _ends(world, "enrollments")} == {"missing", "tobedeleted"}
    for silent in ("courses", "classes", "orgs", "academic_sessions"):
        assert _ends(world, silent) == set(), silent

    world.play("law-5", write(profile, 1, work / "3").files, night=3)
    shown = world.query("select source_id from roster.dim_student where district_id = 'law-5'")
    assert {missing, leaving, muddled} <= {source_id for (source_id,) in shown}
    assert world.published("law-5") == counts_of(first.folder, FIRST_NIGHT)
    assert _ends(world, "users") == {(missing, "missing", second), (leaving, "tobedeleted", second)}

    run = world.play("law-5", write(profile, 1, work / "4", partial(header_only, file="demographics")).files, night=4)
    assert run.delivery_state == "held"
    run.settle("approved")
    world.conform()
    assert run.delivery_state == "published"
    assert world.published("law-5") == counts_of(first.folder, FIRST_NIGHT), "a header alone removes nothing"


def _ends(world: World, table: str) -> set[tuple[Any, ...]]:
    """Which of law-5's records were removed, why and when."""
    rows = world.query(
        f"select source_id, end_reason, ended_on from history.hist_{table}"
        " where district_id = 'law-5' and end_reason <> 'changed'"
    )
    return set(rows)


def test_law_06_districts_are_isolated(world: World) -> None:
    """A neighbour with the very same ids: locked up, broken, unbuildable; nothing of it reaches the other one."""
    world.settle_in("law-6-good", "law-6-bad")
    profile, work = small_district("law-6", students=30), world.work / "law-6"
    nights = [write(profile, night, work / str(night)) for night in (1, 2)]
    for district_id in ("law-6-good", "law-6-bad"):
        world.send(district_id, nights[0].files)
        Run(world, district_id).judge()
    world.conform()
    neighbour = world.shown("law-6-bad")
    assert world.shown("law-6-good") == neighbour
    assert agree(world.published("law-6-good"), nights[0].expected)

    world.send("law-6-bad", nights[1].files)
    bad, good = Run(world, "law-6-bad", 2), Run(world, "law-6-good", 2)
    bad.judge()
    world.execute(
        f"insert into delivery_{bad.delivery_id}.change_enrollments (kind, source_id, school_year)"
        " values ('added', 'nobody', 2027)"
    )
    world.send("law-6-good", nights[1].files)
    with Pool(1) as pool, _stuck_in_the_middle_of_everything(world, "law-6-bad"):
        pool.submit(good.judge).result(timeout=LONGEST_WAIT)
    assert good.delivery_state == "accepted"
    world.conform()

    assert (good.delivery_state, bad.delivery_state) == ("published", "conform_failed")
    assert agree(world.published("law-6-good"), nights[1].expected)
    assert world.shown("law-6-bad") == neighbour


def test_law_06_one_account_cannot_fill_everybodys_disk(world: World) -> None:
    """A file that one request makes 5 TiB long: refused unread, left where it is, and nobody waits for it."""
    world.settle_in("law-6-vast", "law-6-next")
    delivery = write(small_district("law-6-vast", students=30), 1, world.work / "law-6-vast")
    for district_id in ("law-6-vast", "law-6-next"):
        world.send(district_id, delivery.files)
    users = world.inbox("law-6-vast") / "users.csv"
    real = users.read_bytes()
    os.truncate(users, 5 * 1024**4)

    vast = Run(world, "law-6-vast")
    with Pool(1) as pool:
        pool.submit(vast.judge).result(timeout=LONGEST_WAIT)
    vast.report()
    assert vast.outcome == "rejected"
    assert "users.csv has 5,120.0 GiB; at most 1.0 GiB are taken." in vast.failed["receive"]
    receipt = next(path for path in world.receipts("law-6-vast") if path.suffix == ".csv").read_text()
    assert "Nothing was read or archived: all files lie in the inbox as they were." in receipt
    assert _archived(world, "law-6-vast") == set()
    assert world.waiting("law-6-vast") == sorted(file.name for file in delivery.files)
    assert users.stat().st_size == 5 * 1024**4

    neighbor = Run(world, "law-6-next")
    neighbor.judge()
    world.conform()
    assert neighbor.delivery_state == "published"
    users.write_bytes(real)
    again = Run(world, "law-6-vast", 2)
    again.judge()
    world.conform()
    assert again.delivery_state == "published"


class _stuck_in_the_middle_of_everything:  # noqa: N801 -- reads as a phrase
    """A run of a district that holds all that a run may hold, and does not go on."""

    def __init__(self, world: World, district_id: str) -> None:
        self._connection = psycopg.connect(world.url)
        for lock in ("receive", "accept"):
            self._connection.execute(
                f"select pg_advisory_xact_lock(hashtextextended('rollcall.{lock}.' || %s, 0))", [district_id]
            )
        for table in ("delivery", "district", "publication", "night"):
            self._connection.execute(f"select from rollcall.{table} where district_id = %s for update", [district_id])

    def __enter__(self) -> None:
        """Nothing more to do."""

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def test_law_08_every_decision_is_a_row(world: World) -> None:
    """What was checked, what was found, who released it, when, and what readers were shown because of it."""
    world.settle_in("law-8")
    profile = small_district("law-8", students=30)
    world.play("law-8", write(profile, 1, world.work / "law-8" / "1").files)
    run = world.play("law-8", write(profile, 1, world.work / "law-8" / "2", truncate, _a_wizard).files, night=2)
    checked = world.query(
        "select file, code from rollcall.check_result where delivery_id = %s and checked_at is not null",
        run.delivery_id,
    )
    rules = [rule for suite in (*FILE_NAMES, DELIVERY_SUITE) for rule in suite_rules(suite) if rule.file in FILE_NAMES]
    assert set(checked) >= {(rule.file, rule.code) for rule in rules}, "passed checks are rows, too"
    assert len(codes(rules)) > 100
    found = world.query("select code from rollcall.row_finding where delivery_id = %s", run.delivery_id)
    assert ("users_role_invalid",) in found
    assert _hold(world, run) == ("hold_file_breaks_off", None, None, None, None)

    run.settle("approved", by="Ines of operations", why="the district confirmed it by telephone")
    world.conform()
    assert _hold(world, run) == (
        "hold_file_breaks_off", "approved", "Ines of operations", "the district confirmed it by telephone", True,
    )  # fmt: skip
    assert world.query(
        "select sequence, delivery_id, build_id is not null, published_at is not null from rollcall.publication_event"
        " where district_id = 'law-8' order by publication_event_id desc limit 1"
    ) == [(2, run.delivery_id, True, True)]
    assert world.query(
        "select state from rollcall.build join rollcall.build_delivery using (build_id) where delivery_id = %s",
        run.delivery_id,
    ) == [("succeeded",)]
    run.settle("discarded", by="Somebody slower", why="too late")
    assert _hold(world, run)[1:3] == ("approved", "Ines of operations"), "a decision is taken once"


def _a_wizard(folder: Path) -> None:
    student = next(user["sourcedId"] for user in records(folder, "users") if user["role"] == "student")
    rewrite(folder, "users", lambda user: user | ({"role": "wizard"} if user["sourcedId"] == student else {}))


def _hold(world: World, run: Run) -> tuple[Any, ...]:
    (row,) = world.query(
        "select reasons -> 0 ->> 'code', settlement, settled_by, settled_why, settled_at > opened_at"
        " from rollcall.hold where delivery_id = %s",
        run.delivery_id,
    )
    return row


PECULIAR = ("7", "07", "007", "7.0", "7e0", "a-1", "A-1", "Ä/ö", "O'Brien %s", "null")


def test_law_09_ids_are_opaque_text(world: World) -> None:
    """Ids that a number, a case or a neighbour would confuse; and the ids of this year again in the next one."""
    world.settle_in("law-9-a", "law-9-b")
    profile, work = small_district("law-9", students=30), world.work / "law-9"
    later = small_district("law-9", students=30, first_night=date(FIRST_NIGHT.year + 1, 8, 20))
    this_year = write(profile, 1, work / "1", _with_peculiar_ids)
    next_year = write(later, 1, work / "2", _with_peculiar_ids)
    classes = {row["sourcedId"] for row in records(this_year.folder, "classes")}
    assert classes == {row["sourcedId"] for row in records(next_year.folder, "classes")}, "the SIS uses them again"

    for district_id in ("law-9-a", "law-9-b"):
        world.play(district_id, this_year.files)
        assert _ids(world, district_id, "dim_student") >= set(PECULIAR)
        assert world.published(district_id) == counts_of(this_year.folder, FIRST_NIGHT)
    a_year_later = 1 + (later.first_night - FIRST_NIGHT).days
    world.play("law-9-a", next_year.files, night=a_year_later)

    assert world.published("law-9-a") == counts_of(next_year.folder, later.first_night)
    assert world.published("law-9-b") == counts_of(this_year.folder, FIRST_NIGHT)
    for table in ("academic_sessions", "classes", "enrollments"):
        years = world.query(
            f"select school_year, count(distinct source_id), bool_and(valid_to_seq is null) from history.hist_{table}"
            " where district_id = 'law-9-a' group by school_year order by school_year"
        )
        assert [(year, is_open) for year, _, is_open in years] == [(2025, False), (2026, True)], table
    kept = world.query("select distinct source_id from history.hist_classes where school_year = 2025"
                       " and district_id = 'law-9-a'")  # fmt: skip
    assert {source_id for (source_id,) in kept} == classes, "last year's classes stay what they were"


def _with_peculiar_ids(folder: Path) -> None:
    students = [user["sourcedId"] for user in records(folder, "users") if user["role"] == "student"]
    new = dict(zip(students, PECULIAR, strict=False))
    for file, column in (("users", "sourcedId"), ("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
        rewrite(folder, file, lambda row, at=column: row | {at: new.get(row[at], row[at])})  # type: ignore[misc]
    first = records(folder, "courses")[0]["sourcedId"]
    rewrite(folder, "courses", lambda row: row | ({"sourcedId": "7"} if row["sourcedId"] == first else {}))
    rewrite(folder, "classes", lambda row: row | ({"courseSourcedId": "7"} if row["courseSourcedId"] == first else {}))


def _ids(world: World, district_id: str, mart: str) -> set[str]:
    rows = world.query(f"select source_id from roster.{mart} where district_id = %s", district_id)
    return {source_id for (source_id,) in rows}


def test_law_10_time_only_moves_forward(world: World) -> None:
    """Every way in which an older delivery may come after a newer one: late, held too long, or sent once more."""
    world.settle_in("law-10", limits={"removed": {"percent": 40, "floor": 20}})
    profile, work = small_district("law-10", students=30), world.work / "law-10"
    oldest = world.play("law-10", write(profile, 1, work / "1").files, night=1)
    held = world.play("law-10", write(profile, 1, work / "2", truncate).files, night=3)
    newest = world.play("law-10", write(profile, 2, work / "3").files, night=4)
    assert newest.delivery_state == "published"
    newest_shown = world.shown("law-10")

    held.settle("approved")
    late = world.play("law-10", write(profile, 1, work / "4", _with_another_name).files, night=2)
    again = Run(world, "law-10", night=2, source=f"archive/{oldest.delivery_id}", name="again")
    again.judge()
    same = world.play("law-10", sorted((work / "3").iterdir()), night=3, name="same")
    world.conform()

    assert held.delivery_state == late.delivery_state == again.delivery_state == "superseded"
    assert same.delivery_state == "unchanged"
    assert world.publication("law-10") == (2, FIRST_NIGHT + timedelta(days=3))
    assert world.shown("law-10") == newest_shown
    with pytest.raises(CannotSettleError, match="not held"):
        late.settle("approved")
