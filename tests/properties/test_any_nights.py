"""Any sequence of nights ends with marts that equal the reference model."""

import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import pytest
from any_nights import Answer, Story, stories
from examples import BATCHES, FILES_JUDGED_TWICE, SETTINGS, STORIES
from helpers.gating import NO_LIMITS, NO_ROW_MORE
from helpers.inbox import district
from helpers.judged_twice import Twice
from helpers.small_world import Outcome, Records, SmallWorld
from hypothesis import given, seed, settings
from reference import Files, Reference

from rollcall.decision.holds import Answer as Said
from rollcall.decision.settle import settle
from rollcall.districts import District, Limits
from rollcall.oneroster import FILE_NAMES
from rollcall.warehouse import connect

STRICT = Limits.model_validate({**NO_LIMITS.model_dump(), "set_aside": NO_ROW_MORE.model_dump()})
REASONS = """
    select reason ->> 'code', reason ->> 'file'
    from rollcall.hold
    cross join jsonb_array_elements(reasons) as reason
    where delivery_id = %s
"""
MARTS = {
    "dim_school": "source_id",
    "dim_term": "source_id, school_year",
    "dim_course": "source_id",
    "dim_class": "source_id, school_year",
    "dim_student": "source_id",
    "dim_staff": "source_id",
    "fct_enrollment": "source_id, school_year, is_active",
    "fct_teaching": "source_id, school_year, is_active",
    "roster": "student_source_id, class_source_id, school_year, primary_teacher_source_id",
    "fct_school_membership": "person_source_id, school_source_id, person_type",
    "agg_school_daily": ("school_source_id, effective_date, students, staff, classes, enrollments, joiners, leavers"),
    "dim_student_demographics": "source_id",
}


@dataclass(frozen=True)
class Shown:
    """What readers see of all districts at a time, asked once.

    Attributes:
        states: Of each delivery, with the reason that the ledger gives.
        records: The published records per file and district.
        marts: The rows of each mart per district.
    """

    states: dict[int, tuple[str, str | None]]
    records: dict[str, dict[str, Records]]
    marts: dict[str, dict[str, list[tuple[Any, ...]]]]

    @classmethod
    def by(cls, world: SmallWorld) -> "Shown":
        """Ask a world."""
        states = world.query("select delivery_id, state, state_reason from rollcall.delivery")
        marts: dict[str, dict[str, list[tuple[Any, ...]]]] = {mart: defaultdict(list) for mart in MARTS}
        for mart, columns in MARTS.items():
            schema = "roster_restricted" if mart == "dim_student_demographics" else "roster"
            for district_id, *row in world.query(f"select district_id, {columns} from {schema}.{mart}"):
                marts[mart][district_id].append(tuple(row))
        return cls(
            {number: (state, reason) for number, state, reason in states},
            {file: world.shown(file) for file in FILE_NAMES},
            marts,
        )


@dataclass
class Past:
    """A delivery that was judged."""

    number: int
    content: Files
    state: str


