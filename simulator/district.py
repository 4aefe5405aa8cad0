"""A district as it stands on one night: schools, staff and sections as objects, students as compact arrays.

A district of 400,000 students is about 100,000 sections and 4.8 million places in timetables, and takes some 100 MB.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, gcd
from typing import Final

from simulator.curriculum import ELEMENTARY, HIGH, MIDDLE, SLOTS, Course, Level, Line
from simulator.dice import Dice, key, mix
from simulator.names import school_name
from simulator.profile import Profile
from simulator.terms import SchoolYear

GRADES: Final = (*ELEMENTARY.grades, *MIDDLE.grades, *HIGH.grades)
_NO_SECTION: Final = 0  # section numbers in timetables count from 1, so that 0 is an empty place


@dataclass(frozen=True, slots=True)
class School:
    """A school: its Aeries code, its name, its level."""

    code: str
    name: str
    level: Level


@dataclass(frozen=True, slots=True)
class Teacher:
    """A member of staff: the schools worked at, and the night of arrival (0: there from the start)."""

    schools: tuple[int, ...]
    since: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A class.

    Attributes:
        school: The school's place in the district's list.
        number: Section number, or, in an elementary school, the teacher number.
        line: What it is a section of.
        course: What it teaches; nothing in an elementary school, where the teacher is the course.
        teacher: The primary teacher's place in the district's list of staff.
        helper: A second teacher's place, if there is one.
        since: The night on which it was opened (0: there from the start).
    """

    school: int
    number: int
    line: Line
    course: Course | None
    teacher: int
    helper: int | None = None
    since: int = 0


class Students:
    """Everyone who ever was a student of the district, in the order of arrival, column by column.

    Attributes:
        present: 1 for those who are there tonight, 0 for those who left.
        school: Their school's place in the district's list.
        grade: Their grade's place in GRADES.
        changed: The night on which their user record last changed.
        joined: The night on which they (last) arrived.
        renames: How often their name has changed.
        places: Their timetable: SLOTS numbers of sections each, 0 for a free place.
        since: The night from which they have each place.
    """

    def __init__(self) -> None:
        self.present = bytearray()
        self.school = array("H")
        self.grade = array("B")
        self.changed = array("H")
        self.joined = array("H")
        self.renames = array("H")
        self.places = array("I")
        self.since = array("H")

    def __len__(self) -> int:
        return len(self.present)

    def add(self, school: int, grade: int, number: int = 1) -> None:
        """Add students with empty timetables, not yet present."""
        self.present.extend(bytes(number))
        self.school.extend([school] * number)
        self.grade.extend([grade] * number)
        for column in (self.changed, self.joined, self.renames):
            column.extend([0] * number)
        self.places.frombytes(bytes(number * SLOTS * self.places.itemsize))
        self.since.frombytes(bytes(number * SLOTS * self.since.itemsize))

    def timetable(self, student: int) -> Iterator[tuple[int, int, int]]:
        """Yield slot, section and first night of each place that the student has."""
        start = student * SLOTS
        for slot, section in enumerate(self.places[start : start + SLOTS]):
            if section != _NO_SECTION:
                yield slot, section, self.since[start + slot]

    def enrol(self, student: int, slot: int, section: int, night: int) -> None:
        """Give the student a place in a section, in exchange for the one in that slot."""
        self.places[student * SLOTS + slot] = section
        self.since[student * SLOTS + slot] = night

    def withdraw(self, student: int) -> None:
        """Empty the student's timetable."""
        for slot in range(SLOTS):
            self.enrol(student, slot, _NO_SECTION, 0)


class District:
    """A district as it stands on one night; new ones stand on night 1.

    Attributes:
        profile: What it was made from.
        year: The school year.
        schools: Its schools.
        staff: Everyone who teaches.
        sections: Its classes; the first place is never used, so that numbers of sections count from 1.
        offers: The sections of each line, by school, slot and grade; grades taught together share one list.
        students: Everyone who ever was a student.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.year = SchoolYear(profile.first_night)
        self.schools: list[School] = []
        self.staff: list[Teacher] = []
        self.sections: list[Section | None] = [None]
        self.offers: dict[tuple[int, int, str], list[int]] = {}
        self.students = Students()
        self._last_number: list[int] = []
        self._salts = {kind: key(profile.seed, kind) for kind in ("student", "staff", "section")}
        self._first_id, self._step = _numbering(profile.students)
        _found(self)

    def luck(self, kind: str, number: int) -> int:
        """Return the 64 random bits that a student, member of staff or section has for life."""
        return mix(self._salts[kind] + number)

    def section(self, number: int) -> Section:
        """Return the section of that number, counted from 1."""
        section = self.sections[number]
        assert section is not None  # noqa: S101  only place 0 is empty, and no timetable holds a 0 that reaches this point
        return section

    def student_id(self, student: int) -> str:
        """Return a student's number as it is written: six digits, some with leading zeros."""
        original = self.profile.students
        place = student * self._step % original if student < original else student
        return f"{self._first_id + place:06d}"

    def add_school(self, name: str, level: Level, code: str) -> int:
        """Found a school."""
        self.schools.append(School(code, name, level))
        self._last_number.append(400 if level.elementary else 1000)
        return len(self.schools) - 1

    def hire(self, school: int, night: int = 0) -> int:
        """Add a member of staff."""
        self.staff.append(Teacher((school,), night))
        return len(self.staff) - 1

    def open_section(
        self, school: int, line: Line, course: Course | None, teacher: int, helper: int | None = None, night: int = 0
    ) -> int:
        """Open a section and offer it to the students of its line."""
        self._last_number[school] += 1
        self.sections.append(Section(school, self._last_number[school], line, course, teacher, helper, night))
        number = len(self.sections) - 1
        shared: list[int] = self.offers.setdefault((school, line.slot, line.grades[0]), [])
        for grade in line.grades[1:]:
            self.offers.setdefault((school, line.slot, grade), shared)
        shared.append(number)
        return number

    def alternatives(self, student: int, slot: int) -> list[int]:
        """Return the sections open to a student, in a slot, at the student's own school."""
        students = self.students
        return self.offers.get((students.school[student], slot, GRADES[students.grade[student]]), [])


