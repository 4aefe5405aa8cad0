"""Nights: the same twice, whole in themselves, and counted right."""

import csv
import re
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import pytest

from simulator.night import Delivery, write_night
from simulator.profile import Profile, Rates

FILES = ("academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "users")
LIVELY = Rates(0.02, 0.02, 0.01, 0.04, 0.01, 0.06)
STILL = Rates(0, 0, 0, 0, 0, 0)
K12 = Profile("maple_valley", 'Maple Valley "MV" Unified, Joint', 2000, 11, rates=LIVELY)
ELEMENTARY = Profile("oak", "Oak Elementary School District", 400, 5, levels="elementary", rates=LIVELY)

Night = dict[str, dict[str, dict[str, str]]]


def read(folder: Path) -> Night:
    """Read all files, keyed by sourcedId; a sourcedId that is there twice is an error."""
    night: Night = {}
    for file in FILES:
        with (folder / f"{file}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
        night[file] = {row["sourcedId"]: row for row in rows}
        assert len(night[file]) == len(rows), f"{file} repeats a sourcedId"
        assert not any(None in row or None in row.values() for row in rows), f"{file} has a ragged row"
    return night


def read_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module", params=[K12, ELEMENTARY], ids=lambda profile: profile.levels)
def nights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Delivery, Night]]:
    """Three nights of a district in which much happens."""
    folder = tmp_path_factory.mktemp("nights")
    deliveries = [write_night(request.param, night, folder / str(night)) for night in (1, 2, 3)]
    return [(delivery, read(delivery.folder)) for delivery in deliveries]


@pytest.mark.parametrize("packaging", ["loose", "zip"])
def test_a_night_written_twice_has_the_same_bytes(tmp_path: Path, packaging: Literal["loose", "zip"]) -> None:
    profile = replace(K12, packaging=packaging, manifest=True, students=500)
    first, second = (write_night(profile, 3, tmp_path / name) for name in "ab")
    assert read_bytes(tmp_path / "a") == read_bytes(tmp_path / "b")
    assert first.expected == second.expected


