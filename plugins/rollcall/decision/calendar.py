"""Whether a delivery brings a new school year, and whether one is to be expected."""

from dataclasses import dataclass
from datetime import date, timedelta

from rollcall.decision.changes import says_something
from rollcall.decision.comparison import Comparison
from rollcall.decision.school_years import Session, delivered_sessions, published_sessions, school_year_on
from rollcall.ledger import DeliveryFile
from rollcall.warehouse import Connection


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
    delivery, publication = comparison.delivery, comparison.publication
    return compare_school_years(
        delivery.service_date,
        publication.night or delivery.service_date,
        roll_over_days,
        published_sessions(connection, publication),
        delivered_sessions(connection, delivery, publication, sent.mode if sent and says_something(sent) else None),
    )
