"""Nights as data: what districts send, night after night, and what their readers see after each.

All stories are played side by side, one build a night for all of them, as in production; then each is looked at.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from helpers.counts import agree, counts_of
from nights import FIRST_NIGHT, MARTS, OF_SEVERAL_NIGHTS, Record, Run, World, records, rewrite, small_district, write

from rollcall.arrival.listing import InboxFile, Stability, assess
from rollcall.oneroster import FILE_NAMES, ROLES
from simulator.night import Delivery
from simulator.package import ZIP_NAME, pack, write_csv
from simulator.spoil import drop_line_end, drop_school, header_only, rekey_users, remove, truncate

Spoil = Callable[[Path], object]


def in_a_zip(folder: Path) -> None:
    pack(sorted(folder.glob("*.csv")), folder / ZIP_NAME)


def cut_between_lines(folder: Path) -> None:
    """Half of the enrollments, with nothing torn that would give it away."""
    path = folder / "enrollments.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))


def without_a_student(folder: Path) -> None:
    """As Aeries tells that somebody left: not a word."""
    student = a_student(folder)
    for file, column in (("users", "sourcedId"), ("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
        rewrite(folder, file, partial(_unless_of, column, student))


def _unless_of(column: str, student: str, record: Record) -> Record | None:
    return None if record[column] == student else record


def with_a_student_whose_role_is_nonsense(folder: Path) -> None:
    """A row that the gate sets aside; its name is new, too."""
    student, nonsense = a_student(folder), {"role": "wizard", "familyName": "Renamed"}
    rewrite(folder, "users", lambda user: user | nonsense if user["sourcedId"] == student else user)


def with_a_ragged_record(folder: Path) -> None:
    """A demographics record with cells too many: nobody can say for certain whose it is."""
    path = folder / "demographics.csv"
    lines = path.read_bytes().split(b"\r\n")
    path.write_bytes(b"\r\n".join([lines[0], b"ragged," + lines[1] + b",more", *lines[2:]]))


def with_a_record_moved_by_a_cell(folder: Path) -> None:
    """A demographics record torn at its front, its last cell lost: it fits the header, under a wrong id."""
    path = folder / "demographics.csv"
    lines = path.read_bytes().split(b"\r\n")
    path.write_bytes(b"\r\n".join([lines[0], b"active," + lines[1].rpartition(b",")[0], *lines[2:]]))


def in_the_form_of_1_2(folder: Path) -> None:
    """The same people as OneRoster 1.2 sends them: their roles in a file of their own."""
    users = records(folder, "users")
    roles = [
        (f"{user['sourcedId']}@{org}", "", "", user["sourcedId"], "primary", user["role"], "", "", org.strip(), "")
        for user in users
        for org in user["orgSourcedIds"].split(",")
    ]
    write_csv(folder / "roles.csv", tuple(column.name for column in ROLES.columns), iter(roles))
    header = tuple(name for name in users[0] if name not in ("role", "orgSourcedIds"))
    write_csv(folder / "users.csv", header, (tuple(user[name] for name in header) for user in users))


def a_student(folder: Path) -> str:
    return min(user["sourcedId"] for user in records(folder, "users") if user["role"] == "student")


@dataclass(frozen=True)
class Night:
    """One night of a story.

    Attributes:
        sends: Which of the simulator's nights the district uploads; None uploads nothing.
        ends: The delivery's state, or the word "incomplete" when the step receive refuses.
        shows: The night (of this story) whose files readers see afterwards; 0 is nothing.
        spoiled: What is done to the files first.
        settles: What a person does before anything else: approve or discard the delivery of an earlier night.
        serves: The night's date, counted from 1, when it is not the story's next.
        stands_for: The night of the publication's effective date; by default the night that is shown.
    """

    sends: int | None
    ends: str
    shows: int
    spoiled: tuple[Spoil, ...] = ()
    settles: tuple[int, Literal["approved", "discarded"]] | None = None
    serves: int | None = None
    stands_for: int | None = None


STORIES: dict[str, tuple[Night, ...]] = {
    "good nights with churn": (
        Night(1, "published", shows=1),
        Night(2, "published", shows=2),
        Night(3, "published", shows=3),
    ),
    "the same files twice": (
        Night(1, "published", shows=1),
        Night(1, "unchanged", shows=1, stands_for=2),
    ),
    "truncated, then approved": (
        Night(1, "published", shows=1),
        Night(2, "held", shows=1, spoiled=(cut_between_lines,)),
        Night(None, "no delivery", shows=2, settles=(2, "approved")),
    ),
    "truncated, then discarded": (
        Night(1, "published", shows=1),
        Night(2, "held", shows=1, spoiled=(truncate,)),
        Night(None, "no delivery", shows=1, settles=(2, "discarded")),
    ),
    "truncated, then truncated alike, then good": (
        Night(1, "published", shows=1),
        Night(2, "held", shows=1, spoiled=(truncate,)),
        Night(2, "same_as_held", shows=1, spoiled=(truncate,)),
        Night(2, "published", shows=4),
    ),
    "a zip without a file, then a whole one": (
        Night(1, "published", shows=1, spoiled=(in_a_zip,)),
        Night(2, "rejected", shows=1, spoiled=(partial(remove, file="classes"), in_a_zip)),
        Night(2, "published", shows=3, spoiled=(in_a_zip,)),
    ),
    "loose files without one, which comes late": (
        Night(1, "published", shows=1),
        Night(2, "incomplete", shows=1, spoiled=(partial(remove, file="users"),)),
        Night(2, "published", shows=3),
    ),
    "a file of nothing but its header": (
        Night(1, "published", shows=1),
        Night(1, "held", shows=1, spoiled=(partial(header_only, file="enrollments"),)),
        Night(None, "no delivery", shows=1, settles=(2, "approved"), stands_for=2),
    ),
    "a school that was not ticked": (
        Night(1, "published", shows=1),
        Night(2, "held", shows=1, spoiled=(drop_school,)),
    ),
    "people under other ids": (
        Night(1, "published", shows=1),
        Night(2, "held", shows=1, spoiled=(rekey_users,)),
    ),
    "a student who vanishes and returns": (
        Night(1, "published", shows=1),
        Night(1, "published", shows=2, spoiled=(without_a_student,)),
        Night(1, "published", shows=3),
    ),
    "rows set aside": (
        Night(1, "published", shows=1),
        Night(
            1,
            "published",
            shows=1,
            spoiled=(with_a_student_whose_role_is_nonsense, with_a_ragged_record),
            stands_for=2,
        ),
    ),
    "from OneRoster 1.1 to 1.2": (
        Night(1, "published", shows=1),
        Night(1, "unchanged", shows=1, spoiled=(in_the_form_of_1_2,), stands_for=2),
        Night(2, "published", shows=3, spoiled=(in_the_form_of_1_2,)),
    ),
    "an older night after a newer one": (
        Night(1, "published", shows=1),
        Night(2, "published", shows=2, serves=3),
        Night(1, "superseded", shows=2, serves=2, spoiled=(without_a_student,)),
    ),
    "a record under a wrong id": (
        Night(1, "published", shows=1),
        Night(1, "published", shows=1, spoiled=(with_a_record_moved_by_a_cell,), stands_for=2),
    ),
    "files of nothing but headers": (
        Night(1, "published", shows=1),
        Night(1, "rejected", shows=1, spoiled=tuple(partial(header_only, file=name) for name in FILE_NAMES)),
    ),
    "cut by a little in a record, then between two, then whole": (
        Night(1, "published", shows=1),
        Night(1, "held", shows=1, spoiled=(partial(truncate, keep=0.97),)),
        Night(1, "held", shows=1, spoiled=(partial(truncate, keep=0.97, at="line"),)),
        Night(2, "published", shows=4),
    ),
    "a file that ends without a line end from now on": (
        Night(1, "published", shows=1),
        Night(1, "held", shows=1, spoiled=(partial(drop_line_end, file="users"),)),
        Night(None, "no delivery", shows=1, settles=(2, "approved"), stands_for=2),
        Night(2, "published", shows=4, spoiled=(partial(drop_line_end, file="users"),)),
    ),
}


@dataclass
class Seen:
    """What was to be seen after a night."""

    state: str
    published: dict[str, int]
    publication: tuple[int, date] | None
    counts: dict[str, int] | None = None
    changes: dict[str, dict[str, int]] = field(default_factory=dict)
    delivery: Delivery | None = None


class Story:
    """One district living through its nights."""

    def __init__(self, world: World, number: int, nights: tuple[Night, ...]) -> None:
        self.world, self.nights = world, nights
        self.district_id = f"story-{number}"
        self.profile = small_district(self.district_id, seed=100 + number, students=40)
        self.runs: list[Run | None] = []
        self.seen: list[Seen] = []
        self.error: Exception | None = None
        self._before: Delivery | None = None

    def begin(self, number: int) -> None:
        """The district uploads."""
        night = self.nights[number - 1]
        if night.settles:
            settled = self.runs[night.settles[0] - 1]
            assert settled is not None
            settled.settle(night.settles[1])
        self._before = self._sent(number, night) if night.sends else None
        run = None
        if self._before:
            self.world.send(self.district_id, self._before.files)
            run = Run(self.world, self.district_id, night.serves or number, name=f"run-{number}")
        self.runs.append(run)

    def judge(self, number: int, pool: Executor) -> Callable[[], None]:
        """The night up to the decision begins in one of the pool's processes; the answer waits for its end."""
        run = self.runs[number - 1]
        if run is None:
            return lambda: None
        working = pool.submit(judged, run)
        return lambda: run.failed.update(working.result())

    def end(self, number: int) -> None:
        """The night after the build: the runs that wait go on, and readers look."""
        run = self.runs[number - 1]
        for waiting in self.runs:
            if waiting and waiting.delivery_state not in ("held", "receiving"):
                waiting.report()
        state = "no delivery"
        if run:
            state = "incomplete" if "receive" in run.failed and not run.files else run.delivery_state
            state = "rejected" if run.delivery_state == "rejected" else state
        self.seen.append(
            Seen(
                state,
                self.world.published(self.district_id),
                self.world.publication(self.district_id),
                counts=self._counts(number),
                changes=run.changes() if run and state == "published" else {},
                delivery=self._before,
            )
        )

    def _sent(self, number: int, night: Night) -> Delivery:
        folder = self.world.work / self.district_id / str(number)
        assert night.sends is not None
        return write(self.profile, night.sends, folder, *night.spoiled)

    def _counts(self, number: int) -> dict[str, int] | None:
        """What readers should see of this night's files, were they published."""
        night = self.nights[number - 1]
        if night.sends is None or night.ends in ("rejected", "incomplete"):
            return None
        loose = tuple(how for how in night.spoiled if how not in (in_a_zip, in_the_form_of_1_2))
        folder = self.world.work / self.district_id / f"{number}-loose"
        write(self.profile, night.sends, folder, *loose)
        return counts_of(folder, FIRST_NIGHT + timedelta(days=(night.serves or number) - 1))