def test_another_seed_is_another_district(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_night(replace(K12, students=100, seed=seed), 1, tmp_path / str(seed))
    assert read_bytes(tmp_path / "1")["users.csv"] != read_bytes(tmp_path / "2")["users.csv"]


@pytest.mark.parametrize("profile", [K12, ELEMENTARY], ids=lambda profile: profile.levels)
def test_nothing_changes_at_rates_of_zero(tmp_path: Path, profile: Profile) -> None:
    for night in (1, 2, 9):
        delivery = write_night(replace(profile, rates=STILL), night, tmp_path / str(night))
        if night > 1:
            assert set(delivery.expected.added) == set(FILES)
            for counts in (delivery.expected.added, delivery.expected.changed, delivery.expected.removed):
                assert not any(counts.values())
    assert read_bytes(tmp_path / "1") == read_bytes(tmp_path / "2") == read_bytes(tmp_path / "9")


def test_expected_counts_what_the_files_hold(nights: list[tuple[Delivery, Night]]) -> None:
    for delivery, night in nights:
        expected, today = delivery.expected, str(delivery.service_date)
        assert expected.rows == {file: len(night[file]) for file in FILES}
        roles = Counter(user["role"] for user in night["users"].values())
        assert (expected.students, expected.staff) == (roles["student"], roles["teacher"])
        active = {
            (row["userSourcedId"], row["classSourcedId"])
            for row in night["enrollments"].values()
            if row["role"] == "student" and (row["beginDate"] or today) <= today <= (row["endDate"] or today)
        }
        assert expected.roster_rows == len(active) < len(night["enrollments"])


def test_expected_counts_what_changed_since_the_night_before(nights: list[tuple[Delivery, Night]]) -> None:
    assert nights[0][0].expected.added == nights[0][0].expected.changed == nights[0][0].expected.removed == {}
    for (_, before), (delivery, after) in pairwise(nights):
        for file in FILES:
            old, new = before[file], after[file]
            changed = sum(old[same] != new[same] for same in old.keys() & new.keys())
            assert delivery.expected.added[file] == len(new.keys() - old.keys()), file
            assert delivery.expected.changed[file] == changed, file
            assert delivery.expected.removed[file] == len(old.keys() - new.keys()), file
        assert min(delivery.expected.added["users"], delivery.expected.removed["users"]) > 0
        assert min(delivery.expected.added["classes"], delivery.expected.changed["users"]) > 0


def test_a_changed_record_says_so_and_an_unchanged_one_does_not(nights: list[tuple[Delivery, Night]]) -> None:
    for (_, before), (delivery, after) in pairwise(nights):
        for file in FILES:
            for source_id, row in after[file].items():
                old = before[file].get(source_id)
                if row != old:
                    assert "2026-11-1" in row["dateLastModified"] < str(delivery.service_date), (file, source_id)
                    assert old is None or old["dateLastModified"] != row["dateLastModified"]


def test_every_reference_resolves(nights: list[tuple[Delivery, Night]]) -> None:
    for _, night in nights:
        references = [
            ("orgs", "parentSourcedId", "orgs"),
            ("courses", "orgSourcedId", "orgs"),
            ("classes", "courseSourcedId", "courses"),
            ("classes", "schoolSourcedId", "orgs"),
            ("classes", "termSourcedIds", "academicSessions"),
            ("enrollments", "classSourcedId", "classes"),
            ("enrollments", "schoolSourcedId", "orgs"),
            ("enrollments", "userSourcedId", "users"),
            ("users", "orgSourcedIds", "orgs"),
            ("demographics", "sourcedId", "users"),
        ]
        for file, column, target in references:
            found = {element for row in night[file].values() for element in row[column].split(",") if element}
            assert found, (file, column)
            assert found <= night[target].keys(), (file, column)


def test_people_are_where_their_classes_are(nights: list[tuple[Delivery, Night]]) -> None:
    for delivery, night in nights:
        today = str(delivery.service_date)
        users, schools = night["users"], dict[str, set[str]]()
        current = set()
        for row in night["enrollments"].values():
            assert row["schoolSourcedId"] == night["classes"][row["classSourcedId"]]["schoolSourcedId"]
            assert row["role"] == users[row["userSourcedId"]]["role"]
            schools.setdefault(row["userSourcedId"], set()).add(row["schoolSourcedId"])
            if (row["beginDate"] or today) <= today <= (row["endDate"] or today):
                current.add(row["userSourcedId"])
        for user in users.values():
            assert schools[user["sourcedId"]] <= set(user["orgSourcedIds"].split(",")), user
        students = {user["sourcedId"] for user in users.values() if user["role"] == "student"}
        assert students <= current
        assert students == night["demographics"].keys()


def test_every_class_has_one_primary_teacher_and_some_have_a_second(nights: list[tuple[Delivery, Night]]) -> None:
    for _, night in nights:
        teaching = [row for row in night["enrollments"].values() if row["role"] == "teacher"]
        primary = Counter(row["classSourcedId"] for row in teaching if row["primary"] == "true")
        assert primary == dict.fromkeys(night["classes"], 1)
        assert len(night["classes"]) < len(teaching) < 1.2 * len(night["classes"])
        assert all(row["primary"] == "false" for row in night["enrollments"].values() if row["role"] == "student")
        pairs = Counter((row["userSourcedId"], row["classSourcedId"]) for row in night["enrollments"].values())
        assert set(pairs.values()) == {1}


DAY, GRADE = r"\d{4}-\d\d-\d\d", r"(KG|0[1-9]|1[0-2])"
TRUTH, ID = "(true|false)", r"[0-9A-Za-z._/@-]+"
VALUES = {
    "sourcedId": ID,
    "status": "",
    "dateLastModified": DAY + r"T\d\d:\d\d:\d\d\.\d{3}Z",
    "type": "(term|school|district)",
    "startDate": DAY,
    "endDate": f"({DAY})?",
    "beginDate": f"({DAY})?",
    "birthDate": f"({DAY})?",
    "schoolYear": "2027",
    "classType": "scheduled",
    "grades": f"({GRADE}(,{GRADE})*)?",
    "periods": r"\d(,\d)?",
    "termSourcedIds": f"{ID}(,{ID})?",
    "enabledUser": "true",
    "role": "(student|teacher)",
    "username": r"\S+",
    "givenName": ".+",
    "familyName": ".+",
    "name": ".+",
    "password": "",
    "primary": TRUTH,
    "sex": "(male|female)?",
    "asian": f"{TRUTH}?",
    "white": f"{TRUTH}?",
    "hispanicOrLatinoEthnicity": f"{TRUTH}?",
}


def test_every_value_is_one_that_the_standard_knows(nights: list[tuple[Delivery, Night]]) -> None:
    for _, night in nights:
        for file in FILES:
            for row in night[file].values():
                for column, value in row.items():
                    assert re.fullmatch(VALUES.get(column, ".*"), value), (file, column, value)
                assert row.get("beginDate", "") <= (row.get("endDate", "") or "9999"), row


def test_headers_are_the_standards(tmp_path: Path) -> None:
    write_night(replace(K12, students=50), 1, tmp_path)
    headers = {path.stem: path.read_bytes().split(b"\r\n")[0].decode() for path in tmp_path.iterdir()}
    assert headers["academicSessions"] == (
        "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear"
    )
    assert headers["classes"] == (
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
        "termSourcedIds,subjects,subjectCodes,periods"
    )
    assert headers["courses"] == (
        "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes"
    )
    assert headers["demographics"] == (
        "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,"
        "nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,"
        "countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus"
    )
    assert headers["enrollments"] == (
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate"
    )
    assert headers["orgs"] == "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"
    assert headers["users"] == (
        "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,"
        "middleName,identifier,email,sms,phone,agentSourcedIds,grades,password"
    )


def test_it_looks_like_aeries(tmp_path: Path) -> None:
    night = read(write_night(K12, 1, tmp_path).folder)
    schools = {row["sourcedId"] for row in night["orgs"].values() if row["type"] == "school"}
    assert len(schools) >= 3
    assert [row["type"] for row in night["orgs"].values()].count("district") == 1
    assert {term.split("_")[1] for term in night["academicSessions"]} == {"F", "S", "Y"}
    elementary = [row for row in night["classes"].values() if "_TN_" in row["sourcedId"]]
    secondary = [row for row in night["classes"].values() if "_TN_" not in row["sourcedId"]]
    assert all(row["title"] == "" and row["periods"] == "0" for row in elementary)
    assert all(re.fullmatch(r"TCH_\d+", row["courseSourcedId"]) for row in elementary)
    assert all(row["title"] and re.fullmatch(r"\d+_\d+", row["sourcedId"]) for row in secondary)
    assert {row["termSourcedIds"].count(",") for row in secondary} == {0, 1}
    assert "09,10,11,12" in {row["grades"] for row in secondary}
    users = night["users"].values()
    assert all(row["sourcedId"].startswith("TCH_") for row in users if row["role"] == "teacher")
    numbers = [row["sourcedId"] for row in users if row["role"] == "student"]
    assert all(re.fullmatch(r"\d{6}", number) for number in numbers)
    assert 0 < sum(number.startswith("0") for number in numbers) < len(numbers)
    assert any("," in row["orgSourcedIds"] for row in users if row["role"] == "student")
    dates = {bool(row["beginDate"]) for row in night["enrollments"].values() if row["role"] == "student"}
    assert dates == {True, False}


def test_files_are_utf8_with_crlf_and_names_that_need_quotes(tmp_path: Path) -> None:
    write_night(K12, 1, tmp_path)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r")
        assert not content.startswith(b"\xef\xbb\xbf")
    users = (tmp_path / "users.csv").read_text(encoding="utf-8")
    for name in ('"Johnson, Jr."', '"Roberto ""Beto"""', "O'Brien", "Nguyễn", "美玲", "نور"):
        assert f",{name}," in users
    assert '"Maple Valley ""MV"" Unified, Joint"' in (tmp_path / "orgs.csv").read_text(encoding="utf-8")


def test_leavers_vanish_and_some_come_back(tmp_path: Path) -> None:
    profile = replace(K12, students=300, rates=Rates(0.2, 0.2, 0, 0, 0, 0))
    people = [set(read(write_night(profile, n, tmp_path / str(n)).folder)["demographics"]) for n in range(1, 8)]
    left = set[str]()
    returned = set[str]()
    for before, after in pairwise(people):
        returned |= left & after
        left |= before - after
    assert len(left) > 200
    assert 5 < len(returned) < len(left) / 3


def test_rates_are_met(tmp_path: Path) -> None:
    profile = replace(K12, rates=Rates(0.01, 0.02, 0, 0, 0.03, 0))
    expected = write_night(profile, 2, tmp_path).expected
    assert expected.added["demographics"] == 20
    assert expected.removed["demographics"] == 40
    assert expected.changed["users"] == 60
    moves = write_night(replace(profile, rates=Rates(0, 0, 0.03, 0.02, 0, 0)), 2, tmp_path).expected
    assert moves.changed["demographics"] == moves.added["users"] == moves.removed["users"] == 0
    assert 0 < moves.changed["users"] <= 60
    swaps = write_night(replace(profile, rates=Rates(0, 0, 0, 0.02, 0, 0)), 2, tmp_path).expected
    assert swaps.added["enrollments"] == swaps.removed["enrollments"] == 40
    assert sum(swaps.added.values()) + sum(swaps.changed.values()) == 40


def test_a_night_after_new_year_gives_no_one_a_class_that_is_over(tmp_path: Path) -> None:
    profile = replace(K12, students=500, first_night=date(2027, 2, 1))
    night = read(write_night(profile, 3, tmp_path).folder)
    assert all(row["beginDate"] <= (row["endDate"] or "9999") for row in night["enrollments"].values())
    assert any(row["beginDate"] == "2027-02-03" for row in night["enrollments"].values())


EDGES = ("01-04", "06-03", "06-04", "06-05", "06-30", "07-01", "08-11", "08-12", "12-18", "12-31")
ANY_DAY = [*(f"2027-{month:02}-15" for month in range(1, 13)), "2028-02-28", *(f"2027-{edge}" for edge in EDGES)]


@pytest.mark.parametrize("day", [date.fromisoformat(day) for day in ANY_DAY], ids=str)
def test_a_district_can_be_played_on_any_day(tmp_path: Path, day: date) -> None:
    """The demo plays the nights that are due now, in the summer, too."""
    profile = replace(K12, students=500, first_night=day, rates=Rates(0.02, 0.02, 0.01, 0.02, 0.01, 0.02))
    first, second = (write_night(profile, number, tmp_path / str(number)) for number in (1, 2))
    assert (first.service_date, second.service_date) == (day, day + timedelta(days=1))
    assert first.expected.roster_rows > 500
    assert second.expected.added["users"] > 0 < second.expected.removed["users"]
    for delivery in (first, second):
        night = read(delivery.folder)
        sessions = night["academicSessions"].values()
        assert any(row["startDate"] <= str(delivery.service_date) <= row["endDate"] for row in sessions)
        assert len({row["schoolYear"] for row in sessions}) == 1
        assert all(row["beginDate"] <= (row["endDate"] or "9999") for row in night["enrollments"].values())
        stamps = {row["dateLastModified"] for rows in night.values() for row in rows.values()}
        assert max(stamps) < str(delivery.service_date)


def test_a_class_that_is_over_is_not_counted_as_active(tmp_path: Path) -> None:
    delivery = write_night(replace(K12, students=500, first_night=date(2027, 2, 1)), 1, tmp_path)
    students = [row for row in read(tmp_path)["enrollments"].values() if row["role"] == "student"]
    over = [row for row in students if row["endDate"] == "2026-12-18"]
    assert over
    assert delivery.expected.roster_rows == len(students) - len(over)


def test_a_place_taken_during_the_year_has_dates(nights: list[tuple[Delivery, Night]]) -> None:
    for (_, before), (delivery, after) in pairwise(nights):
        for source_id in after["enrollments"].keys() - before["enrollments"].keys():
            row = after["enrollments"][source_id]
            if row["role"] == "student":
                assert row["beginDate"] in (str(delivery.service_date), "2027-01-05"), row
                assert row["endDate"], row


def test_the_first_students_of_a_tiny_district_all_have_classes(tmp_path: Path) -> None:
    for students in (1, 2, 3, 7, 20):
        profile = replace(K12, students=students, rates=Rates(1, 0.5, 0.5, 0.5, 0.5, 0.5))
        for number in (1, 2, 3):
            night = read(write_night(profile, number, tmp_path).folder)
            enrolled = {row["userSourcedId"] for row in night["enrollments"].values()}
            assert night["demographics"].keys() <= enrolled


def test_everyone_can_leave(tmp_path: Path) -> None:
    profile = replace(K12, students=30, rates=Rates(0, 1, 0, 0, 0, 0))
    assert [write_night(profile, n, tmp_path).expected.students for n in (1, 2, 3)] == [30, 0, 0]


def test_a_zip_holds_the_files_and_the_manifest_at_its_root(tmp_path: Path) -> None:
    loose = write_night(replace(K12, students=100), 2, tmp_path / "loose")
    packed = write_night(replace(K12, students=100, packaging="zip", manifest=True), 2, tmp_path / "zip")
    assert [path.name for path in packed.files] == [path.name for path in packed.folder.iterdir()] == ["oneroster.zip"]
    assert packed.expected == loose.expected
    with ZipFile(packed.files[0]) as archive:
        assert sorted(archive.namelist()) == sorted([*(path.name for path in loose.files), "manifest.csv"])
        for path in loose.files:
            assert archive.read(path.name) == path.read_bytes()
        manifest = dict(csv.reader(archive.read("manifest.csv").decode().splitlines()))
    assert manifest["manifest.version"] == "1.0"
    assert manifest["oneroster.version"] == "1.1"
    modes = {name.removeprefix("file."): value for name, value in manifest.items() if name.startswith("file.")}
    assert len(modes) == 13
    assert {name for name, mode in modes.items() if mode == "bulk"} == set(FILES)
    assert {mode for name, mode in modes.items() if name not in FILES} == {"absent"}


def test_a_night_outside_the_school_year_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside the school year 2026-08-12 to 2027-06-04"):
        write_night(K12, 300, tmp_path)
    with pytest.raises(ValueError, match="no night 0"):
        write_night(K12, 0, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"students": 0}, "at least one"), ({"levels": "high"}, "levels"), ({"packaging": "tar"}, "packaging")],
)
def test_a_profile_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(K12, **change)


def test_a_rate_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="leavers must lie between 0 and 1"):
        Rates(leavers=1.5)
