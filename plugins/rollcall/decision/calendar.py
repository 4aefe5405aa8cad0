"""The school year that sessions put a night in, and whether a delivery brings a new one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg import sql

from rollcall.decision.differences import Comparison
from rollcall.decision.readings import IS_TO_BE_DELETED, SOURCE_ID, reading
from rollcall.ledger import DeliveryFile
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection

SESSIONS = FILE_BY_NAME["academicSessions"]
FIRST_MONTH = 7
"""A school year that no session tells begins on July 1, and is named after the year in which it ends."""


@dataclass(frozen=True)
class Session:
    """One academic session.

    Attributes:
        school_year: The year in which its school year ends.
    """

    school_year: int
    start: date
    end: date


@dataclass(frozen=True)
class SchoolYears:
    """What the published and the delivered sessions say of the night.

    Attributes:
        published: The school year that readers see; None when no published session tells.
        delivered: The school year in which tonight's sessions put the night; None likewise.
        first_expected: From when on the new school year would be expected.
        last_expected: Until when.
        is_beginning: Whether tonight's school year has only just begun, or is about to.
    """

    published: int | None = None
    delivered: int | None = None
    first_expected: date | None = None
    last_expected: date | None = None
    is_beginning: bool = False

    @property
    def is_roll_over(self) -> bool:
        """Whether the delivery would move readers to another school year."""
        return None not in (self.published, self.delivered) and self.published != self.delivered

    def is_expected_on(self, night: date) -> bool:
        """Whether it is a roll-over to a later school year, at a time at which the sessions let one expect it."""
        if self.published is None or self.delivered is None or self.first_expected is None:
            return False
        return self.delivered > self.published and self.first_expected <= night <= (self.last_expected or night)


def school_year_on(night: date, sessions: Iterable[Session]) -> int | None:
    """The school year of a night, by the rule of the model ``int_district_school_years``.

    The session that contains the night decides, else the one that started last, else the first to come.
    """
    ranked = sorted(
        sessions,
        key=lambda session: (
            not session.start <= night <= session.end,
            session.start > night,
            abs((night - session.start).days),
            -session.school_year,
        ),
    )
    return ranked[0].school_year if ranked else None


def compare_school_years(
    night: date, published_night: date, roll_over_days: int, published: list[Session], delivered: list[Session]
) -> SchoolYears:
    """Compare the school year that readers see with the one that a delivery brings.

    Args:
        night: The delivery's night.
        published_night: The night that the publication stands for.
        roll_over_days: How many days before the old year's end, and after the new one's start, a new year is expected.
        published: The published sessions.
        delivered: Tonight's.
    """
    before, after = school_year_on(published_night, published), school_year_on(night, delivered)
    if before is None or after is None:
        return SchoolYears(before, after)
    leeway = timedelta(days=roll_over_days)
    start = min(session.start for session in delivered if session.school_year == after)
    end = max(session.end for session in published if session.school_year == before)
    return SchoolYears(
        before, after, min(start, end) - leeway, max(start, end) + leeway, is_beginning=abs(night - start) <= leeway
    )


def school_years(
    connection: Connection, comparison: Comparison, roll_over_days: int, sent: DeliveryFile | None
) -> SchoolYears:
    """What the published sessions and tonight's say of the night.

    Args:
        connection: Any connection to the warehouse.
        comparison: The delivery and what is published.
        roll_over_days: As in the district's file.
        sent: academicSessions.csv, if the delivery holds it.
    """
    if comparison.sequence is None:
        return SchoolYears()
    return compare_school_years(
        comparison.night,
        comparison.published_night,
        roll_over_days,
        _published_sessions(connection, comparison),
        _delivered_sessions(connection, comparison, sent),
    )


def _published_sessions(connection: Connection, comparison: Comparison) -> list[Session]:
    """The sessions that readers of the district see."""
    rows = connection.execute(
        sql.SQL("select version.school_year, version.start_date, version.end_date {}").format(
            comparison.published(SESSIONS)
        )
    ).fetchall()
    return _sessions(rows)


def _delivered_sessions(connection: Connection, comparison: Comparison, sent: DeliveryFile | None) -> list[Session]:
    """The sessions as the delivery leaves them: its own, and what it does not name where it need not name all."""
    if sent is None or not sent.rows_landed:
        return _published_sessions(connection, comparison)
    columns = {column.name: reading(column) for column in SESSIONS.columns}
    rows = connection.execute(
        sql.SQL("select {year}, {start}, {end} {delivered} and not {is_to_be_deleted}").format(
            year=columns["schoolYear"],
            start=columns["startDate"],
            end=columns["endDate"],
            delivered=comparison.delivered(SESSIONS),
            is_to_be_deleted=IS_TO_BE_DELETED,
        )
    ).fetchall()
    if sent.mode != "bulk":
        rows += connection.execute(
            sql.SQL(
                "select version.school_year, version.start_date, version.end_date {published}"
                " and version.source_id not in (select {id} {delivered})"
            ).format(published=comparison.published(SESSIONS), id=SOURCE_ID, delivered=comparison.delivered(SESSIONS))
        ).fetchall()
    return _sessions(rows)


def _sessions(rows: list[tuple[object, ...]]) -> list[Session]:
    """Those that have dates. One without a school year has that in which it starts."""
    return [
        Session(int(str(year)) if year is not None else start.year + (start.month >= FIRST_MONTH), start, end)
        for year, start, end in rows
        if isinstance(start, date) and isinstance(end, date)
    ]