def judged(run: Run) -> dict[str, str]:
    """Judge a delivery; the tasks that failed."""
    run.judge()
    return run.failed


@pytest.fixture(scope="module")
def stories(world: World) -> dict[str, Story]:
    """Every story, played to its end."""
    told = {name: Story(world, number, nights) for number, (name, nights) in enumerate(STORIES.items(), start=1)}
    world.settle_in(*(story.district_id for story in told.values()))
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        for number in range(1, max(map(len, STORIES.values())) + 1):
            _play(world, [story for story in told.values() if number <= len(story.nights)], number, pool)
    return told


def _play(world: World, stories: list[Story], number: int, pool: Executor) -> None:
    """One night of all the stories that have one."""
    for story in stories:
        _go_on(story, partial(story.begin, number))
    ends = [(story, story.judge(number, pool)) for story in stories if story.error is None]
    for story, end in ends:
        _go_on(story, end)
    world.conform()
    for story in stories:
        _go_on(story, partial(story.end, number))


def _go_on(story: Story, step: Callable[[], None]) -> None:
    """One story's trouble is told by its own test."""
    try:
        if story.error is None:
            step()
    except Exception as error:  # noqa: BLE001
        story.error = error


@pytest.fixture
def story(stories: dict[str, Story], request: pytest.FixtureRequest) -> Story:
    found = stories[request.param]
    if found.error:
        raise found.error
    return found


