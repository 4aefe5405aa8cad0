"""The welcome: what a first delivery holds, against what a district of its size would have."""

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from rollcall.codes import message_of
from rollcall.decision.forecast import Forecast
from rollcall.decision.reasons import Reason
from rollcall.landing.typed import typed_table
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection

NEEDED = frozenset({"orgs", "users", "classes", "enrollments"})
"""Files without which a district's size is not known."""
FEWEST_STUDENTS = 100
"""Of a smaller district nothing is out of the ordinary."""


@dataclass(frozen=True)
class Size:
    """What a delivery holds.

    Attributes:
        enrolled: Students who are in a class.
        taught: Classes that have a teacher.
        graded: Students with a grade.
        reachable: Teachers with an e-mail address.
        places: Students in classes, counted once per class.
        described: Rows of demographics.csv; None where it was not sent.
    """

    schools: int
    students: int
    teachers: int
    classes: int
    enrolled: int
    taught: int
    graded: int
    reachable: int
    places: int
    described: int | None

    @property
    def sentence(self) -> str:
        """All that is counted, in a sentence."""
        return (
            f"Schools: {self.schools:,}; students: {self.students:,}; teachers: {self.teachers:,}; classes: "
            f"{self.classes:,}."
        )


@dataclass(frozen=True)
class Measure:
    """A figure that is alike in most districts, whatever their size.

    Attributes:
        file: Where to look when it is not.
        count, of: The figure is the one by the other.
        least, most: What is ordinary.
        words: What it is, after the number.
        advice: What to look at when it is not ordinary.
        is_share: Whether it is said in percent.
    """

    file: str
    count: int
    of: int
    least: float
    most: float
    words: str
    advice: str
    is_share: bool = False

    @property
    def is_ordinary(self) -> bool:
        """Whether it lies within what is ordinary."""
        return self.of > 0 and self.least <= self.count / self.of <= self.most

    @property
    def sentence(self) -> str:
        """The figure, what is ordinary, and what to look at."""
        if self.is_share:
            told = f"{self.count:,} of {self.of:,} {self.words}; at least {self.least:.0%} are ordinary"
        elif not self.of:
            told = f"no {self.words}"
        else:
            told = f"{self.count / self.of:,.1f} {self.words}; {self.least:g} to {self.most:,g} are ordinary"
        return f"{FILE_BY_NAME[self.file].file_name}: {told}. {self.advice}"

    def as_reason(self) -> Reason:
        """The measure as a reason to look."""
        return Reason("hold_first_delivery_unusual", self.sentence, self.file, count=self.count, of=self.of)


def welcome(connection: Connection, delivery: Delivery, found: Forecast) -> list[Reason]:
    """Why a first delivery is held: that it is one, and what of it is not as in other districts of its size.

    Args:
        connection: A connection to the ledger.
        delivery: The delivery, through the gate.
        found: Its forecast.
    """
    first = message_of("hold_first_delivery")
    sent = {each.sent.file for each in found.files}
    if not sent >= NEEDED:
        return [Reason("hold_first_delivery", first)]
    size = size_of(connection, delivery, with_demographics="demographics" in sent)
    unusual = [] if size.students < FEWEST_STUDENTS else [each for each in measures(size) if not each.is_ordinary]
    return [
        Reason("hold_first_delivery", f"{first} {size.sentence}"),
        *(each.as_reason() for each in unusual),
    ]


def measures(size: Size) -> list[Measure]:
    """What is looked at, in the order in which it is best corrected."""
    students, teachers, classes = size.students, size.teachers, size.classes
    of_this_year = "Are the classes of this school year exported, and no others?"
    found = [
        Measure("orgs", students, size.schools, 30, 3_500, "students per school", "Is every school ticked?"),
        Measure("users", students, teachers, 3, 45, "students per teacher", "Are all staff exported, and no one else?"),
        _share("users", size.graded, students, 0.95, "students have a grade", "Is the grade exported?"),
        _share("users", size.reachable, teachers, 0.8, "teachers have an e-mail address", "Is the address exported?"),
        _share("classes", size.taught, classes, 0.9, "classes have a teacher", "Do the sections name theirs?"),
        _share("enrollments", size.enrolled, students, 0.9, "students are in a class", "Is scheduling done?"),
        Measure("enrollments", size.places, size.enrolled, 1, 14, "classes per student", of_this_year),
        Measure("enrollments", size.places, classes, 3, 60, "students per class", of_this_year),
    ]
    if size.described is not None:
        words, advice = "students have a row", "Is the file exported for every school?"
        found.append(_share("demographics", min(size.described, students), students, 0.95, words, advice))
    return found


def _share(file: str, count: int, of: int, least: float, words: str, advice: str) -> Measure:
    """A share of what there is."""
    return Measure(file, count, of, least, 1, words, advice, is_share=True)


def size_of(connection: Connection, delivery: Delivery, *, with_demographics: bool) -> Size:
    """What a delivery holds, as it was sent.

    Args:
        connection: A connection to the ledger.
        delivery: The delivery, landed.
        with_demographics: Whether it has demographics.csv.
    """
    tables = {name: typed_table(delivery, FILE_BY_NAME[name]) for name in (*NEEDED, "demographics")}
    described = sql.SQL("(select count(*) from {demographics})" if with_demographics else "null::bigint")
    with connection.cursor(row_factory=class_row(Size)) as cursor:
        (found,) = cursor.execute(
            sql.SQL(
                """
                with people as (
                    select
                        count(*) filter (where role = 'student') as students,
                        count(*) filter (where role = 'teacher') as teachers,
                        count(*) filter (where role = 'student' and cardinality(grades) > 0) as graded,
                        count(*) filter (where role = 'teacher' and email is not null) as reachable
                    from {users}
                ),
                seats as (
                    select
                        count(distinct user_source_id) filter (where role = 'student') as enrolled,
                        count(distinct class_source_id) filter (where role = 'teacher') as taught,
                        count(*) filter (where role = 'student') as places
                    from {enrollments}
                )
                select people.*, seats.*, {described} as described,
                    (select count(*) from {orgs} where type = 'school') as schools,
                    (select count(*) from {classes}) as classes
                from people cross join seats
                """
            ).format(described=described.format(**tables), **tables)
        ).fetchall()
    return found
