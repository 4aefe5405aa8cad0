"""Nights that cannot be: refused on each way in, and undone where an older version let them in (law 10)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from helpers.marts import marts_of
from helpers.threads import Pool
from nights import EVERY_NIGHT, FIRST_NIGHT, Run, World, small_district, write

from rollcall.conform import NightCorrection, correct_night, roll_back
from rollcall.report.status import DistrictState, district_states
from rollcall.warehouse import connect
from rollcall.who import Person
from simulator.spoil import truncate

IN_36_YEARS = date(2062, 11, 17)
END_OF_TIME = date(9999, 12, 31)
OF_THE_PUBLICATION = (EVERY_NIGHT, "roster.dim_district", "roster.qc_district")
FENCED = ("delivery", "night", "publication", "publication_event")


def night(number: int) -> date:
    return FIRST_NIGHT + timedelta(days=number - 1)


def as_an_older_version_left_it(world: World, run: Run, wrong: date) -> None:
    """The night of a run, as if a person had started it for a wrong one, and nothing had refused that."""
    district_id, right = run.district_id, run.service_date
    with psycopg.connect(world.url) as connection:
        for table in FENCED:
            connection.execute(f"alter table rollcall.{table} disable trigger night_has_come")
        connection.execute(
            "update rollcall.delivery set service_date = %s where delivery_id = %s", (wrong, run.delivery_id)
        )
        connection.execute(
            "update rollcall.night set service_date = %s where district_id = %s and service_date = %s",
            (wrong, district_id, right),
        )
        for table in ("publication", "publication_event"):
            connection.execute(
                f"update rollcall.{table} set effective_date = %s where district_id = %s and effective_date = %s",
                (wrong, district_id, right),
            )
        for table in ("users", "enrollments", "classes", "demographics"):
            connection.execute(
                f"update history.hist_{table} set ended_on = %s where district_id = %s and ended_on = %s",
                (wrong, district_id, right),
            )
        connection.execute(
            "insert into rollcall.night (district_id, service_date, outcome, message)"
            " values (%s, %s, 'missing', 'Nothing came.')",
            (district_id, END_OF_TIME),
        )
        for table in FENCED:
            connection.execute(f"alter table rollcall.{table} enable trigger night_has_come")


def correct(world: World, district_id: str, to: date, wrong: date | None = None) -> NightCorrection:
    return correct_night(
        world.district(district_id),
        to=to,
        wrong=wrong,
        by=Person("Jo", "jo"),
        why="a slip",
    )


def state_of(district_id: str, number: int) -> DistrictState:
    """What ``rollcall status`` said in the afternoon after a night."""
    with connect() as connection:
        states = district_states(connection, now=datetime.combine(night(number), time(20), UTC))
    return next(each for each in states if each.district == district_id)


def of_one_night(marts: dict[str, Any]) -> dict[str, Any]:
    return {mart: rows for mart, rows in marts.items() if mart not in OF_THE_PUBLICATION}


def rows_of(world: World, district_id: str, wrong: date) -> list[tuple[Any, ...]]:
    """Where a night stands in the history and in what readers see."""
    tables = [f"history.hist_{name}" for name in ("users", "enrollments", "classes", "demographics")]
    places = [(table, "ended_on") for table in tables]
    places += [(EVERY_NIGHT, "effective_date"), ("rollcall.published_night", "effective_date")]
    return [
        (table, count)
        for table, column in places
        for (count,) in world.query(
            f"select count(*) from {table} where district_id = %s and {column} = %s", district_id, wrong
        )
        if count
    ]


Files = Callable[..., list[Path]]


@pytest.fixture
def sent(world: World, request: pytest.FixtureRequest) -> Files:
    """The files of a night of a small district."""
    profile = small_district("wrong-night", students=30)
    folder = world.work / "wrong-nights" / request.node.name

    def files(number: int, *spoil: Callable[[Path], object]) -> list[Path]:
        return list(write(profile, number, folder / str(number), *spoil).files)

    return files


def test_law_10_no_run_receives_a_night_that_has_not_come_or_lies_before_the_first(world: World, sent: Files) -> None:
    """The first slip leaves no trace, and the files lie where they lay: the night's own run takes them."""
    world.settle_in("slip")
    world.send("slip", sent(1))
    the_day_after_tomorrow = 3 + (datetime.now(UTC).date() - FIRST_NIGHT).days
    for number in (the_day_after_tomorrow, 40_000):
        slip = Run(world, "slip", number, name="slip")
        slip.judge()
        assert "has not come" in slip.failed["receive"]
        assert slip.report() == "failed"
    assert world.query("select count(*) from rollcall.delivery where district_id = 'slip'") == [(0,)]
    assert world.query("select count(*) from rollcall.night where district_id = 'slip'") == [(0,)]

    second = world.play("slip", [], night=2)
    assert second.delivery_state == "published"
    world.send("slip", sent(2))
    before = Run(world, "slip", 1, name="slip")
    before.judge()
    assert f"before the first one of slip, {night(2)}" in before.failed["receive"]
    before.report()
    assert world.query("select service_date from rollcall.night where district_id = 'slip'") == [(night(2),)]
    assert Run(world, "slip", 1).outcome == "no night"
    assert world.play("slip", [], night=3).delivery_state == "published"


