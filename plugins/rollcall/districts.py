"""The district files: ``dags/districts/<district_id>.yaml``, laid over ``_defaults.yaml``, typed and validated."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from croniter import CroniterBadDateError, croniter
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rollcall.oneroster import FILE_NAMES, LANDED_FILE_NAMES
from rollcall.yaml_text import read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

QUIET_BEFORE_THE_NIGHT = timedelta(hours=6)
"""A delivery that comes this shortly before a night's run is that night's."""
LONGEST_LOOK_BACK = timedelta(days=366)
"""Nights that lie further back are not asked after any more."""
DEFAULTS_FILE = "_defaults.yaml"
REMOVED = ".removed"
"""How the name of a file ends whose district was taken out."""
DISTRICT_ID = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
DAG_PREFIX = "roster__"
CONNECTION_PREFIX = "sftp_"
FILES_KEPT = 4096
"""How many districts a process keeps in mind."""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class DistrictFileError(Exception):
    """A district file that cannot be used; the message names the file, the key and the reason."""


class _Strict(BaseModel):
    """A part of a district file: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limit(_Strict):
    """How much of something is still ordinary: a percentage, and a number below which the percentage is not asked."""

    percent: float = Field(ge=0, le=100)
    floor: int = Field(ge=0)

    def exceeded(self, count: int, of: int) -> bool:
        """Whether ``count`` out of ``of`` is more than ordinary: above the floor and above the percentage."""
        return count > self.floor and count * 100 > self.percent * of

    def exceeded_by_all(self, count: int, of: int) -> bool:
        """The same of a file as a whole: all of it is never ordinary, however few records it has."""
        return self.exceeded(count, of) or (0 < of <= count and self.percent < 100)


LimitName = Literal["removed", "added", "changed", "set_aside", "rekeyed"]


class FileLimits(_Strict):
    """Limits of one file that differ from the district's."""

    removed: Limit | None = None
    added: Limit | None = None
    changed: Limit | None = None
    set_aside: Limit | None = None
    rekeyed: Limit | None = None


