"""What a district's page shows: its nights, and one delivery in full."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from itertools import groupby
from typing import TypeAlias, TypeVar

from psycopg.rows import class_row

from rollcall import ledger
from rollcall.codes import catalog
from rollcall.decision.change_list import ExpectedChange, expected_changes, where_it_lies
from rollcall.decision.holds import Hold, hold_of
from rollcall.districts import DistrictFileError, Pause
from rollcall.findings import Finding, findings_of
from rollcall.ledger import Delivery
from rollcall.onboarding.district_file import OnboardingError, require_district
from rollcall.report.next_steps import NEXT_STEPS, NextStep
from rollcall.report.receipt import FileLine, file_lines
from rollcall.report.status import state_of
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, value

NIGHTS_LISTED = 30
ROWS_SHOWN = 20
"""How many rows of a finding the page lists; the receipt has more."""
CHANGES_SHOWN = 200
ACTS_LISTED = 10
"""How many of the acts on record the page lists; `rollcall history` has all."""
AGAIN = (
    DeliveryState.REJECTED,
    DeliveryState.DISCARDED,
    DeliveryState.CONFORM_FAILED,
    DeliveryState.AUDIT_FAILED,
)
"""The states of a delivery that came to nothing, and can be taken again from the archive."""


@dataclass(frozen=True)
class Night:
    """One night of a district, and the delivery that serves it."""

    night: date
    outcome: str
    delivery_state: str | None
    message: str | None
    delivery_id: int | None
    rows: int | None
    set_aside: int | None
    seconds: float | None

    @property
    def step(self) -> NextStep:
        """Its state in words."""
        return NEXT_STEPS[state_of(self.outcome, self.delivery_state)]


@dataclass(frozen=True)
class Decision:
    """What somebody decided about a hold, and what became of it: a row of ``rollcall.hold_decision``."""

    settlement: str
    decided_by: str
    why: str
    via: str
    decided_at: datetime
    outcome: str
    outcome_reason: str | None


@dataclass(frozen=True)
class Again:
    """Who had a delivery taken again: a row of ``rollcall.delivery_again``."""

    asked_by: str
    why: str
    asked_at: datetime


Row = TypeVar("Row", Decision, Again)


@dataclass(frozen=True)
class Publication:
    """A sequence that readers saw, and the last night that it stood for."""

    sequence: int
    night: date


@dataclass(frozen=True)
class Pauses:
    """The nights on which nothing is expected of a district.

    Attributes:
        tonight: The night that a run of today serves.
        listed: The pauses that are not over.
    """

    tonight: date
    listed: tuple[Pause, ...]


@dataclass(frozen=True)
class ShownFinding:
    """What was found under one code in one file, and where its rule is explained."""

    found: Finding
    page: str | None

    @property
    def more(self) -> int:
        """How many rows the page does not list."""
        return self.found.count - min(len(self.found.listed), ROWS_SHOWN)


FoundInFiles: TypeAlias = tuple[tuple[str, tuple[ShownFinding, ...]], ...]
"""Findings, by the file."""


@dataclass(frozen=True)
class DeliveryInFull:
    """One delivery: what came, what was found, what it would change, what was decided.

    Attributes:
        findings: What should be fixed.
        notes: What is only worth knowing.
        change_list: Where in the archive the list of changed ids lies, as a person finds it; None when there is none.
    """

    delivery: Delivery
    files: tuple[FileLine, ...]
    findings: FoundInFiles
    notes: FoundInFiles
    hold: Hold | None
    change_list: str | None
    changes: tuple[ExpectedChange, ...]
    decisions: tuple[Decision, ...]
    taken_again: tuple[Again, ...]

    @property
    def waits(self) -> bool:
        """Whether somebody has to decide."""
        return self.delivery.state is DeliveryState.HELD and self.hold is not None and self.hold.is_open

    @property
    def notes_counted(self) -> int:
        """How many notes there are."""
        return sum(len(notes) for _, notes in self.notes)

    @property
    def has_a_run(self) -> bool:
        """Whether a run received it: a rollback, or other ids, are nobody's delivery."""
        return self.delivery.source not in ledger.NOBODY_SENT

    @property
    def may_be_taken_again(self) -> bool:
        """Whether it came to nothing, and lies in the archive."""
        return self.delivery.state in AGAIN and not self.delivery.was_left