def test_law_10_a_district_frozen_by_a_night_to_come_is_freed_by_correcting_it(world: World, sent: Files) -> None:
    world.settle_in("frozen")
    world.play("frozen", sent(1))
    first_shown = marts_of(world.url, "frozen", as_of=str(night(1)))
    wrong = world.play("frozen", sent(2), night=2)
    second_shown = of_one_night(marts_of(world.url, "frozen"))
    as_an_older_version_left_it(world, wrong, IN_36_YEARS)
    real = world.play("frozen", sent(3), night=3)
    assert real.delivery_state == "superseded"
    told = state_of("frozen", 3)
    assert (told.state, told.night, told.last_good) == ("wrong_night", night(3), IN_36_YEARS)
    assert "rollcall correct-night frozen --to NIGHT" in (told.message or "")

    done = correct(world, "frozen", to=night(2))

    assert done.delivery_ids == (wrong.delivery_id,)
    assert done.is_published
    assert done.overtaken == (real.delivery_id, night(3))
    assert world.query(
        "select from_night, to_night, delivery_ids, corrected_by, login <> '', why, corrected_at is not null"
        " from rollcall.night_correction where district_id = 'frozen'"
    ) == [(IN_36_YEARS, night(2), [wrong.delivery_id], "Jo", True, "a slip", True)]
    assert world.publication("frozen") == (2, night(2))
    assert rows_of(world, "frozen", IN_36_YEARS) == []
    assert of_one_night(marts_of(world.url, "frozen")) == second_shown
    assert (wrong.outcome, state_of("frozen", 3).state) == ("published", "superseded")

    again = Run(world, "frozen", 3, source=f"archive/{real.delivery_id}", name="again")
    again.judge()
    world.conform()
    again.report()
    newest = world.play("frozen", sent(4), night=4)
    assert again.delivery_state == newest.delivery_state == "published"
    assert world.publication("frozen") == (4, night(4))
    assert state_of("frozen", 4).state == "published"
    nights = world.query("select distinct effective_date from roster.agg_school_daily where district_id = 'frozen'")
    assert {row[0] for row in nights} == {night(number) for number in (1, 2, 3, 4)}
    assert marts_of(world.url, "frozen", as_of=str(night(1))) == first_shown, "law 8: what it showed, it shows"
    assert of_one_night(marts_of(world.url, "frozen", as_of=str(night(2)))) == second_shown


def test_law_10_an_unchanged_delivery_of_a_night_to_come_is_corrected_too(world: World, sent: Files) -> None:
    world.settle_in("same")
    world.play("same", sent(1))
    same = world.play("same", sent(1), night=2)
    assert same.delivery_state == "unchanged"
    as_an_older_version_left_it(world, same, IN_36_YEARS)
    assert world.play("same", sent(2), night=3).delivery_state == "superseded"

    assert correct(world, "same", to=night(2)).delivery_ids == (same.delivery_id,)

    assert world.publication("same") == (1, night(2))
    assert world.play("same", sent(1), night=3, name="again").delivery_state == "unchanged"
    assert world.play("same", sent(3), night=4).delivery_state == "published"
    assert world.publication("same") == (2, night(4))
    nights = world.query("select effective_date from rollcall.published_night where district_id = 'same' order by 1")
    assert nights == [(night(number),) for number in (1, 2, 3, 4)]


