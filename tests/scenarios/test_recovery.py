"""Everything gone, and back: verified, restored from a backup, built anew from the archive alone."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from conftest import execute_each, started
from helpers.asking import forget
from helpers.deliveries import execute, put_aside
from helpers.marts import marts_of
from helpers.s3 import BUCKET, s3_server
from nights import FIRST_NIGHT, Run, World, records, rewrite, small_district, write
from typer.testing import CliRunner

from rollcall.archive.decisions import write_decisions
from rollcall.cli import app
from rollcall.conform import deploy, roll_back
from rollcall.decision.rekey.accept import rekey
from rollcall.decision.rekey.id_map import NewId
from rollcall.forget import forget as forget_person
from rollcall.forgotten import forget_key
from rollcall.private import is_open_to_others
from rollcall.recovery.differences import FORGOTTEN
from rollcall.recovery.manifest import BackupError
from rollcall.recovery.rebuild import CannotRebuildError, rebuild
from rollcall.recovery.restore import restore
from rollcall.recovery.verify import verify
from rollcall.settings import working_on
from rollcall.stack import StackState, down
from rollcall.who import Person
from simulator.night import Delivery
from simulator.spoil import drop_school, truncate

ADA = Person("Ada", "ada")
ELSEWHERE = "other_store"
ON_S3 = f"s3://{ELSEWHERE}@{BUCKET}/restored"
TOLD, QUIET = "told", "quiet"
"""A district to which everything happens that a person decides; and one that sends two nights, then one that waits."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A stack of this file's own: it is lost, and another takes its place."""
    root = Path(tempfile.mkdtemp(prefix="rollcall-recovery-"))
    with started(root) as world:
        yield world
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def story(world: World) -> World:
    """Nights accepted, unchanged, discarded, approved, gone back from, and under other ids; rows set aside; a student
    forgotten, of whom all this is true."""
    world.settle_in(TOLD, QUIET)
    profile, work = small_district(TOLD, students=40), world.work / TOLD

    def send(night: int, content: int, *spoiled: Callable[[Path], object]) -> Run:
        return world.play(TOLD, write(profile, content, work / str(night), *spoiled).files, night=night)

    assert send(1, 1, _unreadable_user).delivery_state == "published"
    assert send(2, 2).delivery_state == "published"
    assert send(3, 2).delivery_state == "unchanged"
    cut = send(4, 3, truncate)
    cut.settle("discarded", by="Bo", why="half of it")
    assert cut.delivery_state == "discarded"
    closed = send(5, 3, drop_school)
    closed.settle("approved", by="Bo", why="it closed")
    world.conform()
    assert closed.delivery_state == "published"
    roll_back(TOLD, to=2, by=ADA, why="it is open")
    ids = [NewId("users", each, f"N-{each}") for each in students(work / "3")[:5]]
    rekey(TOLD, ids, by=ADA, why="new system")
    world.conform()
    assert world.publication(TOLD) == (5, Run(world, TOLD, 5).service_date)
    forget_person(TOLD, students(work / "1")[0], by=ADA, why="asked for")

    profile, work = small_district(QUIET, students=30, seed=8), world.work / QUIET
    _play_by_a_rule_of_then(world, write(profile, 1, work / "1"))
    world.play(QUIET, write(profile, 2, work / "2").files, night=2)
    waits = world.play(QUIET, write(profile, 3, work / "3", truncate).files, night=3)
    assert waits.delivery_state == "held"
    return world


def _play_by_a_rule_of_then(world: World, delivery: Delivery) -> None:
    """The first night of the quiet one, in which a student is set aside by a rule that there is no more."""
    world.send(QUIET, delivery.files)
    run = Run(world, QUIET, 1)
    run.judge(("receive", "check"))
    number, student = next(
        (number, each["sourcedId"])
        for number, each in enumerate(records(delivery.folder, "users"), start=2)
        if each["role"] == "student"
    )
    with psycopg.connect(world.url) as connection:
        put_aside(connection, run.delivery_id, "users", number, student, "rule_of_then")
        connection.execute(
            "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)"
            " values (%s, 'users', 'rule_of_then', 'critical', 1)",
            [run.delivery_id],
        )
    run.judge(("decide",))
    world.conform()
    run.report()
    assert run.delivery_state == "published"


def _unreadable_user(folder: Path) -> None:
    first = students(folder)[0]
    rewrite(folder, "users", lambda each: each | {"enabledUser": "perhaps"} if each["sourcedId"] == first else each)


def students(folder: Path) -> list[str]:
    """The ids of a delivery's students, in the order of the file."""
    return [each["sourcedId"] for each in records(folder, "users") if each["role"] == "student"]


