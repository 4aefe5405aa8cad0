"""A district has a new system: every id is another one, and everybody's history goes on."""

import csv
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from nights import EVERY_NIGHT, Run, World, records, rewrite, small_district, write
from typer.testing import CliRunner

from rollcall.cli import app
from rollcall.conform import roll_back
from rollcall.decision.decide import ORDINARY_NOW
from rollcall.decision.rekey.accept import Rekeying, rekey
from rollcall.decision.rekey.id_map import KINDS, CannotRekeyError, NewId, read_map
from rollcall.who import Person
from simulator.night import Delivery

ADA = Person("Ada", "ada")
STUDENTS = "select source_id from roster.dim_student where district_id = %s order by 1"
CHANGES = """
    select change, reason, student_number, from_school_name, to_school_name, null from roster.fct_roster_change
    where district_id = 'moved'
    union all
    select change, reason, student_number, class_title, class_code, school_year::text from roster.fct_class_change
    where district_id = 'moved'
    union all
    select 'moved', null, null, from_school_name, to_school_name, moved_on::text from roster.fct_school_move
    where district_id = 'moved'
    order by 1, 2, 3, 4, 5, 6
"""
FORECAST = """
    select sum(rekeyed)::integer, sum(removed)::integer from rollcall.expected_change
    where delivery_id = %s and school_source_id is null
"""
SPELLS = """
    select person_source_id, school_source_id, began_on, begin_reason, ended_on, end_reason
    from roster.fct_membership_spell where district_id = %s order by 1, 2, 3
"""


def renamed(folder: Path) -> None:
    """Give every record another id, and every cell that names it."""
    for file in (*KINDS, "demographics"):
        rewrite(folder, file, lambda record: {name: new(name, cell) for name, cell in record.items()})


def new(column: str, cell: str) -> str:
    if not column.lower().endswith(("sourcedid", "sourcedids")) or not cell:
        return cell
    return ",".join(f"N-{each}" for each in cell.split(","))


