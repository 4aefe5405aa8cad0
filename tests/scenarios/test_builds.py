"""One build for several districts, one of which is not as it should be."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from helpers.deliveries import accept, reland_nothing
from helpers.logged import heard_by
from helpers.schools import school_district
from nights import Run, World, small_district, write

from rollcall.conform import BuildOutcome, conform
from simulator.night import Delivery

CELL = "Qwirlandas birthplace"


def with_neighbours(world: World, district_id: str, neighbours: int) -> tuple[Run, Delivery, list[str]]:
    """A district's accepted delivery, and some other districts' beside it."""
    world.settle_in(district_id)
    delivery = write(small_district(district_id, students=30), 1, world.work / district_id)
    world.send(district_id, delivery.files)
    run = Run(world, district_id)
    run.judge()
    others = [f"{district_id}-neighbour-{number}" for number in range(neighbours)]
    for other in others:
        accept(world.url, other, 1, school_district())
    return run, delivery, others


def build(world: World) -> list[BuildOutcome]:
    return conform(reland=reland_nothing)


@contextmanager
def refused_by_history(world: World, birth_place: str) -> Iterator[None]:
    """A constraint that a birth place violates; PostgreSQL's message quotes the row."""
    world.execute(
        "alter table history.hist_demographics add constraint no_such_birth_place"
        f" check (city_of_birth <> '{birth_place}')"
    )
    try:
        yield
    finally:
        world.execute("alter table history.hist_demographics drop constraint no_such_birth_place")


def test_one_culprit_among_five_stands_alone_in_the_end(world: World) -> None:
    run, _, others = with_neighbours(world, "build-culprit", 4)
    world.execute(f"update delivery_{run.delivery_id}.change_demographics set city_of_birth = %s", CELL)
    lines: list[str] = []
    with heard_by(lines.append), refused_by_history(world, CELL):
        outcomes = build(world)
    run.report()
    published = [district for outcome in outcomes for district in outcome.published]
    assert sorted(published) == others
    assert all(world.published(other)["roster.roster"] for other in others)
    assert (run.delivery_state, run.outcome) == ("conform_failed", "conform_failed")
    assert world.publication("build-culprit") is None
    assert not any(world.history("build-culprit").values()), "nothing half-written stays"
    messages = [run.reason, *lines, repr(outcomes), str(world.query("select message from rollcall.build"))]
    assert "SQLSTATE 23514" in run.reason
    assert not any(CELL in message for message in messages)


def test_an_audit_finding_holds_back_its_own_district_only(world: World) -> None:
    run, _, others = with_neighbours(world, "build-audit", 2)
    world.execute(f"update delivery_{run.delivery_id}.change_enrollments set class_source_id = 'ghost'")
    (outcome,) = build(world)
    run.report()
    assert sorted(outcome.published) == others
    assert run.delivery_state == "audit_failed"
    assert "enrollments_name_a_known_class" in run.reason
    assert world.publication("build-audit") is None
    assert not any(world.history("build-audit").values())


def test_nothing_to_do_starts_no_dbt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.conform()

    def started(*_: object) -> None:
        raise AssertionError("dbt was started")

    monkeypatch.setattr("rollcall.conform.loop.run_dbt", started)
    assert world.conform() == []
