"""One district, as its file says."""

import re
from typing import Literal

from pydantic import Field, field_validator

from rollcall.districts.calendar import Calendar
from rollcall.districts.limits import Limits, UploadLimits
from rollcall.districts.strict import require_landed
from rollcall.oneroster import FILE_NAMES

DISTRICT_ID = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
DAG_PREFIX = "roster__"
CONNECTION_PREFIX = "sftp_"


class District(Calendar):
    """One district, as its file says; its nights are those of its calendar.

    Attributes:
        district_id: The file's name without ``.yaml``; also the SFTP account's name.
        files: The files that a complete delivery holds, by the standard's names.
        first_delivery: Whether the first delivery ever is accepted by itself or held for a person.
        enrollment_end_date: Whether a student still belongs to the class on the enrollment's end date.
        inbox: Whether a delivery is taken out of the inbox once it is archived, or left there and not read again.
        one_night_hours: How far apart the files of one night may be; a set from further apart is held.
        upload: How much may be sent at once.
        tell_contacts: When the contacts get the receipt: when they have to do something, each night, or never.
        roll_over_days: How many days around the district's first and last school days a new school year is expected.
    """

    district_id: str
    name: str
    student_information_system: str = "unknown"
    files: tuple[str, ...] = FILE_NAMES
    first_delivery: Literal["accept", "hold"]
    enrollment_end_date: Literal["inclusive", "exclusive"]
    inbox: Literal["remove", "keep"]
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

    @field_validator("files")
    @classmethod
    def _are_rostering_files(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        require_landed(value)
        return value

    @field_validator("contacts")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(address.count("@") != 1 for address in value):
            raise ValueError("each contact must be an e-mail address")
        return value

    @property
    def dag_id(self) -> str:
        """The district's DAG."""
        return dag_id_of(self.district_id)

    @property
    def sftp_connection_id(self) -> str:
        """The Airflow connection of the district's SFTP account."""
        return CONNECTION_PREFIX + self.district_id


def dag_id_of(district_id: str) -> str:
    """The DAG of a district, whether it has a file or not."""
    return DAG_PREFIX + district_id
