"""Which files of a delivery share a task."""

from rollcall.landing.units import INSEPARABLE, LARGE_FILE_BYTES, MIB, SMALL_DELIVERY_BYTES, units
from rollcall.oneroster import LANDED_FILE_NAMES

EVERY_FILE = list(LANDED_FILE_NAMES)
LARGE = {"orgs": 6_000, "academicSessions": 3_000, "courses": MIB, "classes": 9 * MIB, "users": 60 * MIB,
         "roles": 20 * MIB, "enrollments": 180 * MIB, "demographics": 30 * MIB}  # fmt: skip


def test_a_small_delivery_is_one_unit_in_the_standards_order() -> None:
    share = SMALL_DELIVERY_BYTES // len(EVERY_FILE)
    assert units(dict.fromkeys(EVERY_FILE, share - 1)) == [EVERY_FILE]
    assert units({"orgs": 1, "enrollments": SMALL_DELIVERY_BYTES - 2}) == [["orgs", "enrollments"]]
    assert units({"orgs": 1, "enrollments": SMALL_DELIVERY_BYTES - 1}) == [["enrollments"], ["orgs"]]


def test_the_large_files_of_a_large_delivery_are_worked_side_by_side_the_largest_first() -> None:
    assert units(LARGE) == [
        ["enrollments"],
        ["users", "roles"],
        ["demographics"],
        ["classes"],
        ["orgs", "academicSessions", "courses"],
    ]


def test_roles_stay_with_users_however_large() -> None:
    for users, roles in ((60 * MIB, 1), (1, 60 * MIB), (LARGE_FILE_BYTES, LARGE_FILE_BYTES), (1, 1)):
        sizes = {"orgs": 7, "users": users, "roles": roles, "enrollments": 180 * MIB}
        (unit,) = (unit for unit in units(sizes) if "roles" in unit)
        assert set(INSEPARABLE) <= set(unit)


def test_every_file_is_in_one_unit() -> None:
    for names in ([], ["orgs"], ["roles"], ["users"], EVERY_FILE):
        for scale in (1, 30 * MIB):
            found = units(dict.fromkeys(names, scale))
            assert sorted(name for unit in found for name in unit) == sorted(names)
            assert [] not in found
