"""The reference model: what readers should see after any sequence of nights, by the plainest means.

Written from the blueprint's laws, DECISIONS.md and what the codes in docs/rules mean, not from the SQL: dictionaries,
loops, one row at a time. It knows nothing of tables, sequences or builds. A district is what was last published of it.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES

Record = dict[str, Any]
Key = tuple[str, ...] | tuple[str, int]
Published = dict[str, dict[Key, Record]]
Files = Mapping[str, bytes]
Why = tuple[str, str | None]
"""Why a delivery is held: the code, and the file that it is about."""

ORG_TYPES = {"department", "school", "district", "local", "state", "national"}
SESSION_TYPES = {"gradingperiod": "gradingPeriod", "semester": "semester", "schoolyear": "schoolYear", "term": "term"}
ROLES = {"administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher"}
STAFF = {"administrator", "aide", "proctor", "teacher"}

MUST_HAVE = {
    "orgs": ("name", "type"),
    "academicSessions": ("type",),
    "users": ("role",),
    "classes": ("schoolSourcedId",),
    "enrollments": ("classSourcedId", "userSourcedId", "role"),
}
"""Cells without which a record cannot be used, beside its sourcedId."""

MUST_BE_KNOWN = {
    "classes": {"schoolSourcedId": "orgs"},
    "enrollments": {"classSourcedId": "classes", "userSourcedId": "users"},
}
"""References without which a record cannot be used, in the order in which they are looked at."""


@dataclass
class Row:
    """One record of a file.

    Attributes:
        source_id: Its id; None where it has none, or where what stands there cannot be trusted.
        cells: Its cells by the standard's column names, blank ones as None; empty for one that does not fit the header.
        set_aside: Whether its last good version is to stay instead.
        copy: Whether it says the same as an earlier row, which counts.
    """

    source_id: str | None
    cells: dict[str, str | None]
    set_aside: bool = False
    copy: bool = False

    @property
    def deletes(self) -> bool:
        """Whether it says that its record is to be deleted."""
        return (self.cells.get("status") or "").lower() in ("tobedeleted", "inactive")


@dataclass
class Sent:
    """One file of a delivery: how it was meant, and what stands in it."""

    mode: str
    rows: list[Row]

    @property
    def fits(self) -> list[Row]:
        return [row for row in self.rows if row.cells]

    @property
    def is_whole(self) -> bool:
        """Whether what it does not name does not exist: references are looked up in nothing else."""
        return self.mode == "bulk" and bool(self.fits)


@dataclass
class Night:
    """What a district had on one night.

    Attributes:
        students: Who is listed with each school, published or not.
        schools: Per published school: students, staff, classes, enrollments that are active.
    """

    students: dict[str, set[str]]
    schools: dict[str, tuple[int, int, int, int]]


@dataclass
class Reference:
    """One district.

    Attributes:
        inclusive: Whether an enrollment's end date is its last day, or the day after.
        published: Per file, what readers see.
        effective: The night that the publication stands for.
        content: The files that are published.
        nights: What was there on every night that a publication stood for.
    """

    inclusive: bool = True
    published: Published = field(default_factory=lambda: {file: {} for file in FILE_NAMES})
    effective: date | None = None
    content: Files | None = None
    nights: dict[date, Night] = field(default_factory=dict)

    def read(self, files: Files) -> dict[str, Sent]:
        """The delivery's files, with the rows that are set aside marked."""
        modes = _modes(files)
        sent = {
            file: Sent(modes[file], list(self._rows(file, files[f"{file}.csv"])))
            for file in FILE_NAMES
            if f"{file}.csv" in files
        }
        for file, each in sent.items():
            _set_aside_alone(file, each)
        for file, references in MUST_BE_KNOWN.items():  # classes first: enrollments depend on them
            for column, other in references.items() if file in sent else ():
                known = self._known(sent, other)
                for row in sent[file].fits:
                    named = row.cells[column]
                    row.set_aside |= not row.deletes and named is not None and named not in known
        return sent

    def publish(self, files: Files, night: date, *, approved: bool) -> None:
        """What readers see once the delivery is accepted.

        Args:
            night: Its service date.
            approved: Whether a person looked at it, and let it through.
        """
        sent = self.read(files)
        before = {file: dict(records) for file, records in self.published.items()}
        years = self._years(sent, night)
        for file, each in sent.items():
            self._publish_file(file, each, before[file], years, approved=approved)
        self.content = files
        self.stand_for(night)

    def would_change(self, files: Files, night: date) -> bool:
        """Whether readers would see something else once a delivery is accepted."""
        return self._after(files, night) != self.published

    def _after(self, files: Files, night: date) -> Published:
        """What readers would see once a delivery is accepted."""
        after = deepcopy(self)
        after.publish(files, night, approved=False)
        return after.published

    def stand_for(self, night: date) -> None:
        """What is published stands for a night: that of its delivery, or of a later one that changes nothing."""
        self.effective = night
        students, staff = self._listed({"student"}), self._listed(STAFF)
        classes = [one["school_source_id"] for one in self.published["classes"].values()]
        active = [
            one["school_source_id"]
            for one in self.published["enrollments"].values()
            if one["role"] == "student" and self._is_active(one)
        ]
        schools = [str(key[0]) for key, one in self.published["orgs"].items() if one["type"] == "school"]
        self.nights[night] = Night(
            students,
            {
                school: (
                    len(students.get(school, ())),
                    len(staff.get(school, ())),
                    classes.count(school),
                    active.count(school),
                )
                for school in schools
            },
        )

    def _listed(self, roles: set[str]) -> dict[str, set[str]]:
        """The people of some roles, by the organisations that they are listed with."""
        listed: dict[str, set[str]] = {}
        for key, one in self.published["users"].items():
            for org in one["org_source_ids"] or [] if one["role"] in roles else []:
                listed.setdefault(org, set()).add(str(key[0]))
        return listed

    def is_empty(self, files: Files) -> bool:
        """Whether no file holds a record, though one was to hold all: empty deltas alone say that nothing changed."""
        sent = self.read(files).values()
        return any(each.mode == "bulk" for each in sent) and not any(each.fits for each in sent)

    def must_be_held(self, files: Files, *, first_held: bool, none_set_aside: bool) -> set[Why]:
        """Why a person has to be asked, where that is plain from the rows.

        Args:
            first_held: Whether a person looks at the district's first delivery.
            none_set_aside: Whether no row of it may be set aside.
        """
        sent = self.read(files)
        why: set[Why] = {("hold_first_delivery", None)} if first_held and self.content is None else set()
        if none_set_aside:
            why |= {("hold_set_aside", file) for file, each in sent.items() if any(row.set_aside for row in each.rows)}
        for file, each in sent.items():
            if each.mode == "bulk" and not each.rows and self.published[file]:
                why.add(("hold_file_vanished", file))
        return why

    def may_be_held(self, files: Files, night: date) -> set[Why]:
        """Why a person may be asked besides: what has to be so of each reason that other tests look at closely."""
        sent = self.read(files)
        after = self._after(files, night)
        # Of any district or school that had none, one more is more than all.
        why: set[Why] = {("hold_added", file) for file in sent if after[file].keys() - self.published[file].keys()}
        for file, each in sent.items():
            if not files[f"{file}.csv"].endswith(b"\n"):
                why |= {("hold_file_breaks_off", file), ("hold_line_end_missing", file)}
            if each.mode == "bulk" and self._ids(file) - {row.source_id for row in each.fits if not row.deletes}:
                why.add(("hold_tail_missing", file))
        if any(self._is_unnamed(school, sent) for school in self._ids("orgs")):
            why.add(("hold_school_vanished", None))
        years = {int(row.cells["schoolYear"] or 0) for _, row in _accepted(sent, "academicSessions")}
        if years - {int(key[1]) for key in self.published["academicSessions"]}:
            why.add(("hold_roll_over_unexpected", "academicSessions"))
        return why

    def _is_unnamed(self, school: str | None, sent: Mapping[str, Sent]) -> bool:
        """Whether a published organisation is gone, or no record of tonight's full files names it."""
        orgs = sent.get("orgs")
        if orgs and school not in {row.source_id for row in orgs.fits if not row.deletes and not row.set_aside}:
            return True
        columns = {"users": "orgSourcedIds", "classes": "schoolSourcedId", "enrollments": "schoolSourcedId"}
        whole = {file: sent[file] for file in columns if file in sent and sent[file].is_whole}
        named = {
            one for file, each in whole.items() for row in each.fits for one in _list(row.cells[columns[file]]) or []
        }
        return bool(whole) and school not in named

    def _rows(self, file: str, content: bytes) -> Iterator[Row]:
        header, *lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        for cells in lines:
            if not "".join(cells).strip():
                continue
            if len(cells) < len(header) or any(cells[len(header) :]):
                first = cells[0].strip()
                yield Row(first if first in self._ids(file) else None, {}, set_aside=True)
            else:
                named = dict(zip(header, (cell.strip() or None for cell in cells), strict=False))
                yield Row(named["sourcedId"], named)

    def _ids(self, file: str) -> set[str | None]:
        return {str(key[0]) for key in self.published[file]}

    def _known(self, sent: Mapping[str, Sent], file: str) -> set[str | None]:
        """The ids that a reference may name tonight."""
        if file not in sent:
            return self._ids(file)
        each = sent[file]
        deleted = {row.source_id for row in each.fits if row.deletes and not row.set_aside}
        delivered = {row.source_id for row in each.fits if not row.set_aside}
        return (delivered if each.is_whole else delivered | self._ids(file)) - deleted

    def _is_evidence(self, file: str, each: Sent, *, approved: bool) -> bool:
        """Law 5: whether what the file does not name is gone."""
        doubtful = any(row.set_aside and not row.copy and row.source_id not in self._ids(file) for row in each.rows)
        return each.mode == "bulk" and bool(each.rows) and (approved or not doubtful)

    def _publish_file(
        self, file: str, each: Sent, before: dict[Key, Record], years: Mapping[tuple[str, int], int], *, approved: bool
    ) -> None:
        now = self.published[file]
        evidence = self._is_evidence(file, each, approved=approved)
        accepted: dict[Key, Row] = {}
        for number, row in enumerate(each.rows):
            if not row.set_aside:
                year = years.get((file, number))
                accepted[(str(row.source_id),) if year is None else (str(row.source_id), year)] = row
        spared = {row.source_id for row in each.rows if row.set_aside}
        for key in before:
            if key not in accepted and evidence and key[0] not in spared:
                del now[key]
        for key, row in accepted.items():
            if row.deletes:  # whatever its school year: what is published may be last year's under the same id
                for published in [each for each in now if each[0] == row.source_id]:
                    del now[published]
            else:
                now[key] = record_of(file, row.cells)

    def _years(self, sent: Mapping[str, Sent], night: date) -> dict[tuple[str, int], int]:
        """The school year of each row of the files that are keyed by it: DECISIONS.md, "The school year"."""
        years: dict[tuple[str, int], int] = {}
        sessions: dict[str, int] = {}
        for number, row in _accepted(sent, "academicSessions"):
            start = _date(row.cells["startDate"])
            said = row.cells["schoolYear"]
            years["academicSessions", number] = int(said) if said else _year_of(start or night)
            sessions[str(row.source_id)] = years["academicSessions", number]
        tonight = _year_of_the_night(sent, years, night)
        classes: dict[str, int] = {}
        for number, row in _accepted(sent, "classes"):
            terms = _list(row.cells["termSourcedIds"]) or []
            named = [sessions.get(term) for term in terms] + [self._latest("academicSessions", term) for term in terms]
            found = [year for year in named if year is not None]
            year = found[0] if found else self._latest("classes", str(row.source_id)) or tonight
            years["classes", number] = classes[str(row.source_id)] = year
        for number, row in _accepted(sent, "enrollments"):
            of_class = str(row.cells["classSourcedId"])
            years["enrollments", number] = (
                classes.get(of_class)
                or self._latest("classes", of_class)
                or self._latest("enrollments", str(row.source_id))
                or tonight
            )
        return years

    def _latest(self, file: str, source_id: str) -> int | None:
        """The latest school year in which an id is published."""
        return max((int(key[1]) for key in self.published[file] if key[0] == source_id), default=None)

    def marts(self) -> dict[str, set[tuple[Any, ...]]]:
        """The keys of the marts' rows, and with each what depends on the night."""
        users, enrollments = self.published["users"], self.published["enrollments"]
        of_students = {key: one for key, one in enrollments.items() if one["role"] == "student"}
        return {
            "dim_school": {key for key, one in self.published["orgs"].items() if one["type"] == "school"},
            "dim_term": set(self.published["academicSessions"]),
            "dim_course": set(self.published["courses"]),
            "dim_class": set(self.published["classes"]),
            "dim_student": {key for key, one in users.items() if one["role"] == "student"},
            "dim_staff": {key for key, one in users.items() if one["role"] in STAFF},
            "fct_enrollment": {(*key, self._is_active(one)) for key, one in of_students.items()},
            "fct_teaching": {
                (*key, self._is_active(one)) for key, one in enrollments.items() if one["role"] != "student"
            },
            "roster": {
                (one["user_source_id"], one["class_source_id"], key[1], self._teacher(one["class_source_id"], key[1]))
                for key, one in of_students.items()
                if self._is_active(one)
                and (one["user_source_id"],) in users
                and (one["class_source_id"], key[1]) in self.published["classes"]
            },
            "fct_school_membership": {
                (str(key[0]), school, "student" if one["role"] == "student" else "staff")
                for key, one in users.items()
                if one["role"] in STAFF | {"student"}
                for school in one["org_source_ids"] or []
                if self.published["orgs"].get((school,), {}).get("type") == "school"
            },
            "agg_school_daily": set(self._daily()),
            "dim_student_demographics": {
                key for key in self.published["demographics"] if users.get(key, {}).get("role") == "student"
            },
        }

    def _daily(self) -> Iterator[tuple[Any, ...]]:
        """Every night of every school, with who joined and left since the night before."""
        before: Night | None = None
        for day, night in sorted(self.nights.items()):
            for school, counts in night.schools.items():
                now, earlier = (each.students.get(school, set()) for each in (night, before or night))
                moved = (len(now - earlier), len(earlier - now)) if before else (None, None)
                yield school, day, *counts, *moved
            before = night

    def _is_active(self, enrollment: Record) -> bool:
        assert self.effective
        begins, ends = enrollment["begin_date"], enrollment["end_date"]
        if begins and begins > self.effective:
            return False
        return not ends or ends > self.effective or (self.inclusive and ends == self.effective)

    def _teacher(self, class_id: str, year: Any) -> str | None:
        """DECISIONS.md, "One primary teacher per class", if that person is published."""
        taught = [
            (not self._is_active(one), not one["is_primary"], str(key[0]), one["user_source_id"])
            for key, one in self.published["enrollments"].items()
            if one["role"] == "teacher" and one["class_source_id"] == class_id and key[1] == year
        ]
        return min(taught)[3] if taught and (min(taught)[3],) in self.published["users"] else None