def test_verify_finds_what_was_broken_and_nothing_else(story: World) -> None:
    assert verify(QUIET) == []
    (forgotten,) = verify(TOLD)
    assert forgotten.code == FORGOTTEN
    told = CliRunner().invoke(app, ["verify", "--json"])
    assert (told.exit_code, [each["code"] for each in json.loads(told.stdout)]) == (0, [FORGOTTEN])

    archive = story.state.state_dir / "archive"
    (path,) = story.query(
        "select archive_path from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)"
        " where district_id = %s and file = 'users' and service_date = %s",
        QUIET,
        FIRST_NIGHT,
    )[0]
    whole = (archive / path).read_bytes()
    (archive / path).write_bytes(whole[:-1] + b"x")
    assert wrong() == ["archive_differs"]
    (archive / path).unlink()
    told = CliRunner().invoke(app, ["verify", QUIET])
    assert told.exit_code == 1
    assert "archive_missing" in told.stdout
    (archive / path).write_bytes(whole)

    entry = next((archive / TOLD / "deliveries").iterdir())
    text = entry.read_text()
    entry.unlink()
    assert wrong(TOLD) == ["entry_missing"]
    entry.write_text(text.replace('"sha256": "', '"sha256": "0'))
    assert wrong(TOLD) == ["entry_differs"]
    entry.write_text(text)

    document = max((archive / TOLD / "decisions").glob("delivery-*"))
    text = document.read_text()
    document.write_text(text.replace("Ada", "Eve"))
    document.with_name("delivery-000000999.0001.json").write_text("{}")
    assert set(wrong(TOLD)) == {"decision_differs", "decision_unknown"}
    document.with_name("delivery-000000999.0001.json").unlink()
    document.unlink()
    assert wrong(TOLD) == ["decision_missing"]
    document.write_text(text)

    with _copy(story) as broken:
        execute(broken, LOST)
        lost = [each.what for each in verify(TOLD) if not each.is_in_order]
        assert lost[-1].endswith("went with people who were forgotten, and no more.")
        assert {what[:5] for what in lost} == {"users"}
        for statement in BROKEN.values():
            execute(broken, statement)
        assert set(wrong()) == set(BROKEN)
    assert wrong() == []


def wrong(district_id: str | None = None) -> list[str]:
    """The codes of what verify finds, but for what is as a person had it done."""
    return [each.code for each in verify(district_id) if not each.is_in_order]


def test_the_warehouse_is_rebuilt_from_the_archive_alone(story: World) -> None:
    for district_id in (TOLD, QUIET):
        write_decisions(district_id)
    with _empty(story) as rebuilt:
        told = CliRunner().invoke(app, ["rebuild", "--all", "--json"])
        quiet, other = json.loads(told.stdout)
        assert (other["district_id"], other["sequences"]) == (TOLD, 5)
        assert [each["code"] for each in other["differences"]] == [FORGOTTEN]
        assert (told.exit_code, quiet["district_id"], quiet["sequences"]) == (1, QUIET, 2)
        assert {each["code"] for each in quiet["differences"]} == {"judged_otherwise"}
        for district_id in (TOLD, QUIET):
            assert write_decisions(district_id) == 0, "the ledger tells what the archive tells"
            for night in (None, *(Run(story, district_id, number).service_date for number in range(1, 6))):
                as_of = None if night is None else str(night)
                assert marts_of(rebuilt, district_id, as_of=as_of) == marts_of(story.url, district_id, as_of=as_of)
        with pytest.raises(CannotRebuildError, match="The ledger knows deliveries of told"):
            rebuild(TOLD)


