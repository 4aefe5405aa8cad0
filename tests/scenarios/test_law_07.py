"""Law 7: personal data stays in the warehouse, on good nights and when everything goes wrong."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from helpers.planted import (
    BAD,
    BIRTH_PLACE,
    FAMILY_NAME,
    GOOD,
    MARKERS,
    PASSWORD,
    leaks,
    plant,
    texts_of_files,
    texts_of_tables,
)
from helpers.post import Post, operators_post
from nights import Run, World, small_district, write

from rollcall import suites
from rollcall.conform.dbt_build import write_docs
from rollcall.report.roll_up import send_roll_up
from rollcall.settings import settings
from simulator.package import ZIP_NAME


class Told:
    """Everything that the steps answered, raised and logged."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def answer(self, what: str, call: Callable[[], object]) -> Any:
        """Do something and keep what it returns or raises, as it would be printed."""
        try:
            result = call()
        except Exception:  # noqa: BLE001
            self.texts.append((what, traceback.format_exc()))
            return None
        self.texts.append((what, repr(result)))
        return result


class Nights:
    """Nights of planted districts, whose every step is listened to."""

    def __init__(self, world: World, told: Told) -> None:
        self.world, self.told = world, told

    def judge(self, district_id: str, *spoil: Callable[[Path], object], night: int = 1) -> Run:
        """The night of a district in whose files personal data is planted, up to the decision."""
        profile = small_district(district_id, students=30)
        sent = write(profile, night, self.world.work / district_id / str(night), plant, *spoil)
        self.world.send(district_id, sent.files)
        run = Run(self.world, district_id, night)
        self.told.answer(f"{district_id} judged", run.judge)
        self.told.texts.append((f"{district_id} failed tasks", repr(run.failed)))
        return run

    def conform(self) -> None:
        self.told.answer("conform", self.world.conform)


@pytest.fixture
def nights(world: World, caplog: pytest.LogCaptureFixture) -> Iterator[Nights]:
    """Nights with every logger at its most talkative."""
    with caplog.at_level(logging.DEBUG):
        yield Nights(world, Told())


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Post]:
    """A mail server and a chat, both of them the operators'."""
    with operators_post(monkeypatch, tmp_path / "airflow") as arrived:
        yield arrived


DISTRICTS = ("good", "headless", "copy", "gate", "unzippable", "check", "unique", "audit")


def test_law_07_personal_data_stays_in_the_warehouse(
    nights: Nights,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    post: Post,
) -> None:
    world = nights.world
    told = {"contacts": ["data@district.example"], "tell_contacts": "each_night"}
    world.settle_in(*(f"law-7-{name}" for name in DISTRICTS), **told)

    good = nights.judge("law-7-good")
    headless = nights.judge("law-7-headless", _without_a_header)
    with _failing_copy(world):
        failed_copy = nights.judge("law-7-copy")
    with monkeypatch.context() as patch:
        _break_a_rule(world, patch)
        failed_gate = nights.judge("law-7-gate")
    unzippable = nights.judge("law-7-unzippable", _as_a_broken_zip)
    check, unique, audit = (nights.judge(f"law-7-{name}") for name in ("check", "unique", "audit"))
    world.execute(f"update delivery_{audit.delivery_id}.change_enrollments set user_source_id = %s", FAMILY_NAME)
    with _no_name_twice(world, "law-7-unique"), _no_birth_place(world, "law-7-check"):
        nights.conform()
    for run in (good, headless, failed_copy, failed_gate, unzippable, check, unique, audit):
        nights.told.answer(f"{run.district_id} reported", run.report)
    send_roll_up(datetime.combine(good.service_date, time(20), UTC))

    states = {run.district_id.removeprefix("law-7-"): run.delivery_state for run in (good, headless, unzippable)}
    assert states == {"good": "published", "headless": "rejected", "unzippable": "rejected"}
    assert (check.delivery_state, unique.delivery_state) == ("conform_failed", "conform_failed")
    assert audit.delivery_state == "audit_failed"
    assert "23514" in check.reason, "a check violation, which quotes the row"
    assert "23505" in unique.reason, "a unique violation"
    said = dict(nights.told.texts)
    assert "23514" in said["law-7-copy judged"], "the COPY failed"
    assert "GateError" in said["law-7-gate judged"]

    assert _is_visible_to_readers(world)
    write_docs(settings().warehouse_docs)
    recipients = {address for addresses, _ in post.mails for address in addresses}
    assert recipients == {"data@district.example", "ops@example.org", "night@example.org"}
    assert "law-7-audit" in post.texts(), "the audit, the roll-up and the receipts were told"
    out, err = capfd.readouterr()
    everywhere = [
        *nights.told.texts,
        ("logging", caplog.text),
        ("stdout", out),
        ("stderr", err),
        ("e-mails", post.texts()),
        ("chat", repr(post.posted)),
        *_written_beside_the_warehouse(world),
        *texts_of_tables(world.url, "rollcall", "audit"),
    ]
    assert leaks(everywhere) == []
    assert leaks(_whole_warehouse(world), [PASSWORD]) == []