def record_of(file: str, cells: Mapping[str, str | None]) -> Record:
    """A record's attributes by the names of its history, as the standard's kinds say that they are to be read."""
    read: dict[str, Callable[[str], Any]] = {
        "text": str, "id": str, "list": _list, "ids": _list, "date": _date, "boolean": _boolean, "year": int,
        "enumeration": lambda cell: SESSION_TYPES.get(cell.lower(), cell.lower()),
    }  # fmt: skip
    return {
        name.replace("sourced_id", "source_id").replace("enabled_user", "is_enabled"): (
            None if cells.get(column.name) is None else read[column.kind](str(cells[column.name]))
        )
        for column in FILE_BY_NAME[file].landed_columns
        if (name := column.column_name) not in ("sourced_id", "status", "date_last_modified", "school_year")
    }


def _modes(files: Files) -> dict[str, str]:
    """What the manifest says; what it does not list is no evidence. Without a manifest, all is there is."""
    if "manifest.csv" not in files:
        return dict.fromkeys(FILE_NAMES, "bulk")
    said = dict(line.split(",") for line in files["manifest.csv"].decode().split())
    return {file: "bulk" if said.get(f"file.{file}") == "bulk" else "delta" for file in FILE_NAMES}


def _set_aside_alone(file: str, each: Sent) -> None:
    """Mark the rows that cannot be used whatever the other files hold."""
    for row in each.fits:
        twins = [other for other in each.fits if other.source_id == row.source_id]
        says = [_content(twin) for twin in twins]
        row.copy = row is not twins[0] and all(one == says[0] for one in says)
        row.set_aside = (
            row.source_id is None or row.copy or any(one != says[0] for one in says) or not _is_usable(file, row.cells)
        )


