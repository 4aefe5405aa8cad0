"""The safeguards: where a forecast is beyond what is ordinary, and a person is to be asked."""

from dataclasses import dataclass
from datetime import date

from rollcall import ledger
from rollcall.codes import message_of
from rollcall.decision.calendar import SchoolYears
from rollcall.decision.forecast import Counts, FileForecast, Forecast
from rollcall.decision.reasons import Reason
from rollcall.districts import Limit, LimitName, Limits
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES
from rollcall.warehouse import Connection

OF_THE_YEAR = frozenset({"academicSessions", "courses", "classes", "enrollments"})
"""Files that a new school year replaces."""

OF_PEOPLE = frozenset({"users", "demographics"})
"""Files that a new school year turns over in part: they have limits of their own then."""

SCHOOL_TELLING = ("users", "classes", "enrollments")
"""Files whose records say that a school is there."""

SCHOOLS_NAMED = 10
"""How many schools of a rule and file get a reason of their own; the change list has all."""

EXPLAINS = {"hold_roll_over_unexpected": 2, "hold_rekeyed": 1}
"""Reasons of which most others come, and how much: another school year, other ids."""

RULES: dict[LimitName, tuple[str, str]] = {
    "rekeyed": (
        "seem to come back under a new id",
        "Check which id the export uses for students and staff: a changed setting makes everybody new. If the new ids "
        "are meant, `rollcall rekey` lets history go on under them; do that before you approve.",
    ),
    "removed": ("would be removed", "Check that the export ran to its end, with every school ticked."),
    "added": ("would be added", "Check that the files are the district's own, and of this school year."),
    "changed": ("would change", "Check whether a setting of the export, or an edit of the file, changed a column."),
    "set_aside": ("were set aside", "Fix what the findings of the file say, orgs first."),
}
"""What is said of the records of a rule, and what is to be looked at."""


@dataclass(frozen=True)
class Safeguards:
    """A district's limits, applied to the forecast of one night.

    Attributes:
        limits: The district's.
        years: What the sessions say of the school year.
        night: The delivery's night.
    """

    limits: Limits
    years: SchoolYears
    night: date

    def reasons(self, found: Forecast) -> list[Reason]:
        """Why a person is to be asked; none when all is ordinary. What explains all the rest stands first."""
        reasons = self._unexpected_roll_over() + _vanished_files(found) + _vanished_schools(found)
        for each in found.files:
            for name in RULES:
                reasons += self._over(name, each)
        return sorted(reasons, key=lambda reason: -EXPLAINS.get(reason.code, 0))

    def _over(self, name: LimitName, each: FileForecast) -> list[Reason]:
        """The district as a whole first; schools only where the district as a whole is within its limit."""
        if self.is_expected(name, each) or (name != "set_aside" and not each.is_compared):
            return []
        file = each.sent.file
        limit = self.limits.of(name, file, roll_over=file in OF_PEOPLE and self.years.is_expected_on(self.night))
        count, of = _share(name, each.district)
        # What the gate set aside it has weighed itself, for the file as a whole.
        exceeded = limit.exceeded_by_all if name == "removed" else limit.exceeded
        if each.sent.verdict == "hold" if name == "set_aside" else exceeded(count, of):
            return [_over_limit(name, file, None, count, of, limit)]
        over = [
            (school, *_share(name, counts))
            for school, counts in each.schools.items()
            if limit.exceeded(*_share(name, counts))
        ]
        over.sort(key=lambda found: (-found[1], found[0]))
        more = len(over) - SCHOOLS_NAMED
        return [
            _over_limit(name, file, school, count, of, limit, more if number == SCHOOLS_NAMED else 0)
            for number, (school, count, of) in enumerate(over[:SCHOOLS_NAMED], start=1)
        ]

    def is_expected(self, name: LimitName, each: FileForecast) -> bool:
        """Whether it is what a new school year does.

        Where one begins, classes fill up for weeks: that adds and changes. Removals are expected on its first night
        only. That a year's records look like those of the year before is no change of ids, expected or not.
        """
        if name == "set_aside" or each.sent.file not in OF_THE_YEAR:
            return False
        if self.years.is_expected_on(self.night) or (name == "rekeyed" and self.years.is_roll_over):
            return True
        return self.years.is_beginning and not self.years.is_roll_over and name in ("added", "changed")

    def _unexpected_roll_over(self) -> list[Reason]:
        years = self.years
        if not years.is_roll_over or years.is_expected_on(self.night):
            return []
        return [
            Reason(
                "hold_roll_over_unexpected",
                f"The sessions move the night of {self.night} from school year {_named(years.published)} to "
                f"{_named(years.delivered)}, which is not expected: a later school year may come from "
                f"{years.first_expected} to {years.last_expected}. Check the dates and school years of the sessions.",
                "academicSessions",
            )
        ]


