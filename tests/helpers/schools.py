"""A small school district as rows: two schools, a few classes, and what happens to them from night to night."""

from copy import deepcopy
from typing import Any

Rows = dict[str, list[dict[str, Any]]]

CLASSES_PER_SCHOOL = 2
STUDENTS_PER_CLASS = 3


def school_district(end_year: int = 2027) -> Rows:
    """The seven files of a district with 2 schools, 4 classes and 12 students; ids are the same every year."""
    rows: Rows = {
        "orgs": [_org("D", "District office", "district")],
        "academicSessions": [],
        "courses": [{"sourced_id": "MATH", "title": "Mathematics", "course_code": "M1", "org_sourced_id": "D"}],
        "users": [],
        "classes": [],
        "enrollments": [],
        "demographics": [],
    }
    for school in ("994", "995"):
        rows["orgs"].append(_org(school, f"School {school}", "school", "D"))
        rows["academicSessions"] += [
            _term(f"{school}_F", "Fall", f"{end_year - 1}-08-15", f"{end_year - 1}-12-18", end_year),
            _term(f"{school}_S", "Spring", f"{end_year}-01-05", f"{end_year}-06-10", end_year),
        ]
        for number in range(CLASSES_PER_SCHOOL):
            _add_class(rows, school, f"{school}_100{number}", f"{end_year - 1}-08-15")
    return rows


def _add_class(rows: Rows, school: str, class_id: str, begin_date: str) -> None:
    """A class with a teacher and its students."""
    teacher = f"TCH_{class_id}"
    rows["classes"].append(
        {
            "sourced_id": class_id,
            "title": f"Math {class_id}",
            "course_sourced_id": "MATH",
            "class_type": "scheduled",
            "school_sourced_id": school,
            "term_sourced_ids": f"{school}_F, {school}_S",
            "periods": "1,2",
        }
    )
    rows["users"].append(_user(teacher, "teacher", school))
    rows["enrollments"].append(_enrollment(teacher, class_id, school, "teacher", begin_date, is_primary="true"))
    for number in range(STUDENTS_PER_CLASS):
        student = f"{class_id}_S{number}"
        rows["users"].append(_user(student, "student", school))
        rows["enrollments"].append(_enrollment(student, class_id, school, "student", begin_date))
        rows["demographics"].append({"sourced_id": student, "birth_date": "2012-02-29", "sex": "Female"})


def _org(sourced_id: str, name: str, kind: str, parent: str | None = None) -> dict[str, Any]:
    return {"sourced_id": sourced_id, "name": name, "type": kind, "parent_sourced_id": parent}


def _term(sourced_id: str, title: str, start: str, end: str, end_year: int) -> dict[str, Any]:
    return {
        "sourced_id": sourced_id,
        "title": title,
        "type": "term",
        "start_date": start,
        "end_date": end,
        "school_year": str(end_year),
    }


def _user(sourced_id: str, role: str, school: str) -> dict[str, Any]:
    return {
        "sourced_id": sourced_id,
        "enabled_user": "true",
        "org_sourced_ids": school,
        "role": role,
        "username": sourced_id.lower(),
        "given_name": "Ada",
        "family_name": f"Of{sourced_id}",
        "grades": "07" if role == "student" else None,
    }


def _enrollment(
    user: str, class_id: str, school: str, role: str, begin_date: str, is_primary: str | None = None
) -> dict[str, Any]:
    return {
        "sourced_id": f"{class_id}:{user}",
        "class_sourced_id": class_id,
        "school_sourced_id": school,
        "user_sourced_id": user,
        "role": role,
        "is_primary": is_primary,
        "begin_date": begin_date,
    }


def record(rows: Rows, file: str, sourced_id: str) -> dict[str, Any]:
    """One record of a file, to change it in place."""
    return next(row for row in rows[file] if row["sourced_id"] == sourced_id)


def without(rows: Rows, file: str, *sourced_ids: str) -> Rows:
    """The same rows but for some records of a file."""
    copy = deepcopy(rows)
    copy[file] = [row for row in copy[file] if row["sourced_id"] not in sourced_ids]
    return copy
