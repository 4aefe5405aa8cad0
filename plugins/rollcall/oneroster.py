"""The OneRoster 1.1 CSV binding as data: the seven rostering files and their columns.

Source of every rule here: 1EdTech, OneRoster 1.1 CSV Tables.
"""

import re
from dataclasses import dataclass
from functools import cached_property

NEVER_LANDED = frozenset({"password"})
"""Columns that are dropped on landing: nobody downstream needs a pupil's password."""

RENAMED = {"primary": "is_primary"}
"""Names that SQL reserves, and what they are called in the warehouse."""


@dataclass(frozen=True)
class Column:
    """One column of one file.

    Attributes:
        name: The header cell, as the standard spells it (``classSourcedId``).
        required: Whether a bulk row must fill it.
    """

    name: str
    required: bool = False

    @cached_property
    def column_name(self) -> str:
        """The column's name in the warehouse (``class_sourced_id``)."""
        return RENAMED.get(self.name, snake_case(self.name))


@dataclass(frozen=True)
class File:
    """One of the standard's files.

    Attributes:
        name: The file's name without ``.csv`` (``academicSessions``).
        columns: Its columns in the standard's order.
    """

    name: str
    columns: tuple[Column, ...]

    @cached_property
    def table_name(self) -> str:
        """The file's table in the warehouse (``academic_sessions``)."""
        return snake_case(self.name)

    @property
    def file_name(self) -> str:
        """The file's name on disk (``academicSessions.csv``)."""
        return f"{self.name}.csv"

    @cached_property
    def landed_columns(self) -> tuple[Column, ...]:
        """The columns that landing keeps."""
        return tuple(column for column in self.columns if column.name not in NEVER_LANDED)


def snake_case(name: str) -> str:
    """The snake_case form of one of the standard's camelCase names: ``userSourcedId`` → ``user_sourced_id``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _file(name: str, header: str) -> File:
    """A file from its header in shorthand: the standard's column names in order, ``*`` behind the required ones."""
    return File(name, tuple(Column(cell.rstrip("*"), required=cell.endswith("*")) for cell in header.split()))


FILES: tuple[File, ...] = (
    _file("orgs", "sourcedId* status dateLastModified name* type* identifier parentSourcedId"),
    _file(
        "academicSessions",
        "sourcedId* status dateLastModified title* type* startDate* endDate* parentSourcedId schoolYear*",
    ),
    _file(
        "courses",
        "sourcedId* status dateLastModified schoolYearSourcedId title* courseCode grades orgSourcedId* subjects "
        "subjectCodes",
    ),
    _file(
        "users",
        "sourcedId* status dateLastModified enabledUser* orgSourcedIds* role* username* userIds givenName* "
        "familyName* middleName identifier email sms phone agentSourcedIds grades password",
    ),
    _file(
        "classes",
        "sourcedId* status dateLastModified title* grades courseSourcedId* classCode classType* location "
        "schoolSourcedId* termSourcedIds* subjects subjectCodes periods",
    ),
    _file(
        "enrollments",
        "sourcedId* status dateLastModified classSourcedId* schoolSourcedId* userSourcedId* role* primary beginDate "
        "endDate",
    ),
    _file(
        "demographics",
        "sourcedId* status dateLastModified birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican "
        "nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity "
        "countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
    ),
)
"""The seven rostering files, in the order in which their errors are best fixed: what others refer to comes first."""

FILE_BY_NAME: dict[str, File] = {file.name: file for file in FILES}
FILE_NAMES: tuple[str, ...] = tuple(FILE_BY_NAME)

MANIFEST = "manifest"
MODES = ("bulk", "delta", "absent")
