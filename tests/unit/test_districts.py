"""District files: defaults, mistakes named by file, key and reason, nights and deadlines."""

from datetime import UTC, date, datetime, time
from itertools import islice
from pathlib import Path

import pytest

from rollcall.districts import District, DistrictFileError, Limit, load_district, load_districts
from rollcall.settings import PROJECT_ROOT

DEFAULTS = """
schedule: "0 2 * * *"
timezone: Etc/GMT+5
deadline: "06:00"
expected_weekdays: [monday, tuesday, wednesday, thursday, friday]
first_delivery: hold
enrollment_end_date: inclusive
inbox: remove
intraday: false
one_night_hours: 12
roll_over_days: 45
upload: {file_mib: 1024, delivery_mib: 2048, unpacked_mib: 2048, files: 300}
limits:
  removed: {percent: 10, floor: 20}
  added: {percent: 25, floor: 50}
  changed: {percent: 40, floor: 50}
  rekeyed: {percent: 2, floor: 10}
  set_aside: {percent: 2, floor: 10}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "_defaults.yaml").write_text(DEFAULTS)
    return tmp_path


def district(folder: Path, text: str = "", file_name: str = "maple-usd.yaml") -> District:
    path = folder / file_name
    path.write_text(f"name: Maple\n{text}")
    return load_district(path)


def mistake(folder: Path, text: str, file_name: str = "maple-usd.yaml") -> str:
    with pytest.raises(DistrictFileError) as caught:
        district(folder, text, file_name)
    return str(caught.value)


def test_what_a_file_does_not_say_comes_from_the_defaults(folder: Path) -> None:
    found = district(folder)
    assert (found.district_id, found.name, found.deadline) == ("maple-usd", "Maple", time(6))
    assert (found.dag_id, found.sftp_connection_id) == ("roster__maple-usd", "sftp_maple-usd")
    assert len(found.files) == 7


def test_a_file_overrides_single_keys_of_a_nested_default(folder: Path) -> None:
    limits = district(folder, "limits: {removed: {percent: 30}}").limits
    assert limits.removed == Limit(percent=30, floor=20)
    assert limits.set_aside == Limit(percent=2, floor=10)


def test_a_district_of_onerosters_next_version_sends_roles_too(folder: Path) -> None:
    assert district(folder, "files: [orgs, users, roles]").files == ("orgs", "users", "roles")


def test_the_projects_own_district_files_are_in_order() -> None:
    found = list(load_districts(PROJECT_ROOT / "dags" / "districts"))
    assert found
    assert not [district for district in found if isinstance(district, DistrictFileError)]


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("colour: blue", "colour", "there is no such key"),
        ("limits: {removed: {precent: 3}}", "limits.removed.precent", "there is no such key"),
        ("limits: {removed: 10}", "limits.removed", "valid dictionary"),
        ("limits: {removed: {percent: 101}}", "limits.removed.percent", "less than or equal to 100"),
        ("deadline: 10:30", "deadline", 'write the time in quotes, for instance "06:00"'),
        ("deadline: 6.30", "deadline", "write the time in quotes"),
        ('deadline: "25:00"', "deadline", "valid time"),
        ('schedule: "2 AM"', "schedule", "'2 AM' is not a cron expression"),
        ('schedule: "0 2 30 2 *"', "schedule", "names a day that never comes"),
        ("timezone: EST5PDT7", "timezone", "'EST5PDT7' is not a time zone"),
        ("timezone: ../../etc/passwd", "timezone", "is not a time zone"),
        ("expected_weekdays: [mon]", "expected_weekdays.0", "'monday'"),
        ("files: [users, grades]", "files", "grades: not among orgs, academicSessions"),
        ("first_delivery: maybe", "first_delivery", "'accept' or 'hold'"),
        ("contacts: [somebody]", "contacts", "must be an e-mail address"),
        ("stable_after_seconds: 0", "stable_after_seconds", "greater than 0"),
        ("pauses: [{first_night: 2026-07-02, last_night: 2026-07-01}]", "pauses.0", "last_night lies before"),
        ("pauses: [{first_night: 2026-07-02}]", "pauses.0.last_night", "is missing"),
        ("district_id: oak", "district_id", "comes from the file's name"),
        ("12: oak", "12", "there is no such key"),
    ],
)
def test_a_mistake_is_named_by_file_key_and_reason(folder: Path, text: str, key: str, reason: str) -> None:
    said = mistake(folder, text)
    assert said.startswith(f"maple-usd.yaml: {key}: ")
    assert reason in said


def test_every_mistake_of_a_file_is_named(folder: Path) -> None:
    said = mistake(folder, "colour: blue\ndeadline: 10:30\n")
    assert "colour: there is no such key" in said
    assert "deadline: write the time in quotes" in said


@pytest.mark.parametrize("name", ["Maple.yaml", "maple_usd.yaml", "maple--usd.yaml", "maple usd.yaml", "-maple.yaml"])
def test_a_file_name_that_cannot_be_an_account_is_refused(folder: Path, name: str) -> None:
    assert "lower-case letters, digits and single hyphens" in mistake(folder, "", name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: {removed\n", "line 3: not readable as YAML"),
        ("pauses: [{first_night: 2026-02-30, last_night: 2026-03-01}]", "not readable as YAML (day is out of range"),
    ],
)
def test_what_is_not_yaml_is_named_by_its_place(folder: Path, text: str, said: str) -> None:
    assert said in mistake(folder, text)


def test_a_list_is_not_a_district(folder: Path) -> None:
    path = folder / "maple.yaml"
    path.write_text("- name: Maple\n")
    with pytest.raises(DistrictFileError, match=r"^maple\.yaml: the file: must be a list of 'key: value' lines"):
        load_district(path)


def test_without_defaults_the_defaults_file_is_named(tmp_path: Path) -> None:
    assert (
        mistake(tmp_path, "") == "_defaults.yaml: there is no such file; `rollcall districts list` names the districts"
    )


def test_a_broken_file_does_not_hide_the_others(folder: Path) -> None:
    (folder / "a-broken.yaml").write_text("name: [")
    (folder / "b-no-such-day.yaml").write_text("name: B\npauses: [{first_night: 2026-02-30}]")
    (folder / "c-not-text.yaml").write_bytes(b"name: \xff\xfe")
    (folder / "d-a-folder.yaml").mkdir()
    (folder / "e-fine.yaml").write_text("name: Fine")
    (folder / "_notes.yaml").write_text("not a district")
    found = list(load_districts(folder))
    assert [type(one).__name__ for one in found] == ["DistrictFileError"] * 4 + ["District"]
    assert [str(one).split(":")[0] for one in found[:4]] == [
        "a-broken.yaml",
        "b-no-such-day.yaml",
        "c-not-text.yaml",
        "d-a-folder.yaml",
    ]


def test_nights_without_deliveries_say_why(folder: Path) -> None:
    found = district(folder, "pauses: [{first_night: 2026-06-12, last_night: 2026-08-10, reason: summer}]")
    assert found.not_expected_because(date(2026, 6, 11)) is None
    assert found.not_expected_because(date(2026, 6, 12)) == "paused from 2026-06-12 to 2026-08-10: summer"
    assert found.not_expected_because(date(2026, 8, 10)) == "paused from 2026-06-12 to 2026-08-10: summer"
    assert found.not_expected_because(date(2026, 8, 11)) is None
    assert found.not_expected_because(date(2026, 11, 22)) == "no delivery is expected on a Sunday"


DAILY = "expected_weekdays: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]\n"


@pytest.mark.parametrize(
    ("text", "moment", "due"),
    [
        (DAILY, "2026-11-26 07:00", [25, 24, 23]),  # the run of the 26th starts at this very moment
        (DAILY, "2026-11-26 07:01", [26, 25, 24]),
        ("expected_weekdays: [monday, friday]", "2026-11-26 12:00", [23, 20, 16]),
        (DAILY + "pauses: [{first_night: 2026-11-21, last_night: 2026-11-24}]", "2026-11-25 12:00", [25, 20, 19]),
        (DAILY + 'schedule: "0 2,14 * * *"', "2026-11-26 20:00", [26, 25, 24]),
        (
            DAILY + 'schedule: "0 2 * * *"\ntimezone: America/New_York',
            "2026-11-02 12:00",
            [2, 1, 31],
        ),  # the clock went back
        (DAILY + 'schedule: "30 18 * * *"\ntimezone: America/Los_Angeles', "2026-11-26 02:00", [24, 23, 22]),
    ],
)
def test_the_nights_that_are_due_come_the_latest_first(folder: Path, text: str, moment: str, due: list[int]) -> None:
    nights = district(folder, text).nights_due(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert [night.day for night in islice(nights, 3)] == due


def test_what_was_due_more_than_a_year_ago_is_not_asked_after(folder: Path) -> None:
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    assert len(list(district(folder, DAILY).nights_due(now))) == 366
    assert list(district(folder, DAILY).nights_due(now, after=date(2026, 11, 25))) == [date(2026, 11, 26)]
    assert list(district(folder, DAILY).nights_due(now, after=date(2030, 1, 1))) == []
    assert (
        list(district(folder, DAILY + "pauses: [{first_night: 2000-01-01, last_night: 2999-01-01}]").nights_due(now))
        == []
    )


@pytest.mark.parametrize(
    ("zone", "moment", "night"),
    [
        ("Etc/GMT+5", datetime(2026, 7, 1, 7, tzinfo=UTC), date(2026, 7, 1)),
        ("Etc/GMT+5", datetime(2026, 7, 1, 4, 59, tzinfo=UTC), date(2026, 6, 30)),
        ("America/New_York", datetime(2026, 7, 1, 4, 0, tzinfo=UTC), date(2026, 7, 1)),
        ("America/New_York", datetime(2026, 12, 1, 4, 0, tzinfo=UTC), date(2026, 11, 30)),
    ],
)
def test_the_night_is_that_of_the_districts_clock(folder: Path, zone: str, moment: datetime, night: date) -> None:
    assert district(folder, f"timezone: {zone}").service_date(moment) == night


@pytest.mark.parametrize(
    ("zone", "night", "moment"),
    [
        ("Etc/GMT+5", date(2026, 3, 8), datetime(2026, 3, 8, 11, tzinfo=UTC)),
        ("Etc/GMT+5", date(2026, 7, 1), datetime(2026, 7, 1, 11, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 7), datetime(2026, 3, 7, 11, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 8), datetime(2026, 3, 8, 10, tzinfo=UTC)),
        ("America/New_York", date(2026, 11, 1), datetime(2026, 11, 1, 11, tzinfo=UTC)),
    ],
)
def test_the_deadline_follows_the_zone_over_a_clock_change(
    folder: Path, zone: str, night: date, moment: datetime
) -> None:
    assert district(folder, f"timezone: {zone}").deadline_on(night) == moment


@pytest.mark.parametrize(
    ("count", "of", "exceeded"),
    [(20, 20, False), (21, 210, False), (22, 210, True), (21, 0, True), (0, 0, False)],
)
def test_a_limit_is_a_percentage_above_a_floor(count: int, of: int, exceeded: bool) -> None:
    assert Limit(percent=10, floor=20).exceeded(count, of) is exceeded
