"""What the properties found, one example each: they ended in a traceback or in a wrong roster once."""

from datetime import date, timedelta

from helpers.csv_files import file_bytes
from helpers.deliveries import FIRST_NIGHT
from helpers.gating import NO_LIMITS
from helpers.inbox import district
from helpers.schools import Rows, record, school_district, without
from helpers.small_world import SmallWorld

from rollcall.oneroster import FILE_NAMES

SECOND_NIGHT = FIRST_NIGHT + timedelta(days=1)


def lake_sends(world: SmallWorld, rows: Rows, *files: str, night: date = FIRST_NIGHT) -> tuple[str, str | None]:
    """A night of the district lake, built; returns what became of the delivery."""
    sent = {f"{file}.csv": file_bytes(file, rows[file]) for file in files or FILE_NAMES}
    lake = district("lake", files=files or FILE_NAMES, limits=NO_LIMITS)
    outcome = world.deliver(lake, sent, night)
    world.conform()
    return world.state_of(outcome.delivery_id)


def test_a_delivery_without_all_files_is_built_like_any_other(world: SmallWorld) -> None:
    """Files that were not sent had no table, which failed every district's build, and so on every night after."""
    rows = school_district()
    everything = {f"{file}.csv": file_bytes(file, rows[file]) for file in FILE_NAMES}
    world.deliver(district("lake", files=FILE_NAMES), everything, FIRST_NIGHT)
    world.deliver(district("hill", files=("orgs",)), {"orgs.csv": everything["orgs.csv"]}, FIRST_NIGHT)
    (build,) = world.conform()
    assert build.published == ["hill", "lake"]

    rows["orgs"][1]["name"] = "Lakeside"
    only = {"orgs.csv": file_bytes("orgs", rows["orgs"])}
    world.deliver(district("lake", files=("orgs",)), only, FIRST_NIGHT + timedelta(days=1))
    (build,) = world.conform()
    assert build.published == ["lake"]
    shown = "select school_name from roster.dim_school where district_id = 'lake' order by source_id"
    assert world.query(shown) == [("Lakeside",), ("School 995",)]
    assert world.query("select count(*) from roster.roster where district_id = 'lake'") == [(12,)]


def test_a_new_record_that_is_there_twice_keeps_no_leaver(world: SmallWorld) -> None:
    """The audits took its copy for a row that could be anybody's, and failed the night."""
    rows = school_district()
    lake_sends(world, rows)
    leaver = "994_1000_S0"
    later = without(
        without(without(rows, "users", leaver), "demographics", leaver), "enrollments", f"994_1000:{leaver}"
    )
    later["users"] += [record(rows, "users", "994_1000_S1") | {"sourced_id": "NEW"}] * 2
    assert lake_sends(world, later, night=SECOND_NIGHT) == ("published", None)
    students = "select source_id from roster.dim_student where source_id in ('NEW', %s)"
    assert world.query(students, leaver) == [("NEW",)]


def test_who_names_what_the_same_night_deletes_is_set_aside(world: SmallWorld) -> None:
    """Enrollments of a class that the delivery itself deletes passed the gate, and the audits failed the night."""
    rows = school_district()
    lake_sends(world, rows)
    for days, status in enumerate(("tobedeleted", "inactive"), start=1):
        rows["users"].append(record(rows, "users", "994_1000_S1") | {"sourced_id": f"BY_{status}"})
        record(rows, "classes", "995_1001")["status"] = status
        assert lake_sends(world, rows, night=FIRST_NIGHT + timedelta(days=days)) == ("published", None)
    assert world.query("select count(*) from roster.dim_class where source_id = '995_1001'") == [(0,)]
    assert world.query("select count(*) from roster.roster") == [(9,)]
    assert world.query("select count(*) from roster.fct_enrollment") == [(12,)], "the last good version stays"


def test_a_doubtful_row_keeps_last_years_enrollments_and_holds_up_no_roll_over(world: SmallWorld) -> None:
    """Ids are used again each year: last year's enrollment, kept without its class, was taken for tonight's."""
    lake_sends(world, school_district(2026), night=date(2026, 5, 20))
    rows = school_district(2027)
    rows["enrollments"].append(rows["enrollments"][0] | {"sourced_id": "ANY", "class_sourced_id": "NO_SUCH_CLASS"})
    assert lake_sends(world, rows, night=date(2026, 8, 20)) == ("published", None)
    shown = "select school_year, count(*) from roster.{} group by 1 order by 1"
    assert world.query(shown.format("fct_enrollment")) == [(2026, 12), (2027, 12)], "no absence is believed"
    assert world.query(shown.format("dim_class")) == [(2027, 4)]
    assert world.query(shown.format("roster")) == [(2027, 12)]
