"""The school year of what a delivery names (law 9): that of its first known term, else the one that the night lies in.

Aeries uses the ids of terms, classes and enrollments again each year; the year tells one year's class from the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from rollcall.landing.typed import accepted_rows
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME
from rollcall.published import Publication
from rollcall.warehouse import Connection

SESSIONS = FILE_BY_NAME["academicSessions"]
CLASSES = FILE_BY_NAME["classes"]
CLASS_YEARS = "class_school_year"
"""The table of a delivery's schema that says which school year each class is of, that tonight's rows may name."""

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


def school_year_on(night: date, sessions: Iterable[Session]) -> int | None:
    """The school year of a night.

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


def school_year_of(night: date, sessions: Iterable[Session]) -> int:
    """The school year of a night; where no session tells, by the month."""
    return school_year_on(night, sessions) or night.year + (night.month >= FIRST_MONTH)


def published_sessions(connection: Connection, publication: Publication) -> list[Session]:
    """The sessions that readers of a district see; those without dates tell nothing."""
    return _sessions(connection, _published(publication))


def delivered_sessions(
    connection: Connection, delivery: Delivery, publication: Publication, mode: str | None
) -> list[Session]:
    """The sessions as a delivery leaves them: its own, and what it does not name where it need not name all.

    Args:
        connection: A connection with the rights of landing.
        delivery: The delivery.
        publication: What its district has published.
        mode: How academicSessions.csv was sent, if it holds records: ``bulk`` or ``delta``.
    """
    if mode is None:
        return published_sessions(connection, publication)
    own = own_sessions(connection, delivery)
    if mode == "bulk":
        return own
    return own + _sessions(
        connection,
        sql.SQL(
            "select * from ({published}) as published"
            " where source_id not in (select source_id from ({accepted}) as accepted)"
        ).format(published=_published(publication), accepted=_accepted(delivery)),
    )


def own_sessions(connection: Connection, delivery: Delivery) -> list[Session]:
    """The sessions that a delivery sends, and does not delete."""
    return _sessions(
        connection, sql.SQL("select * from ({}) as own where not is_to_be_deleted").format(_accepted(delivery))
    )


def write_class_years(connection: Connection, delivery: Delivery, publication: Publication, default_year: int) -> None:
    """Make the table of the school years of classes, delivered and published.

    A class is of the year of its first known term: tonight's word before the published one. One whose terms are unknown
    keeps the year that it was first seen with; a new one is of the night's.

    Args:
        connection: A transaction with the rights of landing.
        delivery: The delivery, landed and gated.
        publication: What its district has published.
        default_year: The school year that the night lies in.
    """
    table = sql.Identifier(delivery.landing_schema, CLASS_YEARS)
    connection.execute(sql.SQL("drop table if exists {} cascade").format(table))
    connection.execute(
        sql.SQL(
            """
            create unlogged table {table} as
            with session_years as (
                select source_id, school_year, 1 as preference from ({sessions}) as delivered
                union all
                select source_id, school_year, 2 as preference from ({published_sessions}) as published
            ),
            delivered_classes as (select delivered.source_id, delivered.term_source_ids {classes}),
            term_years as (
                select distinct on (delivered_classes.source_id) delivered_classes.source_id, session_years.school_year
                from delivered_classes
                cross join lateral unnest(term_source_ids) with ordinality as term (source_id, place)
                inner join session_years on session_years.source_id = term.source_id
                order by delivered_classes.source_id, preference, place, session_years.school_year desc
            ),
            published_classes as (
                select source_id, max(school_year) as school_year from ({published_classes}) as published group by 1
            )
            select source_id,
                case when delivered_classes.source_id is null then published_classes.school_year
                    else coalesce(term_years.school_year, published_classes.school_year, {default_year}) end
                    as school_year
            from (select distinct source_id from delivered_classes) as delivered_classes
            full join published_classes using (source_id)
            left join term_years using (source_id)
            """
        ).format(
            table=table,
            sessions=_accepted(delivery),
            published_sessions=_published(publication),
            classes=accepted_rows(delivery, CLASSES),
            published_classes=publication.select(
                CLASSES, source_id="version.source_id", school_year="version.school_year"
            ),
            default_year=sql.Literal(default_year),
        )
    )
    connection.execute(sql.SQL("create unique index on {0} (source_id); analyze {0}").format(table))


def _published(publication: Publication) -> sql.Composed:
    """A query for the published sessions."""
    return publication.select(
        SESSIONS,
        source_id="version.source_id",
        school_year="version.school_year",
        start_date="version.start_date",
        end_date="version.end_date",
    )


def _accepted(delivery: Delivery) -> sql.Composed:
    """A query for the delivered sessions that are not set aside."""
    return sql.SQL(
        "select delivered.source_id, delivered.school_year, delivered.start_date, delivered.end_date,"
        " delivered.is_to_be_deleted {}"
    ).format(accepted_rows(delivery, SESSIONS))


def _sessions(connection: Connection, query: sql.Composed) -> list[Session]:
    rows = connection.execute(
        sql.SQL(
            "select school_year, start_date, end_date from ({}) as session"
            " where start_date is not null and end_date is not null"
        ).format(query)
    ).fetchall()
    return [Session(*row) for row in rows]
