"""A file that is cut at any byte is held or rejected, or takes almost nothing away (law 5).

Asked of a district that sends its files in one of many layouts, and of any next night of it, in which one file is cut:

- It is held or rejected; or what readers see afterwards has nothing that the whole file would not have shown, and lacks
  no record of which the other files of the night still speak, but for the places of one student or of one class.
- Where the district ends its files with a line end, every record that is shown is as the whole file or the night before
  has it. Where it does not, all but one: the last, whose last cell may be cut.
"""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from any_nights import FIRST_NIGHT, Edit, Night, System
from examples import BATCH, SETTINGS
from helpers.csv_files import csv_bytes
from helpers.gating import NO_LIMITS
from helpers.inbox import district
from helpers.small_world import Outcome, Records, SmallWorld
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Files, Reference

from rollcall.districts import Limit, Limits
from rollcall.oneroster import FILE_NAMES

PUBLISHED = "rollcall_properties_cut"
NIGHT = FIRST_NIGHT + timedelta(days=1)
ANYTHING_BUT_ALL = Limits.model_validate({**NO_LIMITS.model_dump(), "removed": Limit(percent=99, floor=0).model_dump()})
SETTLED = {"unchanged", "held", "rejected", "accepted"}


@dataclass(frozen=True)
class Layout:
    """How a district writes its files."""

    encoding: str
    line_end: str
    ended: bool
    quoting: int = csv.QUOTE_MINIMAL
    packed: bool = False

    def written(self, files: Files) -> dict[str, bytes]:
        """Files in UTF-8, written so."""
        written = {name: self._one(content) for name, content in files.items()}
        if not self.packed:
            return written
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in written.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return {"oneroster.zip": package.getvalue()}

    def _one(self, content: bytes) -> bytes:
        text = io.StringIO()
        rows = csv.reader(io.StringIO(content.decode(), newline=""))
        csv.writer(text, lineterminator=self.line_end, quoting=self.quoting).writerows(rows)  # type: ignore[arg-type]
        whole = text.getvalue()
        return (whole if self.ended else whole.removesuffix(self.line_end)).encode(self.encoding)


LAYOUTS = [
    Layout(encoding, line_end, ended, csv.QUOTE_ALL if number % 4 == 3 else csv.QUOTE_MINIMAL)
    for number, (encoding, line_end, ended) in enumerate(
        product(("utf-8", "utf-8-sig", "utf-16", "cp1252"), ("\r\n", "\n", "\r"), (True, False))
    )
] + [Layout("utf-8", "\r\n", ended=True, packed=True)]
assert len(LAYOUTS) == BATCH


@dataclass(frozen=True)
class Example:
    """A night that is cut.

    Attributes:
        edits: What happened to the district's records since the first night.
        file: Which file is cut.
        at: Behind which byte, counted from the end of the file, round and round.
    """

    edits: tuple[Edit, ...]
    file: str
    at: int


_edits = st.builds(
    Edit,
    st.sampled_from(("change", "change", "remove", "mark", "add")),
    st.sampled_from(FILE_NAMES),
    st.integers(0, 30),
    st.integers(0, 30),
)
examples = st.builds(
    Example,
    st.lists(_edits, max_size=3).map(tuple),
    st.sampled_from((*FILE_NAMES, "enrollments", "enrollments", "users")),
    st.one_of(st.integers(1, 400), st.integers(1, 5000)),
)


def sent(*nights: Night) -> dict[str, bytes]:
    """What the tiny district sends on the last of some nights; names and titles have accents and two lines."""
    system = System()
    files = [system.send(night) for night in nights][-1]
    return {name: _decorated(content) for name, content in files.items()}


def _decorated(content: bytes) -> bytes:
    header, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    shown = [header.index(name) for name in ("name", "title", "familyName") if name in header]
    return csv_bytes(
        [header, *([_two_lines(cell) if at in shown else cell for at, cell in enumerate(row)] for row in rows)]
    )


def _two_lines(cell: str) -> str:
    return f'Zo\u00eb "{cell}"\n{cell}, too'