@dataclass
class Played:
    """A district under way: what happened to it in the warehouse, and what should have."""

    world: SmallWorld
    name: str
    story: Story
    twice: Twice
    model: Reference = field(init=False)
    past: list[Past] = field(default_factory=list)
    nights: Iterator[tuple[date, dict[str, bytes], Answer]] = field(init=False)
    steps: list[str] = field(default_factory=list)
    fault: str = ""

    def __post_init__(self) -> None:
        self.model = Reference(inclusive=self.story.inclusive)
        self.nights = self.story.deliveries()

    @property
    def district(self) -> District:
        limits = STRICT if self.story.kind == "strict" else NO_LIMITS
        return district(
            self.name,
            files=FILE_NAMES,
            limits=limits,
            first_delivery="hold" if self.story.kind == "first held" else "accept",
            enrollment_end_date="inclusive" if self.story.inclusive else "exclusive",
            roll_over_days=366,
        )

    def play(self) -> bool:
        """One night; tells whether there was one."""
        night = next(self.nights, None)
        if night is None or self.fault:
            return False
        try:
            self._play(*night)
        except Exception as error:  # noqa: BLE001 -- told at the end, with the district's whole story
            self.fault = f"{type(error).__name__}: {error}"
        return True

    def look(self, shown: Shown) -> None:
        """Compare what readers see with the model."""
        if not self.fault:
            differences = [*self._differences(shown)]
            self.fault = "\n".join(differences[:10])

    def _play(self, night: date, files: Files, answer: Answer) -> None:
        expected = self._expected(files)
        judge_twice = partial(self.twice.judge, limits=self.district.limits)
        outcome = self.world.deliver(self.district, files, night, judge_twice)
        self.steps.append(f"{night}: {outcome.state}, {answer}")
        if expected != "judged":
            assert outcome.state == expected, f"{outcome} should be {expected}"
        else:
            assert outcome.state != "unchanged" or not self.model.would_change(files, night), outcome
            self._look_at_the_reasons(outcome, files, night)
        past = Past(outcome.delivery_id, files, outcome.state)
        if outcome.state in ("accepted", "held", "unchanged"):
            self._supersede()
        if outcome.state == "accepted":
            self.model.publish(files, night, approved=False)
            past.state = "published"
        elif outcome.state == "unchanged":
            self.model.stand_for(night)
        self.past.append(past)
        self._answer(answer)

    def _expected(self, files: Files) -> str:
        """What becomes of the delivery; ``judged`` where that depends on its rows."""
        if self.model.content == files:
            return "unchanged"
        for past in reversed(self.past):
            if past.content == files and past.state in ("held", "discarded", "rejected", "published"):
                if past.state != "published":
                    return "same_as_held" if past.state == "held" else past.state
                break
        absent = files.get("manifest.csv", b"").decode()
        missing = [file for file in FILE_NAMES if f"{file}.csv" not in files and f"file.{file},absent" not in absent]
        return "rejected" if missing or self.model.is_empty(files) else "judged"

    def _look_at_the_reasons(self, outcome: Outcome, files: Files, night: date) -> None:
        """Whether the delivery is held for what it has to be held for, and for nothing that is not so."""
        must = self.model.must_be_held(
            files, first_held=self.story.kind == "first held", none_set_aside=self.story.kind == "strict"
        )
        told = set(self.world.query(REASONS, outcome.delivery_id))
        assert must <= told, f"{outcome} should be held for {must - told}"
        unexplained = told - must - self.model.may_be_held(files, night)
        assert not unexplained, f"{outcome} should not be held for {unexplained}"
        assert outcome.state in ({"held"} if told else {"accepted", "unchanged"}), outcome

    def _supersede(self) -> None:
        for past in self.past:
            if past.state == "held":
                past.state = "superseded"

    def _answer(self, answer: Answer) -> None:
        """A person answers the hold that is open, if one is; another night may have come since."""
        held = next((past for past in self.past if past.state == "held"), None)
        if held is None or answer == "none":
            return
        with connect() as connection:
            settle(connection, held.number, Said(answer, "ops", "seen", "cli"))
        held.state = "discarded"
        if answer == "approved":
            held.state = "published"
            ((night,),) = self.world.query(
                "select service_date from rollcall.delivery where delivery_id = %s", held.number
            )
            self.model.publish(held.content, night, approved=True)

    def _differences(self, shown: Shown) -> Iterator[str]:
        for past in self.past:
            state = shown.states[past.number]
            if state[0] != past.state:
                yield f"delivery {past.number} should be {past.state}, and is {state}"
        for file in FILE_NAMES:
            yield from _compared(file, shown.records[file][self.name], self.model.published[file])
        if self.model.effective is not None:
            for mart, expected in self.model.marts().items():
                rows = shown.marts[mart][self.name]
                yield from _compared(mart, {key: {} for key in rows}, {key: {} for key in expected})
                assert len(rows) == len(set(rows)), mart


def _compared(what: str, shown: dict[Any, Any], expected: dict[Any, Any]) -> Iterator[str]:
    for key in sorted(expected.keys() - shown.keys(), key=str):
        yield f"{what}: {key} should be there"
    for key in sorted(shown.keys() - expected.keys(), key=str):
        yield f"{what}: {key} should not be there"
    for key in shown.keys() & expected.keys():
        for name, value in expected[key].items():
            told = value.isoformat() if isinstance(value, date) else value
            if shown[key][name] != told:
                yield f"{what}: {key}: {name} is {shown[key][name]!r}, should be {told!r}"


def play(world: SmallWorld, batch: list[Story], twice: Twice) -> list[str]:
    """Play stories side by side, night by night, with a build for all after each; returns what went wrong."""
    world.begin()
    played = [Played(world, f"d{number}", story, twice) for number, story in enumerate(batch)]
    while True in [each.play() for each in played]:
        world.conform()
        shown = Shown.by(world)
        for each in played:
            each.look(shown)
    return [f"{each.fault}\n{each.story}\n{each.steps}" for each in played if each.fault]


def drawn(seed_of_batch: int) -> list[Story]:
    """The stories of a batch."""
    batch: list[Story] = []

    @seed(seed_of_batch)
    @settings(SETTINGS, max_examples=STORIES)
    @given(stories)
    def draw(story: Story) -> None:
        batch.append(story)

    draw()
    return batch


@pytest.mark.timeout(2400)  # a batch takes minutes, and many of them on a busy machine
@pytest.mark.parametrize("number", range(BATCHES))
def test_any_nights_end_as_the_reference_says(world: SmallWorld, number: int) -> None:
    seed_of_batch = number if SETTINGS.derandomize else secrets.randbits(32)
    twice = Twice(world.url, FILES_JUDGED_TWICE)
    faults = play(world, drawn(seed_of_batch), twice)
    assert not faults, "\n\n".join([f"Drawn with the seed {seed_of_batch}:", *faults])
    assert twice.deliveries > STORIES / 5, "hardly a delivery was judged by what changed"
    if SETTINGS.derandomize:  # the stories of a random batch may all be without a finding that stays
        assert twice.taken_over > STORIES / 5, "hardly a finding was taken over"
