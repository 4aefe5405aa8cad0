"""Times as the district's own clocks show them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from croniter import croniter

from rollcall.districts import WEEKDAYS, District

SENT_BEFORE_THE_NIGHT = timedelta(minutes=30)
"""How long before the night's run the files are due: 1:30 AM EST for 2 AM EST."""
LOOKED_AHEAD_DAYS, STEP_DAYS = 366, 7
"""Both halves of the year, with and without daylight saving time, are in it."""


@dataclass(frozen=True)
class SendBy:
    """Until when the export has to run, as one setting for the whole year.

    Attributes:
        at: The time on the district's clocks.
        due: The time that it comes from, on the clocks that the nights are counted by.
        days_off: How many days its date lies from the night's: -1 for the evening before.
        weekdays: The days on which the export has to run, by the district's calendar.
    """

    at: time
    due: time
    days_off: int
    weekdays: tuple[str, ...]

    @property
    def days(self) -> str:
        """The days, in words."""
        return "every day" if len(self.weekdays) == len(WEEKDAYS) else ", ".join(self.weekdays)


def send_by(district: District, today: date) -> SendBy:
    """The latest time that is early enough on every night of the coming year.

    Clocks that change when the night's do not (Pacific time against a fixed EST) get the earlier of the two times.

    Args:
        district: The district.
        today: The day from which on a year is looked at.
    """
    days = (today + timedelta(days=ahead) for ahead in range(0, LOOKED_AHEAD_DAYS, STEP_DAYS))
    earliest, due = min((_on_their_clocks(district, due), due.time()) for due in (_due(district, day) for day in days))
    off = earliest // timedelta(days=1)
    at = (datetime.combine(today, time()) + earliest).time()
    weekdays = (WEEKDAYS[(WEEKDAYS.index(day) + off) % len(WEEKDAYS)] for day in district.expected_weekdays)
    return SendBy(at, due, off, tuple(day.capitalize() for day in sorted(weekdays, key=WEEKDAYS.index)))


def clock_time(at: time) -> str:
    """A time, as ``10:30 PM``."""
    return f"{at:%I:%M %p}".lstrip("0")


def _due(district: District, day: date) -> datetime:
    """When the files of the first night after a day are due, in the zone of its nights."""
    start: datetime = croniter(district.schedule, datetime.combine(day, time(), district.zone)).get_next(datetime)
    return start - SENT_BEFORE_THE_NIGHT


def _on_their_clocks(district: District, due: datetime) -> timedelta:
    """What the district's clocks show then, counted from the night's date."""
    night = district.service_date(due + SENT_BEFORE_THE_NIGHT)
    return due.astimezone(district.local_zone).replace(tzinfo=None) - datetime.combine(night, time())