class Limits(_Strict):
    """The safeguards' limits, asked per file and per school.

    Attributes:
        removed: Published records that the delivery would remove.
        added: Records that nobody has seen, against those published.
        changed: Published records whose content would change.
        set_aside: Records of a file that break a critical rule, against those of the file.
        rekeyed: Vanished records that seem to come back under a new id, against those published.
        files: What is different for a file, by the standard's name.
        roll_over: What is different for people when a new school year is expected and comes.
    """

    removed: Limit
    added: Limit
    changed: Limit
    set_aside: Limit
    rekeyed: Limit
    files: dict[str, FileLimits] = Field(default_factory=dict)
    roll_over: FileLimits = FileLimits()

    @field_validator("files")
    @classmethod
    def _are_landed_files(cls, value: dict[str, FileLimits]) -> dict[str, FileLimits]:
        unknown = sorted(set(value) - set(LANDED_FILE_NAMES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not among {', '.join(LANDED_FILE_NAMES)}")
        return value

    @classmethod
    def alike(cls, limit: Limit) -> "Limits":
        """The same limit for everything."""
        return cls(removed=limit, added=limit, changed=limit, set_aside=limit, rekeyed=limit)

    def of(self, name: LimitName, file: str, *, roll_over: bool = False) -> Limit:
        """The limit that holds for a file: its own, else the district's.

        Args:
            name: Which limit.
            file: The file, by the standard's name.
            roll_over: Whether the night is one on which the limits of a new school year come first.
        """
        new_year: Limit | None = getattr(self.roll_over, name) if roll_over else None
        own: Limit | None = getattr(self.files.get(file), name, None)
        general: Limit = getattr(self, name)
        return new_year or own or general


NO_LIMITS = Limits.alike(Limit(percent=100, floor=0))
"""Limits that nothing exceeds, for what is decided already."""

MIB = 1024 * 1024


class UploadLimits(_Strict):
    """How much a district may send at once; what is more is refused before anything of it is copied (law 6).

    Attributes:
        file_mib: The largest file in MiB, as it is sent and as a zip unpacks it.
        delivery_mib: All files of a delivery in MiB, as they are sent.
        unpacked_mib: All files of a zip in MiB, unpacked.
        files: How many files a delivery has, those included that a newer zip makes pointless; and those of a zip.
    """

    file_mib: float = Field(gt=0)
    delivery_mib: float = Field(gt=0)
    unpacked_mib: float = Field(gt=0)
    files: int = Field(gt=0)

    @property
    def file_bytes(self) -> int:
        """The largest file, in bytes."""
        return int(self.file_mib * MIB)

    @property
    def delivery_bytes(self) -> int:
        """The largest delivery as it is sent, in bytes."""
        return int(self.delivery_mib * MIB)

    @property
    def unpacked_bytes(self) -> int:
        """The largest zip, unpacked, in bytes."""
        return int(self.unpacked_mib * MIB)


class Pause(_Strict):
    """A stretch of nights without deliveries, both days included."""

    first_night: date
    last_night: date
    reason: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> "Pause":
        if self.last_night < self.first_night:
            raise ValueError("last_night lies before first_night")
        return self


class District(_Strict):
    """One district, as its file says.

    Attributes:
        district_id: The file's name without ``.yaml``; also the SFTP account's name.
        schedule: When the night's run starts, as a cron expression in ``timezone``.
        local_timezone: Where the district's own clocks stand, in whose time its kit speaks; blank for ``timezone``.
        deadline: Until when, in ``timezone`` on the service date, a run waits for the delivery.
        files: The files that a complete delivery holds, by the standard's names.
        first_delivery: Whether the first delivery ever is accepted by itself or held for a person.
        enrollment_end_date: Whether a student still belongs to the class on the enrollment's end date.
        inbox: Whether a delivery is taken out of the inbox once it is archived, or left there and not read again.
        intraday: Whether a delivery that comes after the deadline is taken on arrival, or by the next night's run.
        one_night_hours: How far apart the files of one night may be; a set from further apart is held.
        upload: How much may be sent at once.
        tell_contacts: When the contacts get the receipt: when they have to do something, each night, or never.
        roll_over_days: How many days around the district's first and last school days a new school year is expected.
    """

    district_id: str
    name: str
    student_information_system: str = "unknown"
    schedule: str
    timezone: str
    local_timezone: str = ""
    deadline: time
    expected_weekdays: tuple[Weekday, ...]
    pauses: tuple[Pause, ...] = ()
    files: tuple[str, ...] = FILE_NAMES
    first_delivery: Literal["accept", "hold"]
    enrollment_end_date: Literal["inclusive", "exclusive"]
    inbox: Literal["remove", "keep"]
    intraday: bool
    one_night_hours: float = Field(gt=0)
    roll_over_days: int = Field(ge=0)
    limits: Limits
    upload: UploadLimits
    stable_after_seconds: float | None = Field(default=None, gt=0)
    poll_interval_seconds: float | None = Field(default=None, gt=0)
    contacts: tuple[str, ...] = ()
    tell_contacts: Literal["when_needed", "each_night", "never"] = "when_needed"

    @field_validator("district_id")
    @classmethod
    def _plain_id(cls, value: str) -> str:
        if not DISTRICT_ID.match(value):
            raise ValueError("the file's name must be lower-case letters, digits and single hyphens")
        return value

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

    @field_validator("files")
    @classmethod
    def _are_rostering_files(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(LANDED_FILE_NAMES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not among {', '.join(LANDED_FILE_NAMES)}")
        return value

    @field_validator("contacts")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(address.count("@") != 1 for address in value):
            raise ValueError("each contact must be an e-mail address")
        return value

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the schedule and the deadline."""
        return ZoneInfo(self.timezone)

    @property
    def local_zone(self) -> ZoneInfo:
        """The time zone of the district's own clocks."""
        return ZoneInfo(self.local_timezone) if self.local_timezone else self.zone

    @property
    def dag_id(self) -> str:
        """The district's DAG."""
        return dag_id_of(self.district_id)

    @property
    def sftp_connection_id(self) -> str:
        """The Airflow connection of the district's SFTP account."""
        return CONNECTION_PREFIX + self.district_id

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


def dag_id_of(district_id: str) -> str:
    """The DAG of a district, whether it has a file or not."""
    return DAG_PREFIX + district_id


def load_district(path: Path) -> District:
    """Read one district file over the defaults beside it.

    Args:
        path: ``…/<district_id>.yaml``.

    Raises:
        DistrictFileError: the file or the defaults cannot be read, or a key is missing, unknown or wrong.
    """
    return _loaded(path, _version(path), _version(path.with_name(DEFAULTS_FILE)))


def _version(path: Path) -> tuple[int, ...]:
    """What tells a file from what it was before; blank for one that cannot be looked at, which reading it says."""
    try:
        seen = path.stat()
    except OSError:
        return ()
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


@lru_cache(maxsize=FILES_KEPT)
def _loaded(path: Path, *_: tuple[int, ...]) -> District:
    """The district of a file; of a thousand files that have not changed, none is read again."""
    return district_saying(path, _read(path))


def district_saying(path: Path, own: dict[str, Any]) -> District:
    """What the district would be if its file said this.

    Args:
        path: ``…/<district_id>.yaml``; the defaults lie beside it, the file itself need not.
        own: The file's keys and values.

    Raises:
        DistrictFileError: the defaults cannot be read, or a key is missing, unknown or wrong.
    """
    values = _merged(_read(path.with_name(DEFAULTS_FILE)), own)
    if "district_id" in values:
        raise DistrictFileError(f"{path.name}: district_id: comes from the file's name; leave it out")
    try:
        return District.model_validate({"district_id": path.stem} | values)
    except ValidationError as error:
        mistakes = "; ".join(_sentence(mistake) for mistake in error.errors())
        raise DistrictFileError(f"{path.name}: {mistakes}") from None


def district_files(folder: Path) -> list[Path]:
    """The district files of a folder, by name; ``_defaults.yaml`` and its like are not districts."""
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("_"))


def removed_file(path: Path) -> Path:
    """What a district's file is called once a person took the district out: a file that nobody reads."""
    return path.with_name(path.name + REMOVED)


def removed_districts(folder: Path) -> frozenset[str]:
    """The districts that a person took out of a folder, and that did not come back."""
    gone = {path.name.removesuffix(f".yaml{REMOVED}") for path in folder.glob(f"*.yaml{REMOVED}")}
    return frozenset(gone - {path.stem for path in district_files(folder)})


def load_districts(folder: Path) -> Iterator[District | DistrictFileError]:
    """Every district of a folder, or in its place what is wrong with its file."""
    for path in district_files(folder):
        try:
            yield load_district(path)
        except DistrictFileError as error:
            yield error


def _sentence(mistake: "ErrorDetails") -> str:
    """A mistake as ``key: reason``."""
    key = ".".join(str(part) for part in mistake["loc"]) or "the file"
    reasons = {"extra_forbidden": "there is no such key", "missing": "is missing"}
    return f"{key}: {reasons.get(mistake['type'], mistake['msg'].removeprefix('Value error, '))}"


def _read(path: Path) -> dict[str, Any]:
    """A YAML file's mapping."""
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DistrictFileError(
            f"{path.name}: there is no such file; `rollcall districts list` names the districts"
        ) from None
    except OSError as error:
        raise DistrictFileError(f"{path.name}: cannot be read ({type(error).__name__})") from None
    except (yaml.YAMLError, ValueError) as error:  # a date that does not exist is a ValueError
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the file"
        detail = "" if mark or isinstance(error, UnicodeDecodeError) else f" ({error})"
        raise DistrictFileError(f"{path.name}: {where}: not readable as YAML{detail}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise DistrictFileError(f"{path.name}: the file: must be a list of 'key: value' lines")
    unnamed = next((key for key in values if not isinstance(key, str)), None)
    if unnamed is not None:
        raise DistrictFileError(f"{path.name}: {unnamed}: there is no such key")
    return values


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``, nested mappings key by key."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
