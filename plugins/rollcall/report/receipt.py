"""The receipt: what became of a delivery, what is wrong with it and what happens next, without a value (law 7)."""

import re
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rollcall import ledger
from rollcall.decision.holds import hold_of
from rollcall.districts import District
from rollcall.findings import FIX_ORDER, Finding, findings_of, in_order
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.report.wording import Wording, wording_of
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection

CHANGES_ARE = {
    DeliveryState.PUBLISHED: "were",
    DeliveryState.HELD: "would be",
    DeliveryState.ACCEPTED: "would be",
    DeliveryState.RECEIVED: "would be",
}
"""How to speak of a delivery's changes, by its state; of one that came to nothing they would have been."""

STILL_EXPLAINED_BY_ITS_HOLD = (DeliveryState.HELD, DeliveryState.DISCARDED, DeliveryState.SUPERSEDED)
"""States of a delivery whose hold's reasons still are what its district has to look at."""


_NAME = re.compile(r"\d{4}-\d\d-\d\d-(\d{1,18})-[a-z]+\.[a-z]+")
"""What the files of a delivery's receipt, and its change list, are called: the night, the number, the kind."""


def number_in(name: str) -> int | None:
    """Of which delivery a receipt or a change list is, by its file's name; None of any other file."""
    named = _NAME.fullmatch(name)
    return int(named[1]) if named else None


@dataclass(frozen=True)
class Changes:
    """What a delivery changes in one file's records, against what was published before it.

    Attributes:
        kept: Records that it does not name, or whose row was set aside, and that stay as they were; None before it is
            published.
    """

    file: str
    added: int
    changed: int
    removed: int
    kept: int | None


@dataclass(frozen=True)
class FileLine:
    """One file of the delivery, in numbers of records; None where nothing is known, for it was not read or judged.

    Attributes:
        verdict: ``accept``, ``hold`` or ``reject``.
        reason: Why it is not accepted.
    """

    file: str
    read: int | None
    set_aside: int | None
    verdict: str | None
    reason: str | None
    changes: Changes | None

    @property
    def refused(self) -> bool:
        """Whether it was refused as a whole."""
        return self.verdict == "reject"

    @property
    def accepted(self) -> int | None:
        """Records that count: none of a file that was refused as a whole."""
        if self.read is None or self.set_aside is None:
            return None
        return 0 if self.refused else self.read - self.set_aside


@dataclass(frozen=True)
class Receipt:
    """Everything that a receipt tells.

    Attributes:
        arrived_at: In the district's time zone.
        wording: How the delivery stands, in sentences.
        reasons: Why it is or was held, as sentences.
        files: Its files, in the order in which their errors are best fixed.
        changes_are: ``were``, ``would be`` or ``would have been``.
        found: What was found, in the same order.
    """

    district: District
    delivery: Delivery
    arrived_at: datetime
    wording: Wording
    reasons: tuple[str, ...]
    files: tuple[FileLine, ...]
    changes_are: str
    found: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """What the receipt's files are called, up to their kind."""
        return f"{self.delivery.service_date}-{self.delivery.delivery_id}"

    @property
    def was_read(self) -> bool:
        """Whether there are numbers to show."""
        return any(file.read is not None for file in self.files)

    @property
    def has_changes(self) -> bool:
        """Whether it is known what the delivery changes."""
        return any(file.changes is not None for file in self.files)


def receipt_of(connection: Connection, district: District, delivery: Delivery) -> Receipt:
    """The receipt of a delivery, as the ledger has it now.

    Args:
        connection: A connection to the ledger.
        district: The district.
        delivery: The delivery.
    """
    hold = hold_of(connection, delivery.delivery_id)
    files = file_lines(connection, delivery)
    found = findings_of(connection, delivery.delivery_id)
    if hold is not None and delivery.state in STILL_EXPLAINED_BY_ITS_HOLD:
        found = [*in_order(reason.as_finding() for reason in hold.reasons), *found]
    return Receipt(
        district=district,
        delivery=delivery,
        arrived_at=delivery.arrived_at.astimezone(district.zone),
        wording=wording_of(
            delivery,
            last_good=ledger.last_good_night(connection, district.district_id),
            read=sum(file.read or 0 for file in files),
            set_aside=sum((file.read or 0) - (file.accepted or 0) for file in files),
        ),
        reasons=hold.sentences if hold else (),
        files=files,
        changes_are=CHANGES_ARE.get(delivery.state, "would have been"),
        found=tuple(found),
    )


def file_lines(connection: Connection, delivery: Delivery) -> tuple[FileLine, ...]:
    """A delivery's files, in the order in which their errors are best fixed.

    Args:
        connection: A connection to the ledger.
        delivery: The delivery.
    """
    changes = _changes(connection, delivery)
    sent = {file.file: file for file in ledger.files_of(connection, delivery.delivery_id)}
    return tuple(_line(sent[name], changes.get(name)) for name in FIX_ORDER if name in sent)


def _line(sent: DeliveryFile, changes: Changes | None) -> FileLine:
    return FileLine(sent.file, sent.rows_landed, sent.rows_set_aside, sent.verdict, sent.verdict_reason, changes)


def _changes(connection: Connection, delivery: Delivery) -> dict[str, Changes]:
    """What the delivery changed, once it is published, and what it would change before that; by file."""
    with connection.cursor(row_factory=class_row(Changes)) as cursor:
        if delivery.state is DeliveryState.PUBLISHED:
            cursor.execute(
                "select entity as file, added, changed, removed, kept from rollcall.change_count "
                "where delivery_id = %s",
                (delivery.delivery_id,),
            )
        else:
            cursor.execute(
                """
                select file, added, changed, removed, null::bigint as kept from rollcall.expected_change
                where delivery_id = %s and school_source_id is null
                """,
                (delivery.delivery_id,),
            )
        return {changes.file: changes for changes in cursor.fetchall()}