def test_a_backup_is_restored_on_an_empty_machine(story: World) -> None:
    """All that made the stack but its programs is gone; its archive is on S3 from then on."""
    root, key = Path(tempfile.mkdtemp(prefix="rollcall-restored-")), forget_key(make=True)
    told = CliRunner().invoke(app, ["backup", str(root / "backup"), "--json"])
    assert (told.exit_code, json.loads(told.stdout)["stack"]) == (0, "local")
    assert not any(is_open_to_others(path) for path in (root / "backup").rglob("*"))
    shown = {each: marts_of(story.url, each) for each in (TOLD, QUIET)}
    then = {each: marts_of(story.url, each, as_of=str(FIRST_NIGHT)) for each in (TOLD, QUIET)}

    with (
        s3_server(ELSEWHERE, read_timeout_seconds=60),
        working_on(warehouse="", state_dir=root / "state", districts_dir=root / "districts", archive_url=ON_S3),
    ):
        (root / "backup" / "accounts.tar").rename(root / "accounts.tar")
        with pytest.raises(BackupError, match=r"accounts\.tar is missing"):
            restore(root / "backup")
        (root / "accounts.tar").rename(root / "backup" / "accounts.tar")
        told = CliRunner().invoke(app, ["restore", str(root / "backup"), "--json"])
        assert (told.exit_code, [each["code"] for each in json.loads(told.stdout)]) == (0, [FORGOTTEN])
        state = StackState.load(root / "state")
        assert state is not None
        assert forget_key() == key, "who was forgotten before is known again"
        try:
            restored = World(state, root / "work")
            assert {each: marts_of(restored.url, each) for each in (TOLD, QUIET)} == shown
            as_of = {each: marts_of(restored.url, each, as_of=str(FIRST_NIGHT)) for each in (TOLD, QUIET)}
            assert as_of == then
            with pytest.raises(BackupError, match="say --replace"):
                restore(root / "backup")
            sent = write(small_district(QUIET, students=30, seed=8), 3, root / "work")
            assert restored.play(QUIET, sent.files, night=4).delivery_state == "published"
            assert marts_of(restored.url, QUIET) != shown[QUIET]
            _restore_beside_the_archive(root, restored)
        finally:
            down(root / "state")
    shutil.rmtree(root)


def _restore_beside_the_archive(root: Path, world: World) -> None:
    """A backup without the archive's files, put back in the place of what is there."""
    told = CliRunner().invoke(app, ["backup", str(root / "bare"), "--without-archive"])
    assert (told.exit_code, (root / "bare" / "archive").exists()) == (0, False)
    whole, bare = ((root / each / "archive.csv").read_text().splitlines() for each in ("backup", "bare"))
    assert set(whole) < set(bare), "the night since, too"
    shown = marts_of(world.url, QUIET)
    execute(_database(world.state.superuser_url, "warehouse"), "delete from history.hist_users")
    told = CliRunner().invoke(app, ["restore", str(root / "bare"), "--replace", "--json"])
    assert (told.exit_code, [each["code"] for each in json.loads(told.stdout)]) == (0, [FORGOTTEN])
    assert marts_of(world.url, QUIET) == shown


@contextmanager
def _empty(world: World) -> Iterator[str]:
    """A deployed warehouse in which nothing is, and a copy of the archive."""
    execute_each(world.state.superuser_url, "create database rebuilt owner rollcall template template0")
    copied = shutil.copytree(world.state.state_dir / "archive", world.work / "alone")
    try:
        with working_on(warehouse=_database(world.url, "rebuilt"), archive_url=copied.as_uri()):
            deploy()
            yield _database(world.url, "rebuilt")
    finally:
        execute_each(world.state.superuser_url, "drop database rebuilt with (force)")


LOST = """
    delete from history.hist_users where district_id = 'told' and valid_from_seq = 1 and source_id = (
        select min(source_id) from history.hist_users where district_id = 'told' and valid_from_seq = 1
    )
"""
BROKEN = {
    "history_differs": """
        delete from history.hist_orgs where district_id = 'told' and source_id = (
            select min(source_id) from history.hist_orgs where district_id = 'told'
        )
    """,
    "half_written": """
        update history.hist_courses set valid_to_seq = 99, end_reason = 'missing', ended_on = '2024-11-30'
        where district_id = 'quiet'
    """,
    "shown_twice": """
        insert into history.hist_users
        select (jsonb_populate_record(version, '{"valid_from_seq": 2}')).* from history.hist_users as version
        where district_id = 'told' and valid_from_seq = 1 and valid_to_seq is null limit 1
    """,
    "pointer_differs": "update rollcall.publication set effective_date = '2024-11-01' where district_id = 'quiet'",
    "publication_untold": "delete from rollcall.publication_event where district_id = 'quiet' and sequence = 1",
    "landed_differs": """
        update rollcall.delivery_file set rows_landed = rows_landed + 1 where file = 'users'
            and delivery_id = (select delivery_id from rollcall.delivery where state = 'held')
    """,
}


@contextmanager
def _copy(world: World) -> Iterator[str]:
    """A copy of the warehouse, worked on; its URL as a superuser, whom no policy stops."""
    forget(world.url)
    execute_each(world.state.superuser_url, "create database broken template warehouse owner rollcall")
    try:
        copied = shutil.copytree(world.state.state_dir / "archive", world.work / "broken")
        with working_on(warehouse=_database(world.url, "broken"), archive_url=copied.as_uri()):
            yield _database(world.state.superuser_url, "broken")
    finally:
        execute_each(world.state.superuser_url, "drop database broken with (force)")


def _database(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
