"""One night of a district: its delivery, and what the simulator says is in it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rollcall.progress import tell
from simulator.change import live_through
from simulator.district import District
from simulator.package import MANIFEST_NAME, ZIP_NAME, pack, write_csv, write_manifest
from simulator.profile import Profile
from simulator.rows import HEADERS, Extract, Row

# Rows by file and sourcedId.
_Records = dict[str, dict[str, Row]]


@dataclass(frozen=True)
class Expected:
    """What the simulator says it sent: the yardstick of tests and of the demo.

    Attributes:
        rows: Rows per file, named without ``.csv``.
        roster_rows: Distinct pairs of student and class that are active on the night's date, both ends inclusive.
        students: How many students.
        staff: How many members of staff.
        added: Per file, how many sourcedIds are new against the night before; nothing for night 1.
        changed: Per file, how many rows of a sourcedId that was there differ in any column.
        removed: Per file, how many sourcedIds are gone.
    """

    rows: dict[str, int]
    roster_rows: int
    students: int
    staff: int
    added: dict[str, int]
    changed: dict[str, int]
    removed: dict[str, int]


@dataclass(frozen=True)
class Delivery:
    """A night's files.

    Attributes:
        folder: Where they are.
        files: The seven CSV files and perhaps manifest.csv, or the zip that holds them.
        expected: What they hold.
        service_date: The date of the night.
    """

    folder: Path
    files: tuple[Path, ...]
    expected: Expected
    service_date: date


def write_night(profile: Profile, night: int, folder: Path) -> Delivery:
    """Write a night's delivery; the same profile and night always give the same bytes.

    Args:
        profile: The district.
        night: Which night, counted from 1.
        folder: Where to write; it is made if need be, and files of the same names are overwritten.

    Returns:
        The files and what they hold.

    Raises:
        ValueError: The night does not lie in the profile's school year.
    """
    district = District(profile)
    service_date = district.year.service_date(night)
    for earlier in range(2, night):
        tell(f"night {earlier}", earlier - 1, night)
        live_through(district, earlier)
    added, changed, removed = _live_and_compare(district, night) if night > 1 else ({}, {}, {})
    folder.mkdir(parents=True, exist_ok=True)
    tell("writing its files", night - 1, night)
    rows, files = _write_files(district, folder)
    expected = Expected(
        rows=rows,
        roster_rows=Extract(district).active_enrollments(service_date),
        students=rows["demographics"],
        staff=rows["users"] - rows["demographics"],
        added=added,
        changed=changed,
        removed=removed,
    )
    return Delivery(folder, _packed(profile, folder, files), expected, service_date)


def _write_files(district: District, folder: Path) -> tuple[dict[str, int], list[Path]]:
    rows, files = {}, []
    for file, content in Extract(district).tables():
        files.append(folder / f"{file}.csv")
        rows[file] = write_csv(files[-1], HEADERS[file], content)
    return rows, files


def _packed(profile: Profile, folder: Path, files: list[Path]) -> tuple[Path, ...]:
    """Add the manifest and put everything into a zip, where the district does so."""
    if profile.manifest:
        write_manifest(folder / MANIFEST_NAME)
        files = [*files, folder / MANIFEST_NAME]
    if profile.packaging == "loose":
        return tuple(files)
    return (pack(files, folder / ZIP_NAME),)


def _live_and_compare(district: District, night: int) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Take the district to the night, and count what was added, changed and removed.

    Only what was touched is compared, as it was and as it is; nothing else can differ.
    """
    sections, staff = len(district.sections), len(district.staff)
    before: dict[int, list[tuple[str, Row]]] = {}

    def witness(student: int) -> None:
        if student not in before:
            before[student] = _student_rows(extract, district, student)

    extract = Extract(district)
    live_through(district, night, witness)
    extract = Extract(district)
    new = _new_rows(extract, range(sections, len(district.sections)), range(staff, len(district.staff)))
    after = [row for student in before for row in _student_rows(extract, district, student)]
    return _compare(_by_id(row for rows in before.values() for row in rows), _by_id((*after, *new)))


def _student_rows(extract: Extract, district: District, student: int) -> list[tuple[str, Row]]:
    """Return all rows about a student, with their files; none for one who is not there."""
    if not district.students.present[student]:
        return []
    enrollments = [("enrollments", row) for row in extract.student_enrollment_rows(student)]
    return [("users", extract.student_row(student)), ("demographics", extract.demographics_row(student)), *enrollments]


def _new_rows(extract: Extract, sections: range, staff: range) -> list[tuple[str, Row]]:
    """Return all rows about new sections and staff, with their files."""
    rows = [("users", extract.staff_row(teacher)) for teacher in staff]
    for number in sections:
        rows.append(("classes", extract.class_row(number)))
        rows += [("enrollments", row) for row in extract.teacher_enrollment_rows(number)]
        if extract.district.section(number).course is None:
            rows.append(("courses", extract.teacher_course_row(number)))
    return rows


def _by_id(rows: Iterable[tuple[str, Row]]) -> _Records:
    records: _Records = defaultdict(dict)
    for file, row in rows:
        records[file][row[0]] = row
    return records


def _compare(before: _Records, after: _Records) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Count, per file, the ids only in ``after``, those in both with other content, and those only in ``before``."""
    added, changed, removed = {}, {}, {}
    for file in HEADERS:
        old, new = before.get(file, {}), after.get(file, {})
        added[file] = len(new.keys() - old.keys())
        changed[file] = sum(old[same] != new[same] for same in old.keys() & new.keys())
        removed[file] = len(old.keys() - new.keys())
    return added, changed, removed
