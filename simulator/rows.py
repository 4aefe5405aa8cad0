"""The district as OneRoster rows, shaped the way Aeries shapes them."""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cached_property
from itertools import chain, compress
from typing import Final

from simulator.curriculum import ELEMENTARY, Course, catalogue
from simulator.dice import key
from simulator.district import GRADES, District, Section
from simulator.names import CITIES, FAMILY, GIVEN, plain
from simulator.terms import TERMS_OF, TITLES

Row = tuple[str, ...]

# Every column of OneRoster 1.1, in the standard's order, file by file in the order in which Aeries lists them.
HEADERS: Final[dict[str, Row]] = {
    file: ("sourcedId", "status", "dateLastModified", *columns.split())
    for file, columns in {
        "academicSessions": "title type startDate endDate parentSourcedId schoolYear",
        "classes": "title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds subjects"
        " subjectCodes periods",
        "courses": "schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
        "demographics": "birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican"
        " nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity"
        " countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
        "enrollments": "classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
        "orgs": "name type identifier parentSourcedId",
        "users": "enabledUser orgSourcedIds role username userIds givenName familyName middleName identifier email sms"
        " phone agentSourcedIds grades password",
    }.items()
}

_SEXES: Final = ("female", "male") * 20 + ("",)
_RACES: Final = 5  # the race columns of demographics, before demographicRaceTwoOrMoreRaces


