"""When a district delivers: the nights that it is expected on, and from when until when."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter
from pydantic import ValidationInfo, field_validator, model_validator

from rollcall.districts.strict import Strict

QUIET_BEFORE_THE_NIGHT = timedelta(hours=6)
"""A delivery that comes this shortly before a night's run is that night's."""
LONGEST_LOOK_BACK = timedelta(days=366)
"""Nights that lie further back are not asked after any more."""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Pause(Strict):
    """A stretch of nights without deliveries, both days included."""

    first_night: date
    last_night: date
    reason: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> "Pause":
        if self.last_night < self.first_night:
            raise ValueError("last_night lies before first_night")
        return self


class Calendar(Strict):
    """A district's nights, as its file says.

    Attributes:
        schedule: When the night's run starts, as a cron expression in ``timezone``.
        local_timezone: Where the district's own clocks stand, in whose time its kit speaks; blank for ``timezone``.
        deadline: Until when, in ``timezone`` on the service date, a run waits for the delivery.
        intraday: Whether a delivery that comes after the deadline is taken on arrival, or by the next night's run.
    """

    schedule: str
    timezone: str
    local_timezone: str = ""
    deadline: time
    expected_weekdays: tuple[Weekday, ...]
    pauses: tuple[Pause, ...] = ()
    intraday: bool

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        if not croniter.is_valid(value):
            raise ValueError(f"{value!r} is not a cron expression, for instance '0 2 * * *'")
        try:
            croniter(value).get_next()
        except CroniterBadDateError:
            raise ValueError(f"{value!r} names a day that never comes") from None
        return value

    @field_validator("timezone", "local_timezone")
    @classmethod
    def _is_zone(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name == "local_timezone":
            return value
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is not a time zone, for instance 'America/New_York'") from None
        return value

    @field_validator("deadline", mode="before")
    @classmethod
    def _is_quoted(cls, value: object) -> object:
        if isinstance(value, int | float):  # YAML reads an unquoted 10:30 as a number, and so 10.30
            raise ValueError('write the time in quotes, for instance "06:00"')  # noqa: TRY004 -- pydantic wants it
        return value

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the schedule and the deadline."""
        return ZoneInfo(self.timezone)

    @property
    def local_zone(self) -> ZoneInfo:
        """The time zone of the district's own clocks."""
        return ZoneInfo(self.local_timezone) if self.local_timezone else self.zone

    def service_date(self, moment: datetime) -> date:
        """The night that a run starting at ``moment`` serves: that day's date in the district's time zone."""
        return moment.astimezone(self.zone).date()

    def deadline_on(self, service_date: date) -> datetime:
        """The moment until which the delivery of a night is waited for."""
        return datetime.combine(service_date, self.deadline, self.zone)

    def nights_due(self, moment: datetime, *, after: date | None = None) -> Iterator[date]:
        """The nights whose runs were to start before a moment, the latest first; those without a delivery left out.

        Args:
            moment: The moment.
            after: The night before the first that is asked for; a year before the moment at the earliest.
        """
        here = moment.astimezone(self.zone)
        first = max(after or date.min, here.date() - LONGEST_LOOK_BACK)
        starts = croniter(self.schedule, here)
        night = last = self.service_date(starts.get_prev(datetime))
        while night > first:
            if self.not_expected_because(night) is None:
                yield night
            while night == last:  # a schedule may start more than one run on a day
                night = self.service_date(starts.get_prev(datetime))
            last = night

    def next_start(self, moment: datetime) -> datetime:
        """When the next night's run starts, after a moment."""
        start: datetime = croniter(self.schedule, moment.astimezone(self.zone)).get_next(datetime)
        return start

    def is_intraday_at(self, moment: datetime) -> bool:
        """Whether a delivery that lies in the inbox is to be taken by day, and not by the next night's run.

        That is so from a night's deadline until six hours before the next night's start, and never during a pause.
        """
        here = moment.astimezone(self.zone)
        started = croniter(self.schedule, here).get_prev(datetime)
        return (
            self.intraday
            and self.paused_because(here.date()) is None
            and self.deadline_on(self.service_date(started))
            <= moment
            < self.next_start(moment) - QUIET_BEFORE_THE_NIGHT
        )

    def paused_because(self, service_date: date) -> str | None:
        """Until when and why the district pauses on a night, or None when it does not."""
        for pause in self.pauses:
            if pause.first_night <= service_date <= pause.last_night:
                until = f"paused from {pause.first_night} to {pause.last_night}"
                return f"{until}: {pause.reason}" if pause.reason else until
        return None

    def not_expected_because(self, service_date: date) -> str | None:
        """Why no delivery is expected on a night, or None when one is."""
        paused = self.paused_because(service_date)
        if paused is not None:
            return paused
        weekday = WEEKDAYS[service_date.weekday()]
        if weekday not in self.expected_weekdays:
            return f"no delivery is expected on a {weekday.capitalize()}"
        return None
