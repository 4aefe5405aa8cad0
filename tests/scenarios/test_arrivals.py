"""Nights on which it matters when and how the files came, and in which order."""

import os
from pathlib import Path

from nights import FIRST_NIGHT, Run, World, small_district, write

from rollcall.archive.injected import keep_injected
from rollcall.archive.store import Archive
from rollcall.who import Person


def age(folder: Path) -> None:
    """Have everything in a folder be of the night before."""
    for path in folder.iterdir():
        moment = path.stat().st_mtime - 24 * 3600
        os.utime(path, (moment, moment))


def test_tonights_half_in_a_kept_inbox_is_held_until_the_rest_has_come(world: World) -> None:
    world.settle_in("half", inbox="keep")
    profile = small_district("half")
    world.send("half", write(profile, 1, world.work / "half" / "1").files)
    age(world.inbox("half"))
    first = Run(world, "half", 1)
    first.judge()
    world.conform()
    good = world.shown("half")
    assert first.delivery_state == "published"

    tonight = write(profile, 2, world.work / "half" / "2")
    world.send("half", [path for path in tonight.files if path.name in ("users.csv", "classes.csv")])
    half = Run(world, "half", 2)
    half.judge()
    world.conform()
    assert half.delivery_state == "held"
    assert "may be of two nights" in half.reason
    assert "enrollments.csv" in half.reason
    assert "users.csv" not in half.reason
    assert world.shown("half") == good

    world.send("half", tonight.files)
    whole = Run(world, "half", 2, name="whole")
    whole.judge()
    world.conform()
    assert (half.delivery_state, whole.delivery_state) == ("superseded", "published")
    assert world.published("half")["roster.roster"] == tonight.expected.roster_rows
    assert world.waiting("half") == sorted(path.name for path in tonight.files)

    again = Run(world, "half", 3)
    again.receive()
    assert "not there any more" in again.failed["receive"], "nothing is read twice as new"


def test_law_10_what_is_put_in_for_a_past_night_overtakes_nothing(world: World) -> None:
    world.settle_in("by-hand")
    profile = small_district("by-hand")
    world.play("by-hand", write(profile, 1, world.work / "by-hand" / "1").files)
    world.play("by-hand", write(profile, 3, world.work / "by-hand" / "3").files, night=3)
    shown, publication = world.shown("by-hand"), world.publication("by-hand")

    def put_in(night: int) -> Run:
        folder = write(profile, night, world.work / "by-hand" / str(night)).folder
        who, upload = Person("Ada", "ada"), world.district("by-hand").upload
        token = keep_injected(Archive.of("by-hand"), folder, upload, by=who)
        run = Run(world, "by-hand", night, source=f"injected/{token}", name="put_in")
        run.judge()
        world.conform()
        return run

    late = put_in(2)
    assert late.delivery_state == "superseded"
    assert "took its place" in late.reason
    assert (world.shown("by-hand"), world.publication("by-hand")) == (shown, publication)

    assert put_in(4).delivery_state == "published"
    assert world.publication("by-hand") == (3, FIRST_NIGHT.replace(day=FIRST_NIGHT.day + 3))
