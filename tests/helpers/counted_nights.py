"""Nights of simulated districts with everything in them that analysts ask about, for the plainest counts."""

import csv
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from rollcall.oneroster import FILES, Column
from simulator.night import write_night
from simulator.profile import Profile

Row = dict[str, str | None]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Night:
    """What a district sent on a night: rows per file, by the warehouse's column names."""

    district_id: str
    date: date
    rows: Rows

    @cached_property
    def schools(self) -> dict[str, Row]:
        """By sourcedId."""
        return {id_of(row): row for row in self.rows["orgs"] if row["type"] == "school"}

    @cached_property
    def students(self) -> dict[str, Row]:
        """By sourcedId."""
        return {id_of(row): row for row in self.rows["users"] if row["role"] == "student"}

    @cached_property
    def teachers(self) -> dict[str, Row]:
        """By sourcedId."""
        return {id_of(row): row for row in self.rows["users"] if row["role"] == "teacher"}

    @cached_property
    def classes(self) -> dict[str, Row]:
        """By sourcedId."""
        return {id_of(row): row for row in self.rows["classes"]}

    @cached_property
    def places(self) -> set[tuple[str, str]]:
        """(class, student) of tonight."""
        return {(str(row["class_sourced_id"]), str(row["user_sourced_id"])) for row in self.active("student")}

    def teachers_of(self, class_id: str) -> list[str]:
        """Who teaches a class tonight, the primary one first."""
        teaching = [row for row in self.active("teacher") if row["class_sourced_id"] == class_id]
        return [str(row["user_sourced_id"]) for row in sorted(teaching, key=lambda row: row["is_primary"] != "true")]

    def primary_teacher_of(self, class_id: str) -> str:
        """Who stands for a class: the primary one of tonight; if nobody teaches it, of those who have."""
        ended = [
            row for row in self.rows["enrollments"] if (row["class_sourced_id"], row["role"]) == (class_id, "teacher")
        ]
        last = [str(row["user_sourced_id"]) for row in ended if row["is_primary"] == "true"]
        return [*self.teachers_of(class_id), *last, ""][0]

    def school_of(self, student_id: str) -> str:
        """The first school that a student is listed with."""
        return str(self.students[student_id]["org_sourced_ids"]).split(",")[0]

    def name_of(self, class_id: str) -> str | None:
        """What a class is called: its title, else its course's."""
        titles = {id_of(row): row["title"] for row in self.rows["courses"]}
        return self.classes[class_id]["title"] or titles[str(self.classes[class_id]["course_sourced_id"])]

    def school_name(self, class_id: str) -> str | None:
        """The name of a class's school."""
        return self.schools[str(self.classes[class_id]["school_sourced_id"])]["name"]

    def active(self, role: str) -> list[Row]:
        """Enrollments of a role that count tonight; the last day counts."""
        tonight = str(self.date)
        return [
            row
            for row in self.rows["enrollments"]
            if row["role"] == role and (row["begin_date"] or tonight) <= tonight <= (row["end_date"] or tonight)
        ]


def id_of(row: Row) -> str:
    """A record's sourcedId."""
    return str(row["sourced_id"])


def counted_night(profile: Profile, number: int, folder: Path) -> Night:
    """A simulated night, in which a few things are as analysts fear them."""
    sent = write_night(profile, number, folder)
    rows = {file.name: _read(sent.folder / file.file_name, file.columns) for file in FILES}
    night = Night(profile.district_id, sent.service_date, rows | {"demographics": rows["demographics"][2:]})
    night = replace(night, rows=night.rows | {"enrollments": _gone(night)})
    return replace(night, rows=night.rows | {"enrollments": [*night.rows["enrollments"], *_twice(night)]})


def _gone(night: Night) -> list[Row]:
    """The enrollments, but some classes have lost their teachers or students, and two students their classes."""
    filled = sorted({class_id for class_id, _ in night.places})
    co_taught = [class_id for class_id in filled if len(night.teachers_of(class_id)) > 1]
    unstaffed, abandoned, overseen, empty = [class_id for class_id in filled if class_id not in co_taught][:4]
    idle = sorted(night.students)[:2]
    enrollments = []
    for row in night.rows["enrollments"]:
        place = (row["class_sourced_id"], row["role"])
        if place in ((unstaffed, "teacher"), (empty, "student")) or row["user_sourced_id"] in idle:
            continue
        if place == (abandoned, "teacher") or (place == (co_taught[0], "teacher") and row["is_primary"] != "true"):
            row |= {"begin_date": "2026-08-12", "end_date": "2026-09-30"}
        if place == (overseen, "teacher"):
            row |= {"role": "administrator"}
        enrollments.append(row)
    return enrollments


def _twice(night: Night) -> list[Row]:
    """Second enrollments: of a student and a teacher in a class of theirs, of a student in another of the teacher's."""
    again = [night.active("student")[0], night.active("teacher")[0]]
    classes = defaultdict(list)
    for class_id in sorted({class_id for class_id, _ in night.places}):
        classes[night.primary_teacher_of(class_id)].append(class_id)
    busy = [each for teacher, each in classes.items() if teacher and len(each) > 1]
    for first, second, *_ in busy[:1]:
        fellow = next(row for row in night.active("student") if row["class_sourced_id"] == first)
        again.append(fellow | {"class_sourced_id": second})
    return [row | {"sourced_id": f"{row['sourced_id']}-again-{number}"} for number, row in enumerate(again)]


def _read(path: Path, columns: tuple[Column, ...]) -> list[Row]:
    """The rows of a CSV file, blank cells as None."""
    names = {column.name: column.column_name for column in columns}
    with path.open(encoding="utf-8", newline="") as stream:
        return [{names[name]: cell or None for name, cell in row.items()} for row in csv.DictReader(stream)]