EVERY_STORY = pytest.mark.parametrize("story", STORIES, indirect=True)


def only(name: str) -> pytest.MarkDecorator:
    """A test about one of the stories."""
    return pytest.mark.parametrize("story", [name], indirect=True)


@EVERY_STORY
def test_each_night_ends_as_it_should(story: Story) -> None:
    assert [seen.state for seen in story.seen] == [night.ends for night in story.nights]


@EVERY_STORY
def test_readers_see_the_last_good_night_in_every_mart(story: Story) -> None:
    for number, (night, seen) in enumerate(zip(story.nights, story.seen, strict=True), start=1):
        shown = story.seen[night.shows - 1].counts
        assert seen.published == shown, f"night {number}"


@EVERY_STORY
def test_the_publication_stands_for_the_right_night(story: Story) -> None:
    for number, (night, seen) in enumerate(zip(story.nights, story.seen, strict=True), start=1):
        stands_for = night.stands_for or story.nights[night.shows - 1].serves or night.shows
        assert seen.publication is not None
        assert seen.publication[1] == FIRST_NIGHT + timedelta(days=stands_for - 1), f"night {number}"


@only("good nights with churn")
def test_the_marts_hold_what_the_simulator_says_it_sent(story: Story) -> None:
    for seen in story.seen:
        assert seen.delivery
        assert agree(seen.published, seen.delivery.expected)


