"""The OneRoster CSV binding as data: the rostering files and their columns.

Source of every rule here: 1EdTech, OneRoster 1.1 CSV Tables; for what 1.2 moved, OneRoster CSV Binding 1.2; for what
1.0 called differently, the remarks in both.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

Kind = Literal["text", "list", "id", "ids", "date", "datetime", "year", "boolean", "enumeration"]
"""How a cell is read. ``id`` and ``ids`` name records, of this file or of another; ``list`` is comma-separated."""

NEVER_LANDED = frozenset({"password"})
"""Columns that are dropped on landing: nobody downstream needs a student's password."""

RENAMED = {"primary": "is_primary"}
"""Names that SQL reserves, and what they are called in the warehouse."""

ATTRIBUTES = {"enabledUser": "is_enabled"}
"""Columns whose attribute is called otherwise than the column, beyond that it speaks of a ``source_id``."""

NO_CONTENT = frozenset({"sourcedId", "status", "dateLastModified", "schoolYear"})
"""Columns that are no content of a record: its key, and what the row says of itself."""

TO_BE_DELETED = ("tobedeleted", "inactive")
"""What a row's status says, in lower case, when its record is to be deleted; the second is 1.0's word."""


NAMED_IN = {
    "orgSourcedId": "orgs",
    "orgSourcedIds": "orgs",
    "schoolSourcedId": "orgs",
    "schoolYearSourcedId": "academicSessions",
    "termSourcedIds": "academicSessions",
    "courseSourcedId": "courses",
    "userSourcedId": "users",
    "agentSourcedIds": "users",
    "classSourcedId": "classes",
}
"""The file of the records that a column names; ``parentSourcedId`` names those of its own file."""


@dataclass(frozen=True)
class Column:
    """One column of one file.

    Attributes:
        name: The header cell, as the standard spells it (``classSourcedId``).
        kind: How its cells are read.
        required: Whether a bulk row must fill it.
        values: Of an enumeration: the values of 1.1 and 1.2, as the standard spells them.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    values: tuple[str, ...] = ()

    @cached_property
    def column_name(self) -> str:
        """The column's name in the warehouse (``class_sourced_id``)."""
        return RENAMED.get(self.name, snake_case(self.name))

    @cached_property
    def attribute(self) -> str:
        """What the attribute that is read from it is called, as in history (``class_source_id``, ``is_enabled``)."""
        return ATTRIBUTES.get(self.name, self.column_name.replace("sourced_id", "source_id"))


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

    @cached_property
    def content(self) -> tuple[Column, ...]:
        """The columns of which a difference makes a record a changed one."""
        return tuple(column for column in self.landed_columns if column.name not in NO_CONTENT)

    @property
    def is_of_a_school_year(self) -> bool:
        """Whether its records are keyed by the school year as well (law 9)."""
        return self.name in OF_A_SCHOOL_YEAR

    @property
    def key(self) -> tuple[str, ...]:
        """The attributes that tell a district's records apart."""
        return ("source_id", "school_year") if self.is_of_a_school_year else ("source_id",)

    @property
    def owner_of_ids(self) -> str:
        """The file whose records its sourcedIds name: a student's demographics have the student's."""
        return "users" if self.name == "demographics" else self.name

    def named_by(self, column: Column) -> str | None:
        """The file whose records a column names; None where it names none."""
        return self.name if column.name == "parentSourcedId" else NAMED_IN.get(column.name)

    @property
    def school(self) -> str | None:
        """The school of a record as an expression on its attributes; of several the first counts; None without one."""
        return SCHOOLS.get(self.name)