@dataclass
class Batch:
    """Examples that share a build, each in a district, and thus a layout, of its own.

    Attributes:
        faults: What was found wrong once the build was made.
    """

    world: SmallWorld
    first: Reference
    played: list[tuple[Example, Layout, Files, Outcome]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def play(self, example: Example) -> None:
        """Deliver a cut night; build once there are enough."""
        if not self.played:
            self.world.begin(PUBLISHED)
        layout = LAYOUTS[len(self.played)]
        files = sent(Night(), Night(edits=example.edits))
        written = layout.written(files)
        name = "oneroster.zip" if layout.packed else f"{example.file}.csv"
        kept = len(written[name]) - 1 - (example.at - 1) % len(written[name])
        outcome = self.world.deliver(_district(len(self.played)), written | {name: written[name][:kept]}, NIGHT)
        assert outcome.state in SETTLED, outcome
        assert not layout.packed or outcome.state == "rejected", outcome
        self.played.append((example, layout, files, outcome))
        self.states.append(outcome.state)
        if len(self.played) == BATCH:
            self.finish()

    def finish(self) -> None:
        """Build and publish, and look at what is gone."""
        self.world.conform()
        all_shown = {file: self.world.shown(file) for file in FILE_NAMES}
        for example, layout, files, outcome in self.played:
            if outcome.state == "accepted":
                shown = {file: all_shown[file][outcome.district_id] for file in FILE_NAMES}
                told = list(self._wrong(layout, files, shown))
                self.faults += [f"{each}\n{example}\n{layout}\n{outcome}" for each in told]
        self.played.clear()

    def _wrong(self, layout: Layout, files: Files, all_shown: Mapping[str, Records]) -> Iterator[str]:
        """What the claim at the head of this file does not allow."""
        whole = deepcopy(self.first)
        whole.publish(files, NIGHT, approved=False)
        different = 0
        for file in FILE_NAMES:
            shown, before = all_shown[file], self.first.published[file]
            full = whole.published[file]
            yield from (f"{file}: {key} came from nowhere" for key in shown.keys() - before.keys() - full.keys())
            lost = before.keys() & full.keys() - shown.keys()
            if file == "enrollments":
                yield from _more_than_one_goes(self.first, whole, lost)
            else:
                yield from (f"{file}: {key} is lost" for key in lost if _is_spoken_of(whole, file, str(key[0])))
            different += sum(
                _as_text(shown[key]) != _as_text(full[key]) and _as_text(shown[key]) != _as_text(before.get(key, {}))
                for key in shown.keys() & full.keys()
            )
        if different > (not layout.ended):
            yield f"{different} records are shown as they never were"


def _district(number: int) -> Any:
    return district(f"d{number}", files=FILE_NAMES, limits=ANYTHING_BUT_ALL)


def _as_text(record: dict[str, Any]) -> dict[str, str]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else str(value) for name, value in record.items()}


def _is_spoken_of(whole: Reference, file: str, source_id: str) -> bool:
    """Whether the other files of the night name a record."""
    named = {
        "orgs": ("classes", "school_source_id"),
        "academicSessions": ("classes", "term_source_ids"),
        "courses": ("classes", "course_source_id"),
        "users": ("enrollments", "user_source_id"),
        "classes": ("enrollments", "class_source_id"),
        "demographics": ("users", None),
    }
    other, column = named[file]
    if column is None:
        return (source_id,) in whole.published[other]
    values = [one[column] for one in whole.published[other].values()]
    return any(source_id in value if isinstance(value, list) else source_id == value for value in values)


def _more_than_one_goes(first: Reference, whole: Reference, lost: set[Any]) -> Iterator[str]:
    """Whether enrollments are lost of several students and classes that stay; who got a new place is not missed."""
    records = whole.published["enrollments"]
    new = {one["user_source_id"] for key, one in records.items() if key not in first.published["enrollments"]}
    classes = {key[0] for key in whole.published["classes"]}
    missed = [
        records[key]
        for key in lost
        if (records[key]["user_source_id"],) in whole.published["users"]
        and records[key]["class_source_id"] in classes
        and records[key]["user_source_id"] not in new
    ]
    if len({one["user_source_id"] for one in missed}) > 1 and len({one["class_source_id"] for one in missed}) > 1:
        yield f"enrollments: {sorted(map(str, lost))} are lost"


@pytest.fixture
def batch(world: SmallWorld) -> Batch:
    """A district per layout, published."""
    first = Reference()
    first.publish(sent(Night()), FIRST_NIGHT, approved=False)
    for number, layout in enumerate(LAYOUTS):
        outcome = world.deliver(_district(number), layout.written(sent(Night())), FIRST_NIGHT)
        assert outcome.state == "accepted", outcome
    world.conform()
    for file in FILE_NAMES:
        keys = first.published[file].keys()
        assert {name: shown.keys() for name, shown in world.shown(file).items()} == {
            f"d{number}": keys for number in range(BATCH)
        }
    world.keep(PUBLISHED)
    return Batch(world, first)


@pytest.mark.timeout(2400)  # a hundred examples take minutes
def test_law_5_a_cut_at_any_byte_is_seen_or_takes_almost_nothing(batch: Batch) -> None:
    @settings(SETTINGS, max_examples=SETTINGS.max_examples // 2)  # of seven files each
    @given(examples)
    def play(example: Example) -> None:
        batch.play(example)

    play()
    batch.finish()
    assert not batch.faults, "\n\n".join(batch.faults)
    assert {"held", "rejected", "accepted"} <= set(batch.states)
