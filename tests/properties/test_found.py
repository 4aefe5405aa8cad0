"""What the properties found, one example each: they ended in a traceback or in a wrong roster once."""

from datetime import timedelta

from helpers.csv_files import file_bytes
from helpers.deliveries import FIRST_NIGHT
from helpers.inbox import district
from helpers.schools import school_district
from small_world import SmallWorld

from rollcall.oneroster import FILE_NAMES


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
