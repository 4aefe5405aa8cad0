"""Any bytes as any file end in a verdict, and change nothing but what the accepted rows say."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from any_bytes import BASE, Delivery, deliveries
from examples import BATCH, SETTINGS
from helpers import planted
from helpers.deliveries import FIRST_NIGHT
from helpers.gating import NO_LIMITS, NO_ROWS_MORE
from helpers.inbox import district
from helpers.small_world import HISTORY, Outcome, SmallWorld
from hypothesis import given

from rollcall.oneroster import FILE_NAMES, FILES

PUBLISHED = "rollcall_properties_published"
DISTRICTS = tuple(f"d{number}" for number in range(BATCH))
NIGHT = FIRST_NIGHT + timedelta(days=1)
SETTLED = {"unchanged", "held", "accepted", "rejected"}
"""What may become of a delivery that comes second."""

NEW = """
    select version.source_id, version.valid_to_seq, version.end_reason
    from history.hist_{table} as version
    where district_id = %s and (valid_from_seq = 2 or valid_to_seq = 2)
"""
ACCEPTED = """
    select btrim(sourced_id), coalesce(lower(btrim(status)) in ('tobedeleted', 'inactive'), false)
    from delivery_{delivery_id}.{table} as landed
    where not exists (
        select from delivery_{delivery_id}.row_set_aside where file = '{file}' and row_number = landed._row
    )
"""
TOLD = (
    "delivery", "delivery_file", "check_result", "row_finding", "hold", "expected_change", "build", "build_node",
    "audit_finding", "change_count",
)  # fmt: skip
"""The ledger's tables that tell of a delivery."""
OF_IDS = ("sourced_id", "school_source_id", "last_sourced_id")
"""Their columns for what stood where an id was due."""


class Ears(logging.Handler):
    """Hears what a task's log would hold."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))

    def take(self) -> list[str]:
        """What was heard since the last time."""
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def ears() -> Iterator[Ears]:
    """What all loggers say."""
    root, ears = logging.getLogger(), Ears()
    before = root.level
    root.addHandler(ears)
    root.setLevel(logging.INFO)
    yield ears
    root.removeHandler(ears)
    root.setLevel(before)


@pytest.fixture
def published(world: SmallWorld) -> SmallWorld:
    """As many districts as a batch has, each with the same roster, published."""
    for name in DISTRICTS:
        world.deliver(district(name, files=FILE_NAMES), BASE, FIRST_NIGHT)
    (build,) = world.conform()
    assert build.published == sorted(DISTRICTS)
    world.keep(PUBLISHED)
    return world


@dataclass
class Batch:
    """Deliveries that share a build, each to a district of its own.

    Attributes:
        faults: What was found wrong once the build was made.
    """

    world: SmallWorld
    said: Callable[[], list[str]]
    before: list[Any] = field(default_factory=list)
    played: list[tuple[Delivery, Outcome]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def play(self, delivery: Delivery) -> None:
        """Read, land, gate and decide; build once there are enough."""
        if not self.played:
            self.world.begin(PUBLISHED)
            self.before = [_history(self.world, name) for name in DISTRICTS]
        name = DISTRICTS[len(self.played)]
        limits = NO_LIMITS if delivery.lenient else NO_ROWS_MORE
        outcome = self.world.deliver(district(name, files=delivery.expected, limits=limits), delivery.files, NIGHT)
        self.played.append((delivery, outcome))
        assert outcome.state in SETTLED, outcome
        leaks = planted.leaks([("said", text) for text in (*self.said(), *outcome.said)])
        assert leaks == [], outcome
        if len(self.played) == BATCH:
            self.finish()

    def finish(self) -> None:
        """Build and publish, and look at what changed."""
        self.world.conform()
        _assert_nothing_personal(self.world, self.said())
        for (delivery, outcome), before in zip(self.played, self.before, strict=False):
            try:
                self._judge(outcome, before)
            except AssertionError as error:
                self.faults.append(f"{error}\n{outcome}\n{delivery.content}")
        self.played.clear()

    def _judge(self, outcome: Outcome, before: Any) -> None:
        if outcome.state == "accepted":
            assert self.world.state_of(outcome.delivery_id) == ("published", None)
            _assert_only_what_rows_say(self.world, outcome)
        else:
            assert _history(self.world, outcome.district_id) == before


@pytest.mark.timeout(2400)  # a hundred examples take minutes
def test_any_bytes_end_in_a_verdict(published: SmallWorld, ears: Ears, capfd: pytest.CaptureFixture[str]) -> None:
    batch = Batch(published, lambda: [*ears.take(), *capfd.readouterr()])

    @SETTINGS
    @given(deliveries())
    def play(delivery: Delivery) -> None:
        batch.play(delivery)

    play()
    batch.finish()
    assert not batch.faults, "\n\n".join(batch.faults)


def _history(world: SmallWorld, name: str) -> list[Any]:
    return [
        world.query(f"select t::text from {table} as t where district_id = %s order by 1", name) for table in HISTORY
    ]


def _assert_only_what_rows_say(world: SmallWorld, outcome: Outcome) -> None:
    """Every version that began or ended has an accepted row that says so, or a file that is evidence of absence."""
    evidence = dict(
        world.query(
            "select file, absence_is_evidence from rollcall.delivery_file where delivery_id = %s", outcome.delivery_id
        )
    )
    for file in FILES:
        names = {"table": file.table_name, "file": file.name, "delivery_id": outcome.delivery_id}
        accepted = dict(world.query(ACCEPTED.format(**names)))
        landed = world.query(f"select btrim(sourced_id) from delivery_{outcome.delivery_id}.{file.table_name}")
        for source_id, ended, reason in world.query(NEW.format(**names), outcome.district_id):
            where = (outcome, file.name, source_id[:40], reason)
            if ended is None:
                assert accepted.get(source_id) is False, where
            elif reason == "missing":
                assert evidence.get(file.name), where
                assert (source_id,) not in landed, where
            else:
                assert accepted.get(source_id) is (reason == "tobedeleted"), where


def _assert_nothing_personal(world: SmallWorld, said: list[str]) -> None:
    """Law 7: no log line, no reason, no row of the ledger holds a planted cell, but what stood where an id is due."""
    texts = [("said", text) for text in said]
    texts += [("the server's log", Path(world.postgres.log).read_text(errors="replace"))]
    for table in TOLD:
        rows = world.query(f"select (to_jsonb(t) - %s::text[])::text from rollcall.{table} as t", list(OF_IDS))
        texts += [(table, row[0]) for row in rows]
    assert planted.leaks(texts) == []