def test_law_10_going_back_gives_up_every_night_to_come(world: World, sent: Files) -> None:
    """Two slips in a row, and a roster that was wrong besides."""
    world.settle_in("given-up", limits={kind: {"percent": 100, "floor": 1_000} for kind in ("added", "removed")})
    world.play("given-up", sent(1))
    good = of_one_night(world.shown("given-up"))
    slips = [world.play("given-up", sent(number), night=number) for number in (2, 3)]
    for number, slip in enumerate(slips):
        as_an_older_version_left_it(world, slip, IN_36_YEARS + timedelta(days=number))
        world.execute("delete from rollcall.night where service_date = %s", END_OF_TIME)
    assert world.play("given-up", sent(4), night=4).delivery_state == "superseded"

    done = roll_back("given-up", to=1, by=Person("Jo", "jo"), why="not theirs")

    assert (done.effective_date, done.given_up) == (night(1), IN_36_YEARS + timedelta(days=1))
    assert of_one_night(world.shown("given-up")) == good
    assert world.publication("given-up") == (4, night(1))
    corrected = "select from_night, to_night, delivery_ids, corrected_by, why from rollcall.night_correction"
    assert world.query(f"{corrected} where district_id = 'given-up' order by from_night") == [
        (IN_36_YEARS + timedelta(days=number), night(1), [slip.delivery_id], "Jo", "not theirs")
        for number, slip in enumerate(slips)
    ]
    assert all(rows_of(world, "given-up", IN_36_YEARS + timedelta(days=number)) == [] for number in (0, 1))
    assert world.play("given-up", sent(5), night=5).delivery_state == "published"
    assert world.publication("given-up") == (5, night(5))


def test_law_10_a_held_delivery_of_a_night_to_come_is_approved_only_once_it_is_corrected(
    world: World, sent: Files
) -> None:
    world.settle_in("held-slip")
    world.play("held-slip", sent(1))
    held = world.play("held-slip", sent(2, truncate), night=2)
    assert held.delivery_state == "held"
    as_an_older_version_left_it(world, held, IN_36_YEARS)
    refused = held.settle("approved")
    assert refused.outcome == "refused"
    assert f"correct-night held-slip --from {IN_36_YEARS}" in str(refused.reason)

    assert not correct(world, "held-slip", to=night(2), wrong=IN_36_YEARS).is_published

    assert world.publication("held-slip") == (1, night(1)), "what readers see was right"
    held.settle("approved")
    world.conform()
    assert held.report() == held.outcome == "published"
    assert world.publication("held-slip") == (2, night(2))


def test_of_several_runs_for_one_night_one_takes_the_delivery_and_the_others_say_so(world: World, sent: Files) -> None:
    world.settle_in("thrice")
    world.send("thrice", sent(1))
    runs = [Run(world, "thrice", name=name) for name in ("one", "two", "three")]
    with Pool(len(runs)) as pool:
        list(pool.map(Run.receive, runs))
    (taken,) = [run for run in runs if not run.left_to_another_run]
    others = [run for run in runs if run is not taken]
    said = f"The night of {night(1)} has delivery {taken.delivery_id}, which run {taken.run_id} received"
    assert all(run.left_to_another_run.startswith(said) for run in others)
    for run in runs:
        run.judge()
    world.conform()
    for run in (taken, *others):
        assert (run.failed, run.report(), run.outcome) == ({}, "published", "published")
    assert world.query("select count(*) from rollcall.delivery where district_id = 'thrice'") == [(1,)]

    world.send("thrice", sent(2))
    others[0].left_to_another_run = ""
    others[0].judge()
    world.conform()
    assert others[0].delivery_state == "published", "what came since is taken"


def test_receiving_again_alone_leaves_the_night_as_it_ended(world: World, sent: Files) -> None:
    world.settle_in("cleared")
    published = world.play("cleared", sent(1))
    rejected = world.play("cleared", sent(2, lambda folder: (folder / "users.csv").write_text("no\n")), night=2)
    for run, ended in ((published, "published"), (rejected, "rejected")):
        assert run.outcome == ended
        run.receive()
        assert run.outcome == ended