def _named(school_year: int | None) -> str:
    """A school year as people write it."""
    return f"{school_year - 1}-{school_year % 100:02d}" if school_year else "unknown"


def _share(name: LimitName, counts: Counts) -> tuple[int, int]:
    """What a limit is asked about: how many, out of how many.

    Records whose time was over before the night are ordinary leavers, and as many new ones may take their place.
    """
    match name:
        case "removed":
            return counts.removed - counts.ended, counts.running
        case "added":
            return max(counts.added - counts.ended, 0), counts.published
        case "changed":
            return counts.changed, counts.published
        case "set_aside":
            return counts.set_aside, counts.landed
        case "rekeyed":
            return counts.rekeyed, counts.published


def _over_limit(
    name: LimitName, file: str, school: str | None, count: int, of: int, limit: Limit, more_schools: int = 0
) -> Reason:
    """A reason with counts."""
    verb, advice = RULES[name]
    where = f" of school {school}" if school else ""
    share = f"{100 * count / of:.1f} %" if of else "none are published"
    more = f" So it is in {more_schools} more schools." if more_schools > 0 else ""
    sentence = f"{file}{where}: {count:,} of {of:,} records {verb} ({share}, the limit is {limit.percent:g} %).{more}"
    return Reason(f"hold_{name}", f"{sentence} {advice}", file, school, count, of, limit.percent)


def _vanished_files(found: Forecast) -> list[Reason]:
    """Bulk files without a record, whose records are published. Nothing would be removed, but something is wrong."""
    return [
        Reason(
            "hold_file_vanished",
            f"{FILE_BY_NAME[each.sent.file].file_name} holds no record, and {each.district.published:,} are published. "
            "Approving removes none of them. Check why the export wrote a header only.",
            each.sent.file,
            None,
            each.district.published,
            each.district.published,
        )
        for each in found.files
        if each.sent.mode == "bulk" and not each.sent.rows_landed and each.district.published
    ]


def folded_files_over_limit(connection: Connection, delivery: Delivery, limits: Limits) -> list[Reason]:
    """The files without records of their own in the roster (roles.csv) that the gate wants held."""
    return [
        _over_limit(
            "set_aside",
            sent.file,
            None,
            sent.rows_set_aside or 0,
            sent.rows_landed or 0,
            limits.of("set_aside", sent.file),
        )
        for sent in ledger.files_of(connection, delivery.delivery_id)
        if sent.file in FILE_BY_NAME and sent.file not in FILE_NAMES and sent.verdict == "hold"
    ]


def of_two_nights(connection: Connection, delivery: Delivery) -> list[Reason]:
    """The files that arrival found to be so much older than the newest that they may be of another night."""
    rows = connection.execute(
        "select file from rollcall.check_result where delivery_id = %s and code = 'files_of_two_nights' order by file",
        (delivery.delivery_id,),
    ).fetchall()
    if not rows:
        return []
    names = ", ".join(f"{file}.csv" for (file,) in rows)
    return [Reason("hold_two_nights", f"{message_of('hold_two_nights')} Old: {names}.")]


def _vanished_schools(found: Forecast) -> list[Reason]:
    """Published schools of which the bulk files name no record any more, or that are no org any more; no floor."""
    people = [each for each in found.files if each.sent.file in SCHOOL_TELLING and each.district.published]
    bulk = [each for each in people if each.sent.mode == "bulk" and each.is_compared]
    reasons = []
    for school in sorted({school for each in people for school in each.schools}):
        running = sum(_of_school(each, school).running for each in people)
        present = sum(_of_school(each, school).landed for each in bulk)
        if running and (school in found.orgs_gone or (bulk and not present)):
            reasons.append(_school_vanished(school, running, present))
    return reasons


def _of_school(each: FileForecast, school: str) -> Counts:
    return each.schools.get(school, Counts())


def _school_vanished(school: str, running: int, present: int) -> Reason:
    if present:
        sentence = f"School {school} is gone from orgs.csv, and {running:,} published records name it."
    else:
        sentence = f"School {school} has {running:,} published records, and none in tonight's bulk files."
    advice = "Check that it is ticked in the export; a school that closed is to be approved."
    return Reason("hold_school_vanished", f"{sentence} {advice}", None, school, running, running)
