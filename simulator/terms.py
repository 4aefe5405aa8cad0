"""The school year that the nights fall in: its terms, and the time stamps of what happens in it.

It runs from August 12 to June 4. Around a first night in the summer it is that of a year-round school: it begins on
July 1, or ends on July 31, so that a district can be played on any day.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Final

# The terms that a class can run in, by their Aeries codes; a class of the whole year in a secondary school names both.
TERMS_OF: Final = {"F": ("F",), "S": ("S",), "FS": ("F", "S"), "Y": ("Y",)}
TITLES: Final = {"F": "Fall Semester", "S": "Spring Semester", "Y": "Full Year"}


@dataclass(frozen=True)
class SchoolYear:
    """The school year around a first night.

    Attributes:
        first_night: The service date of night 1.
    """

    first_night: date

    @cached_property
    def spans(self) -> dict[str, tuple[date, date]]:
        """First and last day, both inclusive, of each kind of term that a class can run in."""
        day = self.first_night
        start = day.year - (day.month < 7)
        first, last = date(start, 8, 12), date(start + 1, 6, 4)
        if day >= last:  # the nights to come must lie in it, too
            last = date(start + 1, 7, 31)
        if day < first:
            first = date(start, 7, 1)
        fall, spring = (first, date(start, 12, 18)), (date(start + 1, 1, 5), last)
        whole = first, last
        return {"F": fall, "S": spring, "FS": whole, "Y": whole}

    @cached_property
    def end_year(self) -> str:
        """The year by which OneRoster calls the school year: the one in which it ends."""
        return str(self.spans["Y"][1].year)

    def service_date(self, night: int) -> date:
        """Return the date of a night, counted from 1.

        Raises:
            ValueError: The night is not one of the school year.
        """
        if night < 1:
            raise ValueError(f"Nights count from 1, so there is no night {night}.")
        day = self.first_night + timedelta(days=night - 1)
        start, end = self.spans["Y"]
        if not start <= day <= end:
            raise ValueError(f"Night {night} would be {day}, outside the school year {start} to {end}.")
        return day

    def stamp(self, night: int, entity: int) -> str:
        """Return when a record last changed, in UTC: on the day before that night, or, for 0, in the summer before."""
        return self._summer[entity % len(self._summer)] if night == 0 else self._evening(night, entity)

    def _evening(self, night: int, entity: int) -> str:
        day = self.first_night + timedelta(days=night - 2)
        return f"{day}T{15 + entity % 9:02d}:{entity % 59:02d}:{entity % 53:02d}.000Z"

    @cached_property
    def _summer(self) -> tuple[str, ...]:
        last = self.spans["Y"][0] - timedelta(days=2)
        return tuple(
            f"{last - timedelta(days=n % 19)}T{15 + n % 9:02d}:{n % 60:02d}:{n * 7 % 60:02d}.000Z" for n in range(997)
        )