@only("good nights with churn")
def test_the_ledger_counts_what_was_added_changed_and_removed(story: Story) -> None:
    for seen in story.seen[1:]:
        assert seen.delivery
        expected = seen.delivery.expected
        told = {"added": expected.added, "changed": expected.changed, "removed": expected.removed}
        assert seen.changes == told
        assert expected.added["users"], "the night is a lively one"
        assert expected.changed["users"]
        assert expected.removed["enrollments"]


@only("truncated, then discarded")
def test_a_settled_hold_closes_the_night_of_its_delivery(story: Story) -> None:
    run = story.runs[1]
    assert run
    assert (run.delivery_state, run.outcome) == ("discarded", "discarded")


@only("truncated, then truncated alike, then good")
def test_a_newer_good_night_supersedes_what_is_held(story: Story) -> None:
    run = story.runs[1]
    assert run
    assert (run.delivery_state, run.outcome) == ("superseded", "superseded")
    assert story.world.query(
        "select settlement, settled_via from rollcall.hold where delivery_id = %s", run.delivery_id
    ) == [("superseded", "delivery")]


@only("a file of nothing but its header")
def test_a_header_alone_is_held_and_removes_nothing_even_when_it_is_approved(story: Story) -> None:
    assert held_because(story) == {"hold_file_vanished"}
    run = story.runs[1]
    assert run
    assert run.delivery_state == "published"
    assert set(run.changes()["removed"].values()) == {0}


@only("cut by a little in a record, then between two, then whole")
def test_law_5_a_cut_of_a_few_records_is_held_as_such(story: Story) -> None:
    assert held_because(story) == {"hold_file_breaks_off"}
    assert held_because(story, 3) == {"hold_tail_missing"}


@only("a file that ends without a line end from now on")
def test_an_approved_way_to_end_a_file_is_a_habit(story: Story) -> None:
    assert held_because(story) == {"hold_line_end_missing"}


@only("a school that was not ticked")
def test_a_school_that_vanishes_is_held_by_name(story: Story) -> None:
    assert held_because(story) == {"hold_school_vanished", "hold_removed", "hold_tail_missing"}


@only("people under other ids")
def test_people_under_other_ids_are_held_as_such(story: Story) -> None:
    assert held_because(story) == {"hold_rekeyed", "hold_removed", "hold_added", "hold_changed"}