def _is_visible_to_readers(world: World) -> bool:
    """The search would find it: readers see what was planted, and only of the values that break no rule."""
    shown = list(texts_of_tables(world.url, "roster", "roster_restricted"))
    return all(leaks(shown, [value]) for value in GOOD) and not leaks(shown, BAD)


def _written_beside_the_warehouse(world: World) -> Iterator[tuple[str, str]]:
    """Every file that the parts wrote, but for the database itself, the archived bytes and the inboxes."""
    state = world.state.state_dir
    yield from texts_of_files(state / "logs", state / "dbt", state / "docs", state / "run")
    for district in (state / "archive").iterdir():
        yield from texts_of_files(*(district / name for name in ("deliveries", "receipts", "incoming", "changes")))
    for account in (state / "sftp").iterdir():
        yield from texts_of_files(account / "receipts")


def _whole_warehouse(world: World) -> Iterator[tuple[str, str]]:
    schemas = world.query("select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)'")
    return texts_of_tables(world.url, *(schema for (schema,) in schemas))


def _without_a_header(folder: Path) -> None:
    """The first line is a student's."""
    path = folder / "users.csv"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[-3:]))


def _as_a_broken_zip(folder: Path) -> None:
    """A zip that breaks off, and holds what it holds in plain text."""
    content = (folder / "users.csv").read_bytes()
    for file in folder.glob("*.csv"):
        file.unlink()
    (folder / ZIP_NAME).write_bytes(b"PK\x03\x04" + content)


@contextmanager
def _failing_copy(world: World) -> Iterator[None]:
    """Landing tables that do not take the planted family name, so that COPY fails on the cell and quotes it."""
    alter = "alter table staging.users alter column family_name type {}"
    world.execute(f"create domain staging.law_7 as text check (value <> '{FAMILY_NAME}')")
    world.execute(alter.format("staging.law_7"))
    try:
        yield
    finally:
        world.execute(alter.format("text"))
        world.execute("drop domain staging.law_7 cascade")


def _break_a_rule(world: World, patch: pytest.MonkeyPatch) -> None:
    """A suite with a condition on which PostgreSQL fails, quoting a cell."""
    suite = json.loads(suites.suite_path("users").read_text())
    broken = f"case family_name when '{FAMILY_NAME}' then family_name::integer end > 0"
    for expectation in suite["expectations"]:
        if expectation["meta"]["code"] == "users_name_missing":
            expectation["kwargs"]["condition"] = broken
    folder = world.work / "expectations"
    folder.mkdir(parents=True)
    (folder / "users.json").write_text(json.dumps(suite))
    known = suites.suite_path
    patch.setattr(suites, "suite_path", lambda name: folder / "users.json" if name == "users" else known(name))


@contextmanager
def _no_name_twice(world: World, district_id: str) -> Iterator[None]:
    """A unique index that the planted students, who share a name, violate."""
    world.execute(
        "create unique index law_7 on history.hist_users (family_name)"
        f" where district_id = '{district_id}' and given_name = 'Qwirlanda'"
    )
    try:
        yield
    finally:
        world.execute("drop index history.law_7")


@contextmanager
def _no_birth_place(world: World, district_id: str) -> Iterator[None]:
    """A constraint that the planted birth place violates."""
    world.execute(
        "alter table history.hist_demographics add constraint law_7"
        f" check (district_id <> '{district_id}' or city_of_birth <> '{BIRTH_PLACE}')"
    )
    try:
        yield
    finally:
        world.execute("alter table history.hist_demographics drop constraint law_7")


def test_the_search_for_personal_data_finds_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff DETAIL: Key (name)=(ZZYZXWORTH) exists")
    assert leaks(texts_of_files(tmp_path)) == [f"{tmp_path / 'log'}: {FAMILY_NAME.lower()}"]
    assert all(leaks([("here", f"x{marker}x")]) for marker in MARKERS)
