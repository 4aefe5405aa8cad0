"""A person who was forgotten is found nowhere, as if never sent; and who sends them again is asked."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from helpers.planted import leaks, texts_of_tables
from nights import Record, Run, World, records, small_district, write
from processes import kill, moments_of, spread
from typer.testing import CliRunner

from rollcall.cli import app
from rollcall.decision.rekey.accept import rekey
from rollcall.decision.rekey.id_map import NewId
from rollcall.forget import CannotForgetError, forget
from rollcall.forget.archived import FILES
from rollcall.recovery.differences import FORGOTTEN
from rollcall.recovery.verify import verify
from rollcall.settings import settings
from rollcall.who import Person
from simulator.night import Delivery
from simulator.package import write_csv

ADA = Person("Ada", "ada")
STUDENT, TEACHER, GUARDIAN = "Qzstudent-1", "Qzteacher-1", "Qzguardian-1"
PEOPLE = (STUDENT, TEACHER, GUARDIAN)
MARK = "Qz"
WHY = "request 2026-17"


class Files:
    """A delivery's files, in which the three people are planted, or out of which they are taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = {name: records(folder, name) for name in ("users", "enrollments", "demographics")}
        self.headers = {name: tuple(rows[0]) for name, rows in self.rows.items()}

    def plant(self, night: int) -> None:
        """The same student and teacher each night under ids of their own; a guardian whom others name since night 2."""
        users = self.rows["users"]
        students = [each for each in users if each["role"] == "student"]
        teacher = min((each for each in users if each["role"] == "teacher"), key=lambda each: each["sourcedId"])
        student = next(each for each in students if each["sourcedId"] == self._one_who_stays(students))
        others = [each for each in students if each is not student][:2]
        for new_id, person in ((STUDENT, student), (TEACHER, teacher)):
            self._rename(person["sourcedId"], new_id)
            person |= {
                "givenName": f"{MARK}given",
                "familyName": f"{MARK}, night {night}",
                "email": f"{MARK}@x.example",
            }
        student["agentSourcedIds"] = GUARDIAN
        others[0]["agentSourcedIds"] = GUARDIAN if night > 1 else ""
        others[1]["agentSourcedIds"] = f"{GUARDIAN},G-2"
        blank = dict.fromkeys(self.headers["users"], "")
        school = student["orgSourcedIds"]
        for guardian in (GUARDIAN, "G-2"):
            users.append(
                blank
                | {"sourcedId": guardian, "enabledUser": "true", "orgSourcedIds": school, "role": "guardian"}
                | {"username": guardian, "givenName": guardian, "familyName": guardian}
            )
        taught = next(each for each in self.rows["enrollments"] if each["userSourcedId"] == TEACHER)
        colleague = next(each for each in users if each["role"] == "teacher" and each is not teacher)
        self.rows["enrollments"].append(
            taught | {"sourcedId": "co-teaching", "userSourcedId": colleague["sourcedId"], "primary": "false"}
        )
        if night == 1:  # later, a row that is set aside would keep what others do not send any more
            self.rows["enrollments"].append(taught | {"sourcedId": f"{MARK}stray", "classSourcedId": "no class"})

    def take_out(self, people: tuple[str, ...]) -> None:
        for name, column in (("users", "sourcedId"), ("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
            self.rows[name] = [each for each in self.rows[name] if each[column] not in people]
        for each in self.rows["users"]:
            agents = each["agentSourcedIds"].split(",")
            each["agentSourcedIds"] = ",".join(agent for agent in agents if agent not in people)

    def write(self) -> None:
        for name, rows in self.rows.items():
            header = self.headers[name]
            write_csv(self.folder / f"{name}.csv", header, (tuple(each[column] for column in header) for each in rows))

    def _one_who_stays(self, students: list[Record]) -> str:
        described = {each["sourcedId"] for each in self.rows["demographics"]}
        return min(each["sourcedId"] for each in students if each["sourcedId"] in described)

    def _rename(self, old: str, new: str) -> None:
        for name, column in (("users", "sourcedId"), ("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
            for number, each in enumerate(self.rows[name]):
                if each[column] == old:
                    each[column] = new
                    if name == "enrollments":
                        each["sourcedId"] = f"{MARK}enrollment-{new}-{number}"


def night_of(world: World, district_id: str, night: int, *without: str) -> Delivery:
    """A night's files with the three people in them, but for some."""

    def spoil(folder: Path) -> None:
        files = Files(folder)
        files.plant(night)
        files.take_out(without)
        files.write()

    return write(small_district("forgets"), night, world.work / district_id / str(night), spoil)


def contents_of(district_id: str) -> set[str]:
    return {path.name for path in _archive(district_id).rglob("*") if len(path.name) == 64}


def texts_of_archive(district_id: str) -> Iterator[tuple[str, str]]:
    """Every file of a district's archive, and what is packed in it."""
    for path in _archive(district_id).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield str(path), f"{path}\n{content.decode('latin-1')}"
            if zipfile.is_zipfile(io.BytesIO(content)):
                with zipfile.ZipFile(path) as package:
                    yield from ((f"{path}:{name}", package.read(name).decode("latin-1")) for name in package.namelist())


def _archive(district_id: str) -> Path:
    return settings().state_dir / "archive" / district_id


def where_left(world: World, district_id: str, *markers: str) -> list[str]:
    """Every place in the warehouse and the archive where a mark stands."""
    schemas = [
        name for (name,) in world.query("select nspname from pg_namespace where nspname !~ '^(pg_|information)'")
    ]
    return leaks([*texts_of_tables(world.url, *schemas), *texts_of_archive(district_id)], markers)


@pytest.fixture(scope="module")
def forgotten(world: World) -> World:
    """Two nights of a district that has sent the three people, and of one that never did."""
    for district_id, without in (("forgets", ()), ("never", PEOPLE)):
        world.settle_in(district_id, name="The same", limits={"removed": {"percent": 50, "floor": 50}})
        for night in (1, 2):
            run = world.play(district_id, night_of(world, district_id, night, *without).files, night=night)
            assert run.delivery_state == "published", run.reason
    return world


def test_law_04_a_person_is_forgotten_everywhere_whenever_it_was_killed(forgotten: World) -> None:
    world = forgotten
    elsewhere = world.history("never"), world.shown("never"), world.meaning("never")
    assert where_left(world, "forgets", MARK)
    counted = forget("forgets", STUDENT, by=ADA, why=WHY, dry_run=True)
    assert (counted.kind, counted.removed[FILES]) == ("student", 6)
    assert world.query("select from rollcall.forgetting") == []

    def forget_student() -> None:
        with suppress(CannotForgetError):  # there is nothing left of the student
            forget("forgets", STUDENT, by=ADA, why=WHY)

    for moment in spread(180, 7):
        kill(forget_student, moment)
    moments_of(forget_student)
    act = ["--by", "Ada", "--why", WHY]
    told = CliRunner().invoke(app, ["forget", "forgets", TEACHER, *act], input=f"{TEACHER}\n")
    assert told.exit_code == 0, told.output
    told = CliRunner().invoke(app, ["forget", "forgets", GUARDIAN, *act, "--yes", "--json"])
    answer = json.loads(told.stdout)
    assert (told.exit_code, answer["kind"], answer["dry_run"]) == (0, "guardian", False)

    assert where_left(world, "forgets", MARK) == []
    assert contents_of("forgets") == contents_of("never"), "what the district would have sent, byte for byte"
    assert world.history("forgets") == world.history("never")
    assert world.shown("forgets") == world.shown("never")
    assert (world.history("never"), world.shown("never"), world.meaning("never")) == elsewhere
    assert world.query(
        "select kind, forgotten_by, why, finished_at > begun_at from rollcall.forgetting order by 1"
    ) == [
        ("guardian", "Ada", WHY, True),
        ("staff", "Ada", WHY, True),
        ("student", "Ada", WHY, True),
    ]
    assert world.query("select removed from rollcall.forgotten join rollcall.forgetting using (forgetting_id)"
                       " where kind = 'student' and place = %s", FILES) == [(6,)]  # fmt: skip
    assert [each.code for each in verify("forgets")] == [FORGOTTEN], "each version that is gone is on record"
    with pytest.raises(CannotForgetError, match="names the id"):
        forget("forgets", "nobody", by=ADA, why=WHY, dry_run=True)


def test_an_archive_that_was_rewritten_is_worked_with_like_any_other(forgotten: World) -> None:
    world = forgotten
    published = Run(world, "forgets", 2)
    for path in _archive("forgets").glob("deliveries/*.json"):
        for file in json.loads(path.read_text())["files"].values():
            content = (_archive("forgets").parent / file["archive_path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
    again = Run(world, "forgets", 2, source=f"archive/{published.delivery_id}", name="again")
    again.judge()
    assert again.delivery_state == "unchanged"
    assert [path.name for path in world.receipts("forgets") if MARK in path.read_text()], "the account's own copies"
    without = world.play("forgets", night_of(world, "forgets", 2, *PEOPLE).files, night=2, name="without")
    assert (without.delivery_state, "Its content equals" in without.reason) == ("unchanged", True)
    assert [path.name for path in world.receipts("forgets") if MARK in path.read_text()] == []


def test_a_delivery_that_sends_a_forgotten_person_again_is_held(forgotten: World) -> None:
    world = forgotten
    held = world.play("forgets", night_of(world, "forgets", 3, TEACHER, GUARDIAN).files, night=3)
    assert (held.delivery_state, held.reason.count("was forgotten on request")) == ("held", 1)
    named = "select file, code, sourced_id from rollcall.row_finding where delivery_id = %s and code = 'hold_forgotten'"
    assert ("users", "hold_forgotten", STUDENT) in world.query(named, held.delivery_id)
    with pytest.raises(CannotForgetError, match=r"is held\. Approve or discard it"):
        forget("forgets", STUDENT, by=ADA, why=WHY)
    held.settle("discarded")
    assert where_left(world, "forgets", MARK)
    forget("forgets", STUDENT, by=ADA, why="it came again")
    assert where_left(world, "forgets", MARK) == []

    welcome = world.play("forgets", night_of(world, "forgets", 4, STUDENT, GUARDIAN).files, night=4)
    assert (welcome.delivery_state, "hold_forgotten" in codes_of(welcome)) == ("held", True)
    welcome.settle("approved")
    world.conform()
    assert welcome.delivery_state == "published"
    ordinary = world.play("forgets", night_of(world, "forgets", 5, STUDENT, GUARDIAN).files, night=5)
    assert ordinary.delivery_state == "published", "a person who was let through is known again"


def test_a_person_is_forgotten_under_every_id_of_theirs_unless_another_has_one_since(forgotten: World) -> None:
    world = forgotten
    old_id = min(row["sourcedId"] for row in records(world.work / "never" / "2", "users") if row["role"] == "student")
    rekey("never", [NewId("users", old_id, f"{MARK}renamed")], by=ADA, why="a slip")
    world.conform()
    sequence = world.publication("never")
    assert sequence is not None
    another = (
        "insert into history.hist_users (district_id, source_id, valid_from_seq, row_hash)"
        " values ('never', %s, %s, gen_random_uuid())"
    )
    world.execute(another, old_id, sequence[0] + 1)
    with pytest.raises(CannotForgetError, match="is another person's since"):
        forget("never", old_id, by=ADA, why=WHY)
    world.execute("delete from history.hist_users where source_id = %s and valid_from_seq > %s", old_id, sequence[0])
    done = forget("never", old_id, by=ADA, why=WHY)
    assert done.ids == (old_id, f"{MARK}renamed")
    assert where_left(world, "never", f"{MARK}renamed") == []
    assert [place for place, text in texts_of_archive("never") if re.search(rf"(?<!\w){old_id}(?!\w)", text)] == []
    assert world.query("select from history.hist_former_ids where district_id = 'never'") == []


def codes_of(run: Run) -> set[str]:
    rows = run.world.query("select reasons from rollcall.hold where delivery_id = %s", run.delivery_id)
    return {reason["code"] for (reasons,) in rows for reason in reasons}