class Extract:
    """The rows of a district on the night on which it stands.

    Args:
        district: The district; the extract reads it when asked, and keeps nothing of its students.
    """

    def __init__(self, district: District) -> None:
        self.district = district
        self.year = district.year
        self.domain = f"{_host(district.profile.district_id)}.example"
        self.district_org = str(1_900_000 + key(district.profile.seed, "district") % 90_000)

    def tables(self) -> Iterator[tuple[str, Iterator[Row]]]:
        """Yield each file's name and its rows."""
        makers: dict[str, Callable[[], Iterator[Row]]] = {
            "academicSessions": self._sessions,
            "classes": lambda: map(self.class_row, self._sections()),
            "courses": self._courses,
            "demographics": lambda: map(self.demographics_row, self._present()),
            "enrollments": self._enrollments,
            "orgs": self._orgs,
            "users": self._users,
        }
        return ((file, makers[file]()) for file in HEADERS)

    def class_row(self, number: int) -> Row:
        """Return the classes row of a section."""
        section, school = self.district.section(number), self.district.schools[self.district.section(number).school]
        course, subject = self._course_id(section), section.course
        return (
            self._class_ids[number],
            "",
            self.year.stamp(section.since, self.district.luck("section", number)),
            subject.title if subject else "",
            ",".join(section.line.grades),
            course,
            str(section.number),
            "scheduled",
            f"{'ABCDEP'[section.number % 6]}{section.number * 7 % 40 + 1}",
            school.code,
            ",".join(f"{school.code}_{term}" for term in TERMS_OF[section.line.terms]),
            subject.subject if subject else "",
            subject.code if subject else "",
            _periods(section),
        )

    def teacher_course_row(self, number: int) -> Row:
        """Return the courses row of an elementary section: its teacher."""
        section = self.district.section(number)
        given, family = self._name("staff", section.teacher)
        return (
            self._course_id(section),
            "",
            self.year.stamp(section.since, self.district.luck("staff", section.teacher)),
            "",
            f"{family}, {given}",
            str(section.number),
            ",".join(section.line.grades),
            self.district.schools[section.school].code,
            "",
            "",
        )

    def staff_row(self, teacher: int) -> Row:
        """Return the users row of a member of staff."""
        member = self.district.staff[teacher]
        given, family = self._name("staff", teacher)
        login = f"{plain(given)[:1]}{plain(family)}{_staff_number(teacher)}"
        return (
            f"TCH_{_staff_number(teacher)}",
            "",
            self.year.stamp(member.since, self.district.luck("staff", teacher)),
            "true",
            ",".join(self.district.schools[school].code for school in member.schools),
            "teacher",
            login,
            f"{{LDAP:{login}}}",
            given,
            family,
            "",
            _staff_number(teacher),
            f"{login}@{self.domain}",
            *("",) * 5,
        )

    def student_row(self, student: int) -> Row:
        """Return the users row of a student."""
        students, luck = self.district.students, self.district.luck("student", student)
        number = self.district.student_id(student)
        given, family = self._name("student", student, students.renames[student])
        return (
            number,
            "",
            self.year.stamp(students.changed[student], luck),
            "true",
            ",".join(self._schools_of(student)),
            "student",
            number,
            "",
            given,
            family,
            GIVEN[(luck >> 40) % len(GIVEN)] if luck >> 50 & 3 == 0 else "",
            number,
            f"{number}@students.{self.domain}" if luck >> 52 & 3 else "",
            *("",) * 3,
            GRADES[students.grade[student]],
            "",
        )

    def demographics_row(self, student: int) -> Row:
        """Return the demographics row of a student; a few are mostly blank."""
        students, luck = self.district.students, self.district.luck("student", student)
        born_here = luck >> 28 & 7
        return (
            self.district.student_id(student),
            "",
            self.year.stamp(students.joined[student], luck),
            self._birth_date(students.grade[student], luck),
            _SEXES[luck % len(_SEXES)],
            *_races(luck >> 8),
            ("US", "")[born_here == 0],
            ("CA", "")[born_here <= 1],
            CITIES[(luck >> 32) % len(CITIES)] if born_here > 2 else "",
            ("01652", "")[luck >> 36 & 1],
        )

    def teacher_enrollment_rows(self, number: int) -> Iterator[Row]:
        """Yield the enrollments rows of a section's teachers; secondary ones have dates."""
        section = self.district.section(number)
        school = self.district.schools[section.school].code
        begin, end = ("", "") if section.course is None else self._span(section, section.since)
        for teacher, primary in ((section.teacher, "true"), (section.helper, "false")):
            if teacher is not None:
                staff = f"TCH_{_staff_number(teacher)}"
                yield (
                    f"{school}_{staff}_{self._class_ids[number].removeprefix(school + '_')}",
                    "",
                    self.year.stamp(section.since, self.district.luck("section", number)),
                    self._class_ids[number],
                    school,
                    staff,
                    "teacher",
                    primary,
                    begin,
                    end,
                )

    def student_enrollment_rows(self, student: int) -> Iterator[Row]:
        """Yield the enrollments rows of a student; one student in three has no dates in classes of the whole year."""
        number = self.district.student_id(student)
        for _, taken, since in self.district.students.timetable(student):
            section, class_id = self.district.section(taken), self._class_ids[taken]
            dateless = since == 0 and student % 3 == 0 and section.line.terms in ("FS", "Y")
            yield (
                f"{class_id}_{number}",
                "",
                self.year.stamp(since, student),
                class_id,
                self.district.schools[section.school].code,
                number,
                "student",
                "false",
                *(("", "") if dateless else self._span(section, since)),
            )

    def active_enrollments(self, day: date) -> int:
        """Count the places that students have, on that day, in classes of a term that is running."""
        running = bytearray(len(self.district.sections))
        for number in self._sections():
            begin, end = self.year.spans[self.district.section(number).line.terms]
            running[number] = begin <= day <= end
        return sum(map(running.__getitem__, self.district.students.places))

    def _sections(self) -> range:
        return range(1, len(self.district.sections))

    def _present(self) -> Iterator[int]:
        return compress(range(len(self.district.students)), self.district.students.present)

    def _orgs(self) -> Iterator[Row]:
        stamp = self.year.stamp(0, 0)
        yield self.district_org, "", stamp, self.district.profile.name, "district", self.district_org, ""
        for number, school in enumerate(self.district.schools):
            identifier = f"06{key(self.district.profile.seed, 'nces', number) % 10**10:010d}"
            yield school.code, "", self.year.stamp(0, number), school.name, "school", identifier, self.district_org

    def _sessions(self) -> Iterator[Row]:
        for number, school in enumerate(self.district.schools):
            for term in ("F", "S", "Y") if school.level is ELEMENTARY else ("F", "S"):
                begin, end = map(str, self.year.spans[term])
                stamp = self.year.stamp(0, number)
                yield f"{school.code}_{term}", "", stamp, TITLES[term], "term", begin, end, "", self.year.end_year

    def _courses(self) -> Iterator[Row]:
        levels = dict.fromkeys(school.level for school in self.district.schools)
        yield from map(self._catalogue_row, catalogue(levels))
        yield from (self.teacher_course_row(n) for n in self._sections() if self.district.section(n).course is None)

    def _catalogue_row(self, course: Course) -> Row:
        grades = ",".join(course.grades)
        shown = course.title, course.number, grades, self.district_org, course.subject, course.code
        return (course.number, "", self.year.stamp(0, int(course.number)), "", *shown)

    def _users(self) -> Iterator[Row]:
        return chain(map(self.staff_row, range(len(self.district.staff))), map(self.student_row, self._present()))

    def _enrollments(self) -> Iterator[Row]:
        teachers = map(self.teacher_enrollment_rows, self._sections())
        students = map(self.student_enrollment_rows, self._present())
        return chain.from_iterable(chain(teachers, students))

    @cached_property
    def _class_ids(self) -> list[str]:
        return ["", *map(self._class_id, self._sections())]

    def _class_id(self, number: int) -> str:
        section = self.district.section(number)
        form = "{}_TN_{}" if section.course is None else "{}_{}"
        return form.format(self.district.schools[section.school].code, section.number)

    def _course_id(self, section: Section) -> str:
        if section.course:
            return section.course.number
        return f"TCH_{self.district.schools[section.school].code}{section.number}"

    def _schools_of(self, student: int) -> list[str]:
        """Return the codes of the student's own school and of any other where a class is taken."""
        taken = (self.district.section(number).school for _, number, _ in self.district.students.timetable(student))
        schools = dict.fromkeys((self.district.students.school[student], *taken))
        return [self.district.schools[school].code for school in schools]

    def _span(self, section: Section, since: int) -> tuple[str, str]:
        """Return the dates of a place in a section: its terms', or from the night on which it was taken."""
        first, last = self.year.spans[section.line.terms]
        return str(max(first, self.year.service_date(since)) if since else first), str(last)

    def _name(self, kind: str, number: int, renames: int = 0) -> tuple[str, str]:
        luck = self.district.luck(kind, number)
        return GIVEN[(luck >> 12) % len(GIVEN)], FAMILY[((luck >> 20) + renames * 7) % len(FAMILY)]

    def _birth_date(self, grade: int, luck: int) -> str:
        if luck >> 44 & 63 == 0:
            return ""
        cutoff = date(int(self.year.end_year) - 6 - grade, 9, 1)  # five years old by then, for kindergarten
        return str(cutoff - timedelta(days=(luck >> 34) % 365))


def _host(district_id: str) -> str:
    """Return the district's id as it may stand in an internet address."""
    return re.sub("[^a-z0-9]+", "-", district_id.lower()).strip("-") or "district"


def _staff_number(teacher: int) -> str:
    return str(10_001 + teacher)


def _periods(section: Section) -> str:
    """Return a section's periods: 0 in elementary schools, and two for one secondary class in fifteen."""
    if section.course is None:
        return "0"
    period = section.number % 6 + 1
    return f"{period},{period % 6 + 1}" if section.number % 15 == 0 else str(period)


def _races(luck: int) -> Row:
    """Return the seven columns of race and ethnicity: all blank for one student in sixteen, else one race, or two."""
    if luck & 15 == 0:
        return ("",) * (_RACES + 2)
    first = (luck >> 4) % _RACES
    second = (luck >> 7) % _RACES if luck >> 10 & 15 == 0 else first
    flags = ["true" if race in (first, second) else "false" for race in range(_RACES)]
    return (*flags, "true" if first != second else "false", "true" if luck >> 14 & 1 else "false")
