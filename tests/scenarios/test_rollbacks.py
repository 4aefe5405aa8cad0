"""A published roster turns out to be wrong: gone back from, sent again, held, and at last approved."""

from datetime import UTC, datetime, time

from nights import EVERY_NIGHT, Run, World, small_district, write

from rollcall.conform import roll_back
from rollcall.report.status import district_states
from rollcall.warehouse import connect
from rollcall.who import Person
from simulator.package import ZIP_NAME, pack

OF_THE_PUBLICATION = (EVERY_NIGHT, "roster.dim_district")


def test_law_10_what_was_taken_back_is_held_until_a_person_approves_it(world: World) -> None:
    world.settle_in("back")
    profile, work = small_district("back", students=30), world.work / "back"
    good, bad = (write(profile, number, work / str(number)).files for number in (1, 2))
    packed = [pack(write(profile, 2, work / "packed").files, work / "packed" / ZIP_NAME)]
    world.play("back", good, night=1)
    shown_good = _shown(world)
    world.play("back", bad, night=2)
    shown_bad = _shown(world)

    roll_back("back", to=None, by=Person("Jo", "jo"), why="not theirs")

    assert _shown(world) == shown_good
    noon = datetime.combine(Run(world, "back", night=2).service_date, time(12), UTC)
    with connect() as connection:
        (state,) = (each for each in district_states(connection, noon) if each.district == "back")
    assert (state.state, state.message) == ("rolled_back", "Rolled back from sequence 2 to 1 by Jo: not theirs")

    zipped = world.play("back", packed, night=3)
    assert zipped.delivery_state == "held"
    assert "hold_rolled_back" in _reasons(world, zipped)
    assert "not theirs" not in zipped.reason, "that remark was not written for the district"
    assert world.play("back", bad, night=4).delivery_state == "same_as_held"
    assert world.play("back", good, night=5).delivery_state == "unchanged"
    assert world.publication("back") == (3, Run(world, "back", night=5).service_date)
    assert zipped.delivery_state == "superseded"
    assert _shown(world) == shown_good

    held = world.play("back", bad, night=6)
    assert (held.delivery_state, _reasons(world, held)) == ("held", ["hold_rolled_back"])
    held.settle("approved")
    world.conform()
    assert held.delivery_state == "published"
    assert _shown(world) == shown_bad
    assert world.play("back", bad, night=7).delivery_state == "unchanged"


def _shown(world: World) -> dict[str, list[tuple[str]]]:
    return {mart: rows for mart, rows in world.shown("back").items() if mart not in OF_THE_PUBLICATION}


def _reasons(world: World, run: Run) -> list[str]:
    rows = world.query(
        "select jsonb_array_elements(reasons) ->> 'code' from rollcall.hold where delivery_id = %s", run.delivery_id
    )
    return [code for (code,) in rows]