def snake_case(name: str) -> str:
    """The snake_case form of one of the standard's camelCase names: ``userSourcedId`` → ``user_sourced_id``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _file(name: str, header: str) -> File:
    """A file from its header in shorthand.

    Args:
        name: The standard's name.
        header: The column names in order, ``:kind`` behind those that are not text, ``*`` behind the required ones.
    """
    return _with_values(File(name, tuple(_column(cell) for cell in f"{LEADING_COLUMNS} {header}".split())))


def _column(cell: str) -> Column:
    name, _, kind = cell.rstrip("*").partition(":")
    known: dict[str, Kind] = {known: known for known in get_args(Kind)}
    return Column(name, known[kind or "text"], required=cell.endswith("*"))


def _with_values(file: File) -> File:
    """The file, with the values of its enumerations."""
    values = VALUES.get(file.name, {})
    return File(file.name, tuple(replace(column, values=values.get(column.name, ())) for column in file.columns))


OF_A_SCHOOL_YEAR = frozenset({"academicSessions", "classes", "enrollments"})
"""Files whose records are keyed by the school year as well: Aeries uses their ids again each year."""

SCHOOLS: Mapping[str, str] = {
    "classes": "school_source_id",
    "enrollments": "school_source_id",
    "users": "org_source_ids[1]",
}
"""For each file whose records belong to a school: which it is."""

PEOPLE = (
    "administrator", "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor",
    "relative", "siteAdministrator", "student", "systemAdministrator", "teacher",
)  # fmt: skip

VALUES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "orgs": {"type": ("department", "school", "district", "local", "state", "national")},
    "academicSessions": {"type": ("gradingPeriod", "semester", "schoolYear", "term")},
    "users": {"role": PEOPLE},
    "roles": {"role": PEOPLE, "roleType": ("primary", "secondary")},
    "classes": {"classType": ("homeroom", "scheduled")},
    "enrollments": {"role": ("administrator", "proctor", "student", "teacher")},
    "demographics": {"sex": ("male", "female", "other", "unspecified")},
}
"""The values of enumerations, of 1.1 and of 1.2, per file and column."""

LEADING_COLUMNS = "sourcedId:id* status:enumeration dateLastModified:datetime"
"""The columns with which every file begins."""

FILES: tuple[File, ...] = (
    _file("orgs", "name* type:enumeration* identifier parentSourcedId:id"),
    _file(
        "academicSessions",
        "title* type:enumeration* startDate:date* endDate:date* parentSourcedId:id schoolYear:year*",
    ),
    _file(
        "courses",
        "schoolYearSourcedId:id title* courseCode grades:list orgSourcedId:id* subjects:list subjectCodes:list",
    ),
    _file(
        "users",
        "enabledUser:boolean* orgSourcedIds:ids* role:enumeration* username* userIds:list givenName* familyName* "
        "middleName identifier email sms phone agentSourcedIds:ids grades:list password",
    ),
    _file(
        "classes",
        "title* grades:list courseSourcedId:id* classCode classType:enumeration* location schoolSourcedId:id* "
        "termSourcedIds:ids* subjects:list subjectCodes:list periods:list",
    ),
    _file(
        "enrollments",
        "classSourcedId:id* schoolSourcedId:id* userSourcedId:id* role:enumeration* primary:boolean beginDate:date "
        "endDate:date",
    ),
    _file(
        "demographics",
        "birthDate:date sex:enumeration americanIndianOrAlaskaNative:boolean asian:boolean "
        "blackOrAfricanAmerican:boolean nativeHawaiianOrOtherPacificIslander:boolean white:boolean "
        "demographicRaceTwoOrMoreRaces:boolean hispanicOrLatinoEthnicity:boolean countryOfBirthCode "
        "stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
    ),
)
"""The seven rostering files, in the order in which their errors are best fixed: what others refer to comes first."""

ROLES = _file(
    "roles",
    "userSourcedId:id* roleType:enumeration* role:enumeration* beginDate:date endDate:date orgSourcedId:id* "
    "userProfileSourcedId:id",
)
"""OneRoster 1.2 says here what 1.1 says in users.csv: the roles of a person, and where."""

LANDED_FILES: tuple[File, ...] = (*FILES, ROLES)
"""Every file that is landed and gated; ``roles`` is then folded into ``users``, and conformed with it."""

FILE_BY_NAME: dict[str, File] = {file.name: file for file in LANDED_FILES}
FILE_NAMES: tuple[str, ...] = tuple(file.name for file in FILES)
LANDED_FILE_NAMES: tuple[str, ...] = tuple(file.name for file in LANDED_FILES)

NAMES_OF_1_0: Mapping[str, Mapping[str, str]] = {
    "courses": {"schoolYearId": "schoolYearSourcedId", "grade": "grades"},
    "users": {"userId": "userIds", "agents": "agentSourcedIds"},
    "classes": {"grade": "grades", "termSourcedId": "termSourcedIds", "subject": "subjects"},
    "demographics": {"userSourcedId": "sourcedId"},
}
"""What OneRoster 1.0 called columns of 1.1, per file."""

NEW_IN_1_1: Mapping[str, frozenset[str]] = {
    "academicSessions": frozenset({"schoolYear"}),
    "users": frozenset({"enabledUser"}),
}
"""Required columns of 1.1 that 1.0 did not have, per file: a file without them can be read."""

MOVED_IN_1_2: Mapping[str, frozenset[str]] = {"users": frozenset({"orgSourcedIds", "role"})}
"""Required columns of 1.1 whose content 1.2 sends in another file, per file."""

COLUMNS_OF_1_2: Mapping[str, frozenset[str]] = {
    "users": frozenset(
        {"userMasterIdentifier", "resourceSourcedIds", "preferredGivenName", "preferredMiddleName",
         "preferredFamilyName", "primaryOrgSourcedId", "pronouns"}
    ),
}  # fmt: skip
"""Columns that 1.2 added, per file: they are kept like any further column, and are nothing to speak of."""

OTHER_FILES = frozenset(
    {"categories", "classResources", "courseResources", "lineItems", "resources", "results", "userProfiles",
     "userResources", "scoreScales", "lineItemScoreScales", "resultScoreScales", "lineItemLearningObjectiveIds",
     "resultLearningObjectiveIds"}
)  # fmt: skip
"""Files of the standard that a roster has no use for."""

MANIFEST = "manifest"
MODES = ("bulk", "delta", "absent")
