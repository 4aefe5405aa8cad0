"""Deliveries of other formats, told by their names."""

import pytest

from rollcall.arrival.formats import foreign_format


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("School.csv", "Section.csv", "Student.csv", "Teacher.csv", "StudentEnrollment.csv"), "format_sds_v1"),
        (("export/school.CSV", "export/student.CSV"), "format_sds_v1"),
        (("schools.csv", "students.csv", "teachers.csv", "sections.csv", "enrollments.csv"), "format_clever"),
        (("orgs.csv", "users.csv", "classes.csv", "enrollments.csv", "students.csv", "teachers.csv"), None),
        (("students.csv",), None),
        (("enrollments.csv", "results.csv"), None),
        (("students.txt", "schools.txt"), None),
        ((), None),
    ],
)
def test_a_set_of_names_tells_the_format(names: tuple[str, ...], code: str | None) -> None:
    assert foreign_format(names) == code