def held_because(story: Story, night: int = 2) -> set[str]:
    run = story.runs[night - 1]
    assert run
    rows = story.world.query(
        "select reason ->> 'code' from rollcall.hold, jsonb_array_elements(reasons) as reason where delivery_id = %s",
        run.delivery_id,
    )
    return {code for (code,) in rows}


@only("a student who vanishes and returns")
def test_history_keeps_the_absence_of_a_student_who_returned(story: Story) -> None:
    student = a_student(story.world.work / story.district_id / "1")
    for table in ("users", "demographics"):
        versions = story.world.query(
            f"select valid_from_seq, valid_to_seq, end_reason, ended_on from history.hist_{table}"
            " where district_id = %s and source_id = %s order by 1",
            story.district_id,
            student,
        )
        assert versions == [(1, 2, "missing", FIRST_NIGHT + timedelta(days=1)), (3, None, None, None)]


@only("rows set aside")
def test_a_row_set_aside_leaves_its_last_good_version(story: Story) -> None:
    folder = story.world.work / story.district_id
    student = a_student(folder / "1")
    (before,) = (user for user in records(folder / "1", "users") if user["sourcedId"] == student)
    assert story.world.query(
        "select family_name from roster.dim_student where district_id = %s and source_id = %s",
        story.district_id,
        student,
    ) == [(before["familyName"],)]
    run = story.runs[1]
    assert run
    assert story.world.query(
        "select code, sourced_id from rollcall.row_finding"
        " where delivery_id = %s and file = 'users' and severity = 'critical'",
        run.delivery_id,
    ) == [("users_role_invalid", student)]


@only("a record under a wrong id")
def test_a_torn_record_that_fits_the_header_is_no_evidence_that_anybody_left(story: Story) -> None:
    assert set(story.seen[1].changes["removed"].values()) == {0}
    run = story.runs[1]
    assert run
    assert story.world.query(
        "select rows_set_aside, absence_is_evidence from rollcall.delivery_file"
        " where delivery_id = %s and file = 'demographics'",
        run.delivery_id,
    ) == [(1, False)]


@only("rows set aside")
def test_a_ragged_record_is_no_evidence_that_anybody_left(story: Story) -> None:
    assert set(story.seen[1].changes["removed"].values()) == {0}


@only("from OneRoster 1.1 to 1.2")
def test_the_form_of_1_2_says_the_same_as_that_of_1_1(story: Story) -> None:
    in_the_new_form, later = story.runs[1], story.seen[2]
    assert in_the_new_form
    assert in_the_new_form.outcome == "unchanged"
    assert later.delivery
    assert {kind: counts["users"] for kind, counts in later.changes.items()} == {
        "added": later.delivery.expected.added["users"],
        "changed": later.delivery.expected.changed["users"],
        "removed": later.delivery.expected.removed["users"],
    }


@only("loose files without one, which comes late")
def test_the_files_of_an_incomplete_set_stay_in_the_inbox_until_the_rest_comes(story: Story) -> None:
    refused = story.runs[1]
    assert refused
    assert "no users" in refused.failed["receive"]
    assert story.world.waiting(story.district_id) == []


@only("a student who vanishes and returns")
def test_a_help_desk_can_say_why_she_is_gone(story: Story) -> None:
    """Asked on the second night and, of that night, on the third."""
    first = story.seen[0].delivery
    assert first
    student = min(user["sourcedId"] for user in records(first.files[0].parent, "users") if user["role"] == "student")
    user = next(user for user in records(first.files[0].parent, "users") if user["sourcedId"] == student)
    nights = [FIRST_NIGHT + timedelta(days=number) for number in range(3)]

    def asked(statement: str, *, as_of: date | None = None) -> list[tuple[object, ...]]:
        with psycopg.connect(story.world.url, options=f"-c roster.as_of={as_of or ''}") as reader:
            return reader.execute(statement, [story.district_id, student]).fetchall()

    changed = (
        "select change, reason, family_name, from_school_source_id, compared_with, effective_date"
        " from roster.fct_roster_change where district_id = %s and student_source_id = %s"
    )
    school = user["orgSourcedIds"].split(",")[0]
    assert asked(changed, as_of=nights[1]) == [("left", "missing", user["familyName"], school, nights[0], nights[1])]
    assert [row[0] for row in asked(changed)] == ["joined"]
    places = (
        "select distinct change, reason from roster.fct_class_change where district_id = %s and student_source_id = %s"
    )
    assert asked(places, as_of=nights[1]) == [("left", "missing")]
    spells = (
        "select began_on, begin_reason, ended_on, end_reason from roster.fct_membership_spell"
        " where district_id = %s and person_source_id = %s order by began_on"
    )
    gone = (nights[0], "first_publication", nights[1], "missing")
    assert asked(spells, as_of=nights[1]) == [gone]
    assert asked(spells) == [gone, (nights[2], "returned", None, None)]