def write_map(path: Path, folder: Path, *more: tuple[str, str, str]) -> Path:
    """All ids of a delivery, each with its new one."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "sourced_id", "new_sourced_id"))
        for file in KINDS:
            writer.writerows((file, each["sourcedId"], f"N-{each['sourcedId']}") for each in records(folder, file))
        writer.writerows(more)
    return path


@pytest.fixture(scope="module")
def nights(world: World) -> dict[int, Delivery]:
    """Four nights of a district, two of them played; from the third on all ids are others."""
    world.settle_in("moved")
    profile, work = small_district("moved"), world.work / "moved"
    spoiled: dict[int, tuple[Callable[[Path], object], ...]] = {1: (), 2: (), 3: (renamed,), 4: (renamed,)}
    sent = {number: write(profile, number, work / str(number), *how) for number, how in spoiled.items()}
    for number in (1, 2):
        world.play("moved", sent[number].files, night=number)
    return sent


def give_new_ids(nights: Mapping[int, Delivery], *more: tuple[str, str, str], **how: Any) -> Rekeying:
    folder = nights[2].folder
    return rekey("moved", read_map(write_map(folder.parent / "map.csv", folder, *more)), by=ADA, why="new SIS", **how)


def as_of(world: World, night: int, statement: str) -> list[tuple[Any, ...]]:
    """What a reader sees who asks for a night, or compares with it."""
    with psycopg.connect(world.url) as connection:
        connection.execute(
            "select set_config('roster.as_of', %s, false)", (str(Run(world, "moved", night).service_date),)
        )
        return connection.execute(statement, ("moved",)).fetchall()


def test_a_map_that_cannot_be_followed_is_told_in_full_and_changes_nothing(
    world: World, nights: Mapping[int, Delivery]
) -> None:
    before = world.meaning("moved")
    school = records(nights[2].folder, "orgs")[1]["sourcedId"]
    for more, told in (
        ([("users", "gone", "N-gone"), ("classes", "C-9", "N-C-9")], "users: 1 old ids are not published: gone."),
        ([("orgs", "994x", school)], "ids are old and new at once"),
        ([("orgs", school, "N-other")], f"orgs: 1 old ids stand in the map more than once: {school}."),
        ([("orgs", "994x", f"N-{school}")], f"orgs: 1 new ids are given more than once: N-{school}."),
        ([("users", "", "N-1")], "an id is blank"),
        ([("demographics", "1", "N-1")], "'demographics' is none of orgs"),
    ):
        with pytest.raises(CannotRekeyError, match=re.escape(told)) as caught:
            give_new_ids(nights, *more)
        assert "Nothing was done." in str(caught.value)
    first, second = (each["sourcedId"] for each in records(nights[2].folder, "users")[:2])
    with pytest.raises(CannotRekeyError, match=f"new ids are those of other published records: {second}"):
        rekey("moved", [NewId("users", first, second)], by=ADA, why="a slip")
    with pytest.raises(CannotRekeyError, match="gives no published record"):
        rekey("moved", [NewId("users", "gone", "N-gone")], by=ADA, why="a slip", skip_unknown=True)
    with pytest.raises(CannotRekeyError, match="Nothing of nobody is published"):
        rekey("nobody", [], by=ADA, why="a slip")
    assert world.meaning("moved") == before


def test_history_goes_on_under_new_ids_and_the_next_night_is_an_ordinary_one(
    world: World, nights: Mapping[int, Delivery]
) -> None:
    held = world.play("moved", nights[3].files, night=3)
    assert held.delivery_state == "held"
    assert held.reason.index("seem to come back under a new id") < held.reason.index("would be removed")
    old_spells, old_changes, counts = world.query(SPELLS, "moved"), changes(world), world.published("moved")
    shown = {mart: rows for mart, rows in world.shown("moved").items() if mart != EVERY_NIGHT}

    path = write_map(nights[2].folder.parent / "map.csv", nights[2].folder)
    told = CliRunner().invoke(app, ["rekey", "moved", str(path), "--by", "Ada", "--why", "new SIS", "--json"])
    done = json.loads(told.stdout)
    assert (done["from_sequence"], done["sequence"], done["skipped"]) == (2, 3, 0)
    assert "`conform` builds this" in done["build"]
    with pytest.raises(CannotRekeyError, match="waits for its build"):
        give_new_ids(nights)
    world.conform()
    assert world.publication("moved") == (3, nights[2].service_date)
    assert world.published("moved") == counts
    assert students(world) == {
        f"N-{each['sourcedId']}" for each in records(nights[2].folder, "users") if each["role"] == "student"
    }
    lasting = [(f"N-{person}", f"N-{school}", *rest) for person, school, *rest in old_spells if rest[2] is None]
    new_spells = world.query(SPELLS, "moved")
    assert [spell for spell in new_spells if spell[4] is None] == lasting
    assert len(new_spells) == len(old_spells)
    assert changes(world) == old_changes, "nobody joined, left or moved but who did"
    assert as_of(world, 1, STUDENTS) == [
        (each["sourcedId"],) for each in sorted(records(nights[1].folder, "users"), key=lambda each: each["sourcedId"])
        if each["role"] == "student"
    ]  # fmt: skip
    assert world.query("select rekeyed_by, why from rollcall.rekeying where district_id = 'moved'") == [
        ("Ada", "new SIS")
    ]

    held.judge(("decide",))
    assert (held.delivery_state, held.reason.endswith(ORDINARY_NOW)) == ("held", True)
    assert world.query(FORECAST, held.delivery_id) == [(0, sum(nights[3].expected.removed.values()))]
    held.settle("approved")
    world.conform()
    expected = nights[3].expected
    assert held.delivery_state == "published"
    assert held.changes() == {"added": expected.added, "changed": expected.changed, "removed": expected.removed}

    roll_back("moved", to=2, by=ADA, why="not yet")
    again = {mart: rows for mart, rows in world.shown("moved").items() if mart != EVERY_NIGHT}
    assert again == shown
    assert [spell for spell in world.query(SPELLS, "moved") if spell[4] is None] == [
        spell for spell in old_spells if spell[4] is None
    ]
    assert give_new_ids(nights).sequence == 6, "gone back from, it can be said once more"
    world.conform()
    assert [spell for spell in world.query(SPELLS, "moved") if spell[4] is None] == lasting

    ordinary = world.play("moved", nights[4].files, night=4)
    assert ordinary.delivery_state == "published"
    assert world.published("moved")["roster.roster"] == nights[4].expected.roster_rows
    began = "select min(began_on) from roster.fct_membership_spell where district_id = %s and is_current"
    assert world.query(began, "moved") == [(nights[1].service_date,)]


def changes(world: World) -> list[tuple[Any, ...]]:
    """Who joined, left and moved between the two nights."""
    return world.query(CHANGES)


def students(world: World) -> set[str]:
    return {source_id for (source_id,) in world.query(STUDENTS, "moved")}