def _numbering(students: int) -> tuple[int, int]:
    """Choose the first student number, so that some have leading zeros, and a step to scatter them over the schools."""
    first = 100_000 - max(students // 5, 1) if students < 400_000 else 20_000
    return first, next(step for step in (7919, 7907, 7901, 7883, 7879, 7877, 1) if gcd(step, students) == 1)


def _found(district: District) -> None:
    """Found the district's schools, hire their staff, and put students into classes."""
    heads = _heads_by_school(district.profile)
    first_code = 101 if len(heads) < 899 else 1001
    for number, (level, size) in enumerate(heads):
        school = district.add_school(school_name(number, level.kind), level, str(first_code + number))
        share, rest = divmod(size, len(level.grades))
        sizes = {grade: share + (n < rest) for n, grade in enumerate(level.grades)}
        _open_lines(district, school, sizes)
        _seat(district, school, sizes)
    _send_visitors(district)


def _heads_by_school(profile: Profile) -> list[tuple[Level, int]]:
    """Divide the district's students among schools of realistic, unequal sizes."""
    dice = Dice(profile.seed, "schools")
    total = profile.students
    shares = {ELEMENTARY: total}
    if profile.levels == "k12":
        shares = {ELEMENTARY: total * 6 // 13, MIDDLE: total * 3 // 13}
        shares[HIGH] = total - sum(shares.values())
    heads = []
    for level, students in shares.items():
        weights = [80 + dice.below(41) for _ in range(max(1, round(students / level.usual_size)))]
        sizes = [students * weight // sum(weights) for weight in weights]
        sizes[0] += students - sum(sizes)
        heads += [(level, size) for size in sizes if size]
    return heads


def _open_lines(district: District, school: int, sizes: dict[str, int]) -> None:
    """Open the sections that a school needs, each with its teacher and a few with a second one."""
    level = district.schools[school].level
    load = 1 if level.elementary else 5
    newcomers = len(district.staff)
    teachers: list[int] = []
    for line in level.lines:
        needed = ceil(sum(sizes[grade] for grade in line.grades) / line.size)
        if line.terms != "S":  # who teaches a course in the fall teaches its second half in the spring
            teachers = [district.hire(school) for _ in range(ceil(needed / load))]
        for n in range(needed):
            course = line.courses[n % len(line.courses)] if line.courses else None
            helper = _second_teacher(district, school, newcomers, teachers[n // load])
            district.open_section(school, line, course, teachers[n // load], helper)


def _second_teacher(district: District, school: int, newcomers: int, teacher: int) -> int | None:
    """Give one section in twelve a second teacher, now and then one from the school next door."""
    luck = district.luck("section", len(district.sections))
    if luck % 12:
        return None
    if luck % 96 == 0 and school > 0:
        neighbour = newcomers - 1
        schools = district.staff[neighbour].schools
        if school not in schools:
            district.staff[neighbour] = replace(district.staff[neighbour], schools=(*schools, school))
        return neighbour
    colleague = newcomers + (luck >> 8) % (len(district.staff) - newcomers)
    return colleague if colleague != teacher else None


def _seat(district: District, school: int, sizes: dict[str, int]) -> None:
    """Admit a school's students and spread them evenly over the sections of their lines."""
    students = district.students
    for grade, size in sizes.items():
        first = len(students)
        students.add(school, GRADES.index(grade), size)
        students.present[first:] = b"\x01" * size
        for line in district.schools[school].level.lines_of(grade):
            offered = district.offers.get((school, line.slot, grade), [])
            places = [_place(offered, line, n) for n in range(size)]
            students.places[first * SLOTS + line.slot :: SLOTS] = array("I", places)


def _place(offered: list[int], line: Line, n: int) -> int:
    """Choose a section for the nth student of a grade; each line deals its sections out in an order of its own."""
    if n % 20 in line.skipped_by:
        return _NO_SECTION
    return offered[(n + line.slot * (n // len(offered))) % len(offered)]


def _send_visitors(district: District) -> None:
    """Let a few students take one class at another school of their kind."""
    for student in range(len(district.students)):
        luck = district.luck("student", student)
        if luck % 150 == 0:
            _send(district, student, luck >> 16)


def _send(district: District, student: int, luck: int) -> None:
    home = district.students.school[student]
    level = district.schools[home].level
    alike = (n for n, school in enumerate(district.schools) if school.level.elementary == level.elementary)
    hosts = [n for n in alike if n != home]
    if hosts:
        host = hosts[luck % len(hosts)]
        offered = district.offers.get((host, level.visiting_slot, district.schools[host].level.grades[0]), [])
        if offered:
            district.students.enrol(student, level.visiting_slot, offered[(luck >> 16) % len(offered)], 0)