class Watch:
    """The sensor's eyes, on the real server, with a clock of the test's own."""

    def __init__(self, world: World, district_id: str) -> None:
        self.world, self.district_id, self.stability, self.clock = world, district_id, Stability(), 0.0

    def look(self, seconds_later: float) -> tuple[bool, float]:
        """Whether the set is complete, and for how long it has been stable."""
        self.clock += seconds_later
        expected = self.world.district(self.district_id).files
        arrival = assess(asyncio.run(self._listing()), expected)
        return arrival.is_complete, self.stability.seconds_stable(arrival.files, self.clock)

    async def _listing(self) -> list[InboxFile]:
        async with self.world.account(self.district_id).connect() as session:
            entries = await session.readdir(".")
        return [
            InboxFile(str(entry.filename), entry.attrs.size or 0, int(entry.attrs.mtime or 0))
            for entry in entries
            if entry.filename not in (".", "..")
        ]


@pytest.fixture
def uploading(world: World) -> Iterator[tuple[Watch, Delivery]]:
    world.settle_in("uploading")
    yield Watch(world, "uploading"), write(small_district("uploading"), 1, world.work / "uploading")
    for name in world.waiting("uploading"):
        (world.inbox("uploading") / name).unlink()


def test_an_upload_under_way_is_never_a_stable_delivery(uploading: tuple[Watch, Delivery]) -> None:
    watch, delivery = uploading
    total = sum(file.stat().st_size for file in delivery.files)
    watch.world.send("uploading", delivery.files, stop_after_bytes=total - 100)
    assert watch.look(0) == (True, 0), "every name is there, the last file still grows"
    assert watch.look(60) == (True, 60)
    watch.world.send("uploading", delivery.files)
    assert watch.look(60) == (True, 0), "it grew: the clock starts anew"
    assert watch.look(120) == (True, 120)


def test_temporary_names_are_no_files_yet(uploading: tuple[Watch, Delivery]) -> None:
    watch, delivery = uploading
    watch.world.send("uploading", delivery.files, temporary_names=True, stop_after_bytes=2_000)
    assert watch.look(0)[0] is False
    watch.world.send("uploading", delivery.files, temporary_names=True)
    assert watch.look(600) == (True, 0)


def test_a_file_that_comes_late_makes_the_set_complete(uploading: tuple[Watch, Delivery]) -> None:
    watch, delivery = uploading
    *early, late = delivery.files
    watch.world.send("uploading", early)
    assert watch.look(0)[0] is False
    assert watch.look(600)[0] is False
    watch.world.send("uploading", [late])
    assert watch.look(1) == (True, 0)


def test_every_mart_is_looked_at(world: World) -> None:
    made = world.query("select schemaname || '.' || viewname from pg_views where schemaname like 'roster%%'")
    assert {mart for (mart,) in made} == {*MARTS, *OF_SEVERAL_NIGHTS}


def test_a_first_delivery_waits_for_a_person_where_the_district_says_so(world: World) -> None:
    world.settle_in("newcomer", first_delivery="hold")
    delivery = write(small_district("newcomer"), 1, world.work / "newcomer")
    run = world.play("newcomer", delivery.files)
    assert run.delivery_state == "held"
    assert world.publication("newcomer") is None
    run.settle("approved")
    world.conform()
    assert run.delivery_state == "published"
    assert agree(world.published("newcomer"), delivery.expected)
