"""What changes in a district from one night to the next."""

from array import array
from collections.abc import Callable
from itertools import compress

from simulator.curriculum import SLOTS, Line
from simulator.dice import Dice
from simulator.district import GRADES, District, Section
from simulator.profile import Rates

Witness = Callable[[int], None]


def live_through(district: District, night: int, witness: Witness | None = None) -> None:
    """Take a district from the night before to this one.

    Args:
        district: The district as it stood on the night before; it is changed in place.
        night: The night to come, counted from 1.
        witness: Called with each student about to change, before anything about the student has changed.
    """
    _Evening(district, night, witness or (lambda _: None)).pass_by()


class _Evening:
    """One night's changes, in the order in which they happen."""

    def __init__(self, district: District, night: int, witness: Witness) -> None:
        self.district = district
        self.students = district.students
        self.night = night
        self.witness = witness
        self.dice = Dice(district.profile.seed, "night", night)
        self.today = district.year.service_date(night)

    def pass_by(self) -> None:
        rates = self.district.profile.rates
        pool = array("I", compress(range(len(self.students)), self.students.present))
        gone = array("I", (n for n, present in enumerate(self.students.present) if not present))
        arriving = self.dice.count(rates.joiners * len(pool))
        self._split_sections(self.dice.count(rates.new_sections * (len(self.district.sections) - 1)))
        self._change_students(pool, rates)
        self._arrive(pool, gone, arriving)

    def _change_students(self, pool: "array[int]", rates: Rates) -> None:
        """Give each kind of change its students, no student twice."""
        kinds = (
            (self._leave, rates.leavers),
            (self._move, rates.school_movers),
            (self._change_class, rates.class_changes),
            (self._rename, rates.renames),
        )
        counts = [self.dice.count(rate * len(pool)) for _, rate in kinds]
        chosen = iter(self.dice.sample(pool, sum(counts)))
        for (change, _), count in zip(kinds, counts, strict=True):
            for _, student in zip(range(count), chosen, strict=False):
                change(student)

    def _leave(self, student: int) -> None:
        self.witness(student)
        self.students.present[student] = 0
        self.students.withdraw(student)

    def _move(self, student: int) -> None:
        """Move to another school that teaches the student's grade, if the district has one."""
        home = self.students.school[student]
        grade = GRADES[self.students.grade[student]]
        others = [n for n in range(len(self.district.schools)) if n != home and (n, 0, grade) in self.district.offers]
        if others:
            self.witness(student)
            self.students.school[student] = self.dice.pick(others)
            self._schedule(student)

    def _change_class(self, student: int) -> None:
        """Change one class for another section of its line, if there is one."""
        home = self.students.school[student]
        options = [
            (slot, other)
            for slot, number, _ in self.students.timetable(student)
            if self.district.section(number).school == home and self._open(self.district.section(number).line)
            for other in self.district.alternatives(student, slot)
            if other != number
        ]
        if options:
            self.witness(student)
            slot, other = self.dice.pick(options)
            self.students.enrol(student, slot, other, self.night)

    def _rename(self, student: int) -> None:
        self.witness(student)
        self.students.renames[student] += 1
        self.students.changed[student] = self.night

    def _arrive(self, pool: "array[int]", gone: "array[int]", count: int) -> None:
        """Admit newcomers, each to the school and grade of some present student, and one in ten from those who left."""
        for _ in range(count):
            if gone and self.dice.below(10) == 0:
                place = self.dice.below(len(gone))
                gone[place], gone[-1] = gone[-1], gone[place]
                student = gone.pop()
            else:
                model = self.dice.pick(pool)
                student = len(self.students)
                self.students.add(self.students.school[model], self.students.grade[model])
            self.witness(student)
            self.students.present[student] = 1
            self.students.joined[student] = self.night
            self._schedule(student)

    def _schedule(self, student: int) -> None:
        """Give a student a new timetable at the student's school."""
        self.students.withdraw(student)
        self.students.changed[student] = self.night
        kind = self.dice.below(20)
        level = self.district.schools[self.students.school[student]].level
        for line in level.lines_of(GRADES[self.students.grade[student]]):
            offered = self.district.alternatives(student, line.slot)
            if offered and kind not in line.skipped_by and self._open(line):
                self.students.enrol(student, line.slot, self.dice.pick(offered), self.night)

    def _open(self, line: Line) -> bool:
        """Tell whether a line's term is not over yet."""
        return self.today <= self.district.year.spans[line.terms][1]

    def _split_sections(self, count: int) -> None:
        """Split some sections in two: a third of their students go to the new one."""
        if count:
            members = self._members()
            numbers = range(1, len(self.district.sections))
            existing = array("I", (n for n in numbers if self._open(self.district.section(n).line)))
            for number in self.dice.sample(existing, count):
                self._split(number, members[self.district.section(number).school])

    def _members(self) -> list["array[int]"]:
        """Group the students who are present by school."""
        members = [array("I") for _ in self.district.schools]
        for student in compress(range(len(self.students)), self.students.present):
            members[self.students.school[student]].append(student)
        return members

    def _split(self, number: int, members: "array[int]") -> None:
        old = self.district.section(number)
        teacher = self._teacher_for(old)
        new = self.district.open_section(old.school, old.line, old.course, teacher, night=self.night)
        slot = old.line.slot
        taking = [student for student in members if self.students.places[student * SLOTS + slot] == number]
        for student in taking[1::3]:
            self.witness(student)
            self.students.enrol(student, slot, new, self.night)

    def _teacher_for(self, section: Section) -> int:
        """Find the teacher of a split-off section: someone new, or, in two of three secondary ones, the same."""
        if section.course is None or self.dice.below(3) == 0:
            return self.district.hire(section.school, self.night)
        return section.teacher
