"""Spoiled nights: each spoiler does its damage, and no other."""

import csv
from pathlib import Path

import pytest

from simulator.night import write_night
from simulator.profile import Profile
from simulator.spoil import Cut, drop_line_end, drop_school, header_only, rekey_users, remove, spoil, truncate

PROFILE = Profile("elm", "Elm Unified School District", 1300, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_night(PROFILE, 1, tmp_path).folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


def rows(folder: Path, file: str) -> list[dict[str, str]]:
    with (folder / f"{file}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("keep", [0.0, 0.25, 0.5, 0.999])
@pytest.mark.parametrize("file", ["enrollments", "users"])
def test_truncate_cuts_in_the_middle_of_a_line(folder: Path, file: str, keep: float) -> None:
    before = contents(folder)
    truncate(folder, file, keep)
    after = contents(folder)
    cut = after.pop(file)
    assert before.pop(file).startswith(cut)
    assert after == before
    header, last = cut.split(b"\r\n")[0], cut.split(b"\r\n")[-1]
    assert last
    assert keep == 0 or last.count(b",") < header.count(b",")


def test_truncate_keeps_about_as_much_as_it_is_told(folder: Path) -> None:
    whole = (folder / "enrollments.csv").stat().st_size
    truncate(folder)
    assert abs((folder / "enrollments.csv").stat().st_size - whole / 2) < 100


def test_truncate_cuts_where_it_is_told(folder: Path) -> None:
    whole = (folder / "enrollments.csv").read_bytes()

    def cut(at: Cut) -> bytes:
        (folder / "enrollments.csv").write_bytes(whole)
        truncate(folder, "enrollments", 0.5, at)
        return (folder / "enrollments.csv").read_bytes()

    assert len(cut("byte")) == len(whole) // 2
    assert whole.startswith(cut("line"))
    assert cut("line").endswith(b"\r\n")
    header, *lines = cut("cell").split(b"\r\n")
    assert lines[-1].count(b",") == header.count(b",")
    assert whole.startswith(cut("cell") + b"4\r\n")  # of 2027-06-04


def test_drop_line_end_leaves_the_last_record_whole(folder: Path) -> None:
    before = rows(folder, "users")
    whole = (folder / "users.csv").read_bytes()
    drop_line_end(folder, "users")
    assert (folder / "users.csv").read_bytes() + b"\r\n" == whole
    assert rows(folder, "users") == before


def test_remove_and_header_only(folder: Path) -> None:
    before = contents(folder)
    remove(folder, "orgs")
    header_only(folder, "demographics")
    after = contents(folder)
    assert before.keys() - after.keys() == {"orgs"}
    assert after["demographics"] == before["demographics"].split(b"\r\n")[0] + b"\r\n"
    assert [file for file in after if after[file] != before[file]] == ["demographics"]


@pytest.mark.parametrize("chosen", [None, "last"])
def test_drop_school_leaves_a_smaller_but_whole_night(folder: Path, chosen: str | None) -> None:
    schools = [row["sourcedId"] for row in rows(folder, "orgs") if row["type"] == "school"]
    before = {file: rows(folder, file) for file in contents(folder)}
    dropped = drop_school(folder, schools[-1] if chosen else None)
    assert dropped == schools[-1 if chosen else 0]
    after = {file: rows(folder, file) for file in contents(folder)}
    assert [org for org in before["orgs"] if org not in after["orgs"]] == [
        org for org in before["orgs"] if org["sourcedId"] == dropped
    ]
    assert not any(dropped in row["orgSourcedIds"].split(",") for row in after["users"])
    assert not any(row["sourcedId"].startswith(f"{dropped}_") for row in after["academicSessions"])
    assert {row["schoolSourcedId"] for row in after["enrollments"]} == set(schools) - {dropped}
    users = {row["sourcedId"] for row in after["users"]}
    assert {row["userSourcedId"] for row in after["enrollments"]} <= users
    assert {row["sourcedId"] for row in after["demographics"]} == {
        row["sourcedId"] for row in after["users"] if row["role"] == "student"
    }
    elsewhere = {row["sourcedId"] for row in before["users"] if row["orgSourcedIds"] != dropped}
    assert users == elsewhere
    assert {row["sourcedId"] for row in after["classes"]} >= {row["classSourcedId"] for row in after["enrollments"]}
    assert {row["sourcedId"] for row in after["courses"]} >= {row["courseSourcedId"] for row in after["classes"]}


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_rekey_users_changes_ids_and_nothing_else(folder: Path, share: float) -> None:
    before = {file: rows(folder, file) for file in contents(folder)}
    rekey_users(folder, share)
    after = {file: rows(folder, file) for file in contents(folder)}
    new = {o["sourcedId"]: n["sourcedId"] for o, n in zip(before["users"], after["users"], strict=True)}
    assert len(set(new.values())) == len(new)
    assert abs(sum(old != now for old, now in new.items()) / len(new) - share) < 0.05
    assert all(now.startswith("TCH_") for old, now in new.items() if old.startswith("TCH_"))
    for file, column in (("users", "sourcedId"), ("demographics", "sourcedId"), ("enrollments", "userSourcedId")):
        assert after[file] == [row | {column: new[row[column]]} for row in before[file]]
    for file in ("academicSessions", "classes", "courses", "orgs"):
        assert after[file] == before[file]


def test_what_is_not_changed_keeps_its_bytes(folder: Path) -> None:
    before = contents(folder)
    rekey_users(folder, 0)
    assert contents(folder) == before


def test_spoil_reads_what_to_do(folder: Path) -> None:
    before = contents(folder)
    spoil(folder, "truncate:users:0.1:line")
    spoil(folder, "drop-line-end:demographics")
    spoil(folder, "header-only:courses.csv")
    spoil(folder, "remove:orgs")
    after = contents(folder)
    assert len(after["users"]) < len(before["users"]) * 0.2
    assert after["courses"].count(b"\n") == 1
    assert "orgs" not in after
    assert after["users"].endswith(b"\r\n")
    assert not after["demographics"].endswith(b"\n")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("", "no way to spoil"),
        ("burn:users", "no way to spoil a night called 'burn'"),
        ("remove", "remove takes 1 value"),
        ("remove:orgs:0.5", "remove takes 1 value"),
        ("remove:teachers", r"no teachers\.csv"),
        ("truncate:users:half", "'half' is not a number"),
        ("truncate:users:1", "less than 1"),
        ("truncate:users:0.5:word", "record, cell, line, byte, not at a 'word'"),
        ("rekey_users:2", "between 0 and 1"),
        ("drop_school:7", "no school 7"),
    ],
)
def test_spoil_refuses_what_it_cannot_do(folder: Path, how: str, message: str) -> None:
    before = contents(folder)
    with pytest.raises(ValueError, match=message):
        spoil(folder, how)
    assert contents(folder) == before
