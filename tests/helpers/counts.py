"""What the marts should show of a delivery, counted from its CSV files by the plainest means."""

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path

from simulator.night import Expected

STAFF_ROLES = ("administrator", "aide", "proctor", "teacher")


def counts_of(folder: Path, night: date) -> dict[str, int]:
    """Rows per mart once the files of a folder are published for a night; ragged records do not count.

    Only of the marts that show one night.
    """
    users, classes, enrollments = (_read(folder, file) for file in ("users", "classes", "enrollments"))
    students = {user["sourcedId"] for user in users if user["role"] == "student"}
    taken = [row for row in enrollments if row["role"] == "student"]
    known = {row["sourcedId"] for row in classes}
    schools = {org["sourcedId"] for org in _read(folder, "orgs") if org["type"] == "school"}
    places = {(row["userSourcedId"], row["classSourcedId"]) for row in taken if _active(row, night)}
    on_roster = sum(student in students and place in known for student, place in places)
    return {
        "roster.dim_school": len(schools),
        "roster.dim_organization": len(_read(folder, "orgs")),
        "roster.dim_term": len(_read(folder, "academicSessions")),
        "roster.dim_course": len(_read(folder, "courses")),
        "roster.dim_class": len(classes),
        "roster.dim_student": len(students),
        "roster.dim_staff": sum(user["role"] in STAFF_ROLES for user in users),
        "roster.fct_enrollment": len(taken),
        "roster.fct_teaching": len(enrollments) - len(taken),
        "roster.fct_school_membership": sum(
            len(schools & {org.strip() for org in user["orgSourcedIds"].split(",")})
            for user in users
            if user["role"] in ("student", *STAFF_ROLES)
        ),
        # The simulator's districts send neither guardians nor columns of their own.
        "roster.dim_guardian": 0,
        "roster.fct_student_agent": 0,
        "roster_restricted.fct_extension_value": 0,
        "roster.roster": on_roster,
        "roster_restricted.rpt_assessment_roster": on_roster,
        "roster_restricted.dim_student_demographics": sum(
            row["sourcedId"] in students for row in _read(folder, "demographics")
        ),
    }


def agree(counts: dict[str, int], expected: Expected) -> bool:
    """Whether these counts are what the simulator says that it sent."""
    told: dict[str, Callable[[], int]] = {
        "roster.dim_school": lambda: expected.rows["orgs"] - 1,  # the district itself is an org, too
        "roster.dim_term": lambda: expected.rows["academicSessions"],
        "roster.dim_course": lambda: expected.rows["courses"],
        "roster.dim_class": lambda: expected.rows["classes"],
        "roster.dim_student": lambda: expected.students,
        "roster.dim_staff": lambda: expected.staff,
        "roster.roster": lambda: expected.roster_rows,
        "roster_restricted.dim_student_demographics": lambda: expected.rows["demographics"],
    }
    places = counts["roster.fct_enrollment"] + counts["roster.fct_teaching"]
    return places == expected.rows["enrollments"] and all(counts[mart] == count() for mart, count in told.items())


def _read(folder: Path, file: str) -> list[dict[str, str]]:
    with (folder / f"{file}.csv").open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return [dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)]


def _active(enrollment: dict[str, str], night: date) -> bool:
    begins, ends = enrollment["beginDate"] or str(night), enrollment["endDate"] or str(night)
    return begins <= str(night) <= ends
