"""What is taught: the levels of schools, and for each the lines of its timetable and the courses offered in them.

A *line* is a place in a student's timetable ("mathematics in the fall"); the sections of a line are interchangeable, so
students of its grades are spread over them and change between them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Final

SLOTS: Final = 12  # as many lines as a student can be in


@dataclass(frozen=True, slots=True)
class Course:
    """A course of the district's catalogue, with its number, subject and SCED subject area."""

    number: str
    title: str
    grades: tuple[str, ...]
    subject: str
    code: str


@dataclass(frozen=True, slots=True)
class Line:
    """A place in the timetable.

    Attributes:
        slot: Its number in a student's timetable.
        terms: The terms it runs in: F, S, FS or Y.
        grades: The grades taught together.
        courses: What its sections teach, in turn; none in elementary schools, where a teacher is the course.
        size: How many students a section takes.
        skipped_by: Of every twenty students, those who do not take it.
    """

    slot: int
    terms: str
    grades: tuple[str, ...]
    courses: tuple[Course, ...]
    size: int
    skipped_by: range = range(0)


@dataclass(frozen=True, slots=True)
class Level:
    """A kind of school: its grades, its usual size, its timetable, and the slot that can be taken at another school."""

    kind: str
    grades: tuple[str, ...]
    usual_size: int
    lines: tuple[Line, ...]
    visiting_slot: int

    @property
    def elementary(self) -> bool:
        """Whether its classes follow the teacher rather than the course."""
        return not self.lines[0].courses

    def lines_of(self, grade: str) -> Iterator[Line]:
        """Yield the lines of one grade's timetable."""
        return (line for line in self.lines if grade in line.grades)


# Titles by the grades that share them.
Titles = Mapping[tuple[str, ...], tuple[str, ...]]
Subject = tuple[str, str, Titles]


def _courses(numbers: Iterator[int], subject: Subject, grades: tuple[str, ...], part: str) -> tuple[Course, ...]:
    name, code, titles = subject
    return tuple(Course(f"{next(numbers):04d}", title + part, grades, name, code) for title in titles[grades])


def _semesters(
    numbers: Iterator[int], slot: int, subject: Subject, *, skipped_by: range = range(0), size: int = 28
) -> Iterator[Line]:
    """Yield the two lines of a subject taught in semester courses, one after the other."""
    for grades in subject[2]:
        for offset, (terms, part) in enumerate((("F", " A"), ("S", " B"))):
            yield Line(slot + offset, terms, grades, _courses(numbers, subject, grades, part), size, skipped_by)


def _whole_year(numbers: Iterator[int], slot: int, subject: Subject, *, skipped_by: range = range(0)) -> Iterator[Line]:
    """Yield the line of a subject taught all year."""
    for grades in subject[2]:
        yield Line(slot, "FS", grades, _courses(numbers, subject, grades, ""), 30, skipped_by)


def _by_grade(**titles: str) -> Titles:
    """Read ``g09="English 9; English 9 Honors"`` as the titles of grade 09."""
    return {(grade[1:],): tuple(title.split("; ")) for grade, title in titles.items()}


_KG_TO_5: Final = ("KG", "01", "02", "03", "04", "05")
_6_TO_8: Final = ("06", "07", "08")
_9_TO_12: Final = ("09", "10", "11", "12")


def _elementary() -> Iterator[Line]:
    """A homeroom teacher for every grade, and specialists for the whole school."""
    yield from (Line(0, "Y", (grade,), (), 24) for grade in _KG_TO_5)
    yield Line(1, "Y", _KG_TO_5, (), 45, range(14, 20))
    yield Line(2, "Y", _KG_TO_5, (), 45, range(6, 20))


def _middle(numbers: Iterator[int]) -> Iterator[Line]:
    english = _by_grade(g06="English 6", g07="English 7; English 7 Honors", g08="English 8; English 8 Honors")
    mathematics = _by_grade(g06="Math 6", g07="Math 7; Math 7/8 Accelerated", g08="Math 8; Algebra 1")
    science = _by_grade(g06="Earth Science", g07="Life Science", g08="Physical Science")
    history = _by_grade(g06="World History: Ancient", g07="World History: Medieval", g08="U.S. History 8")
    electives: Titles = {_6_TO_8: ("Art", "Choir", "Coding", "Drama", "Study Skills", "Band, Beginning", "Makers' Lab")}
    languages: Titles = {_6_TO_8: ("Spanish", "Physical Education", "Español para hispanohablantes")}
    advisory: Titles = {_6_TO_8: ("Advisory",)}
    yield from _semesters(numbers, 0, ("English", "01", english))
    yield from _semesters(numbers, 2, ("Mathematics", "02", mathematics))
    yield from _semesters(numbers, 4, ("Science", "03", science))
    yield from _semesters(numbers, 6, ("Social Science", "04", history))
    yield from _semesters(numbers, 8, ("Electives", "22", electives), skipped_by=range(10, 13), size=30)
    yield from _whole_year(numbers, 10, ("World Languages", "24", languages))
    yield from _whole_year(numbers, 11, ("Advisory", "22", advisory), skipped_by=range(10))


def _high(numbers: Iterator[int]) -> Iterator[Line]:
    english = _by_grade(
        g09="English 9; English 9 Honors",
        g10="English 10; English 10 Honors",
        g11="American Literature; AP English Language",
        g12='"Voices": Senior English; AP English Literature',
    )
    mathematics = _by_grade(
        g09="Algebra 1; Geometry",
        g10="Geometry; Algebra 2",
        g11="Algebra 2; Precalculus",
        g12="Statistics; AP Calculus AB",
    )
    science = _by_grade(
        g09="Biology", g10="Chemistry; Chemistry Honors", g11="Physics; Marine Science", g12="Anatomy; AP Physics"
    )
    history = _by_grade(
        g09="Ethnic Studies", g10="World History", g11="U.S. History; AP U.S. History", g12="Government"
    )
    electives: Titles = {
        _9_TO_12: (
            "Ceramics",
            "Choir, Concert",
            "Computer Science",
            "Drama",
            "Jazz Band",
            "Photography",
            "Culinary Arts",
        )
    }
    languages: Titles = {_9_TO_12: ("Spanish 1", "Spanish 2", "French 1", "Mandarin 1", "American Sign Language 1")}
    seventh: Titles = {_9_TO_12: ("Physical Education", "Yearbook", "AVID", "Weight Training")}
    yield from _semesters(numbers, 0, ("English", "01", english))
    yield from _semesters(numbers, 2, ("Mathematics", "02", mathematics))
    yield from _semesters(numbers, 4, ("Science", "03", science))
    yield from _semesters(numbers, 6, ("Social Science", "04", history))
    yield from _semesters(numbers, 8, ("Arts", "05", electives), skipped_by=range(10, 13), size=30)
    yield from _whole_year(numbers, 10, ("World Languages", "24", languages))
    yield from _whole_year(numbers, 11, ("Physical Education", "08", seventh), skipped_by=range(10))


ELEMENTARY: Final = Level("Elementary School", _KG_TO_5, 450, tuple(_elementary()), visiting_slot=1)
MIDDLE: Final = Level("Middle School", _6_TO_8, 900, tuple(_middle(count(401))), visiting_slot=10)
HIGH: Final = Level("High School", _9_TO_12, 1600, tuple(_high(count(1001))), visiting_slot=10)


def catalogue(levels: Iterable[Level]) -> Iterator[Course]:
    """Yield every course taught at these levels."""
    return chain.from_iterable(line.courses for level in levels for line in level.lines)