def nights(connection: Connection, district_id: str, before: date | None = None) -> list[Night]:
    """A district's nights, the latest first.

    Args:
        connection: A connection to the ledger.
        district_id: The district.
        before: Only nights before this one.
    """
    with connection.cursor(row_factory=class_row(Night)) as cursor:
        cursor.execute(
            """
            with latest as (
                select * from rollcall.night
                where district_id = %s and service_date < coalesce(%s, 'infinity'::date)
                order by service_date desc limit %s
            )

            select
                latest.service_date as night,
                latest.outcome,
                delivery.state as delivery_state,
                coalesce(delivery.state_reason, latest.message) as message,
                latest.delivery_id,
                delivery.records as rows,
                delivery.set_aside,
                extract(epoch from coalesce(published_at, decided_at) - arrived_at)::double precision as seconds
            from latest
            left join rollcall.delivery using (delivery_id)
            order by night desc
            """,
            (district_id, before, NIGHTS_LISTED),
        )
        return cursor.fetchall()


def delivery_to_show(connection: Connection, district_id: str, asked: int | None) -> Delivery | None:
    """The delivery that was asked for; else the one that waits for a person, else the newest.

    Args:
        connection: A connection to the ledger.
        district_id: The district; a delivery of another one is not shown (law 6).
        asked: The delivery's number; None when none was asked for.

    Raises:
        UnknownDeliveryError: the district has no delivery of that number.
    """
    if asked is not None:
        found = ledger.delivery(connection, asked)
        if found.district_id != district_id:
            raise ledger.UnknownDeliveryError(f"{district_id} has no delivery {asked}.")
        return found
    newest = value(
        connection,
        "select delivery_id from rollcall.delivery where district_id = %s and state <> 'receiving'"
        " order by state = 'held' desc, service_date desc, arrived_at desc, delivery_id desc limit 1",
        (district_id,),
    )
    return None if newest is None else ledger.delivery(connection, newest)


def in_full(connection: Connection, delivery: Delivery) -> DeliveryInFull:
    """Everything that the page tells of a delivery."""
    hold = hold_of(connection, delivery.delivery_id)
    found = [ShownFinding(each, _page_of(each)) for each in findings_of(connection, delivery.delivery_id)]
    return DeliveryInFull(
        delivery,
        file_lines(connection, delivery),
        _by_file(each for each in found if each.found.severity != "info"),
        _by_file(each for each in found if each.found.severity == "info"),
        hold,
        where_it_lies(hold.change_list) if hold and hold.change_list else None,
        tuple(expected_changes(connection, delivery.delivery_id, CHANGES_SHOWN)) if hold else (),
        _of_delivery(connection, Decision, "hold_decision", delivery.delivery_id),
        _of_delivery(connection, Again, "delivery_again", delivery.delivery_id),
    )


def publications_before(connection: Connection, district_id: str) -> list[Publication]:
    """What a district can go back to: the sequences published before the present one, the newest first."""
    with connection.cursor(row_factory=class_row(Publication)) as cursor:
        cursor.execute(
            """
            select event.sequence, max(event.effective_date) as night
            from rollcall.publication_event as event
            inner join rollcall.publication using (district_id)
            where event.district_id = %s and event.sequence < publication.sequence
            group by event.sequence
            order by event.sequence desc
            """,
            (district_id,),
        )
        return cursor.fetchall()


def _by_file(found: Iterable[ShownFinding]) -> FoundInFiles:
    return tuple((file, tuple(same)) for file, same in groupby(found, key=lambda each: each.found.file))


def pauses_of(district_id: str) -> Pauses | None:
    """The pauses of a district that has a usable file; None of another one."""
    try:
        known = require_district(district_id)
    except (DistrictFileError, OnboardingError):
        return None
    tonight = known.service_date(datetime.now(UTC))
    return Pauses(tonight, tuple(each for each in known.pauses if each.last_night >= tonight))


def _page_of(found: Finding) -> str | None:
    known = catalog().get(found.code)
    return known.page if known else None


def _of_delivery(connection: Connection, row: type[Row], table: str, delivery_id: int) -> tuple[Row, ...]:
    """The rows that a table of the ledger has of a delivery, the first one first."""
    columns = ", ".join(field.name for field in fields(row))
    with connection.cursor(row_factory=class_row(row)) as cursor:
        cursor.execute(
            f"select {columns} from rollcall.{table} where delivery_id = %s order by {table}_id", (delivery_id,)
        )
        return tuple(cursor.fetchall())