def _content(row: Row) -> tuple[bool, Record]:
    """What two rows of one record must have in common to say the same."""
    return row.deletes, {name: cell for name, cell in row.cells.items() if name not in ("status", "dateLastModified")}


def _is_usable(file: str, cells: Mapping[str, str | None]) -> bool:
    if any(cells[column] is None for column in MUST_HAVE.get(file, ())):
        return False
    if file == "users" and cells["givenName"] is None and cells["familyName"] is None:
        return False
    allowed = {"orgs": ORG_TYPES, "academicSessions": set(SESSION_TYPES)}.get(file, ROLES)
    for column in FILE_BY_NAME[file].landed_columns:
        cell = cells[column.name]
        if cell is None:
            continue
        if column.name in ("type", "role") and cell.lower() not in allowed:
            return False
        if column.kind == "date" and _date(cell) is None:
            return False
        if column.kind == "boolean" and _boolean(cell) is None:
            return False
    return True


def _accepted(sent: Mapping[str, Sent], file: str) -> list[tuple[int, Row]]:
    """A file's rows that count, with their places; none when it was not sent."""
    rows = sent[file].rows if file in sent else []
    return [(number, row) for number, row in enumerate(rows) if not row.set_aside]


def _year_of(day: date) -> int:
    """A school year begins on July 1 and is named after its end."""
    return day.year + (day.month >= 7)


def _year_of_the_night(sent: Mapping[str, Sent], years: Mapping[tuple[str, int], int], night: date) -> int:
    """The session that contains the night, else the one that started last, else the first to come, else July 1."""
    spans = [
        (_date(row.cells["startDate"]), _date(row.cells["endDate"]), years["academicSessions", number])
        for number, row in _accepted(sent, "academicSessions")
        if not row.deletes
    ]
    dated = [(start, end, year) for start, end, year in spans if start]
    holding = [(start, year) for start, end, year in dated if end and start <= night <= end]
    begun = [(start, year) for start, _, year in dated if start <= night]
    to_come = [(start, -year) for start, _, year in dated if start > night]
    if holding or begun:
        return max(holding or begun)[1]
    return -min(to_come)[1] if to_come else _year_of(night)


def _date(cell: str | None) -> date | None:
    try:
        return date.fromisoformat(cell or "")
    except ValueError:
        return None


def _boolean(cell: str) -> bool | None:
    return {"true": True, "false": False}.get(cell.lower())


def _list(cell: str | None) -> list[str] | None:
    return None if cell is None else [part.strip() for part in cell.split(",") if part.strip()]
