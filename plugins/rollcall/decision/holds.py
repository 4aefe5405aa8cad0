"""The ledger's row of a held delivery: opened, read, and settled once; that row is the truth."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rollcall import ledger
from rollcall.decision.reasons import Reason
from rollcall.ledger import Delivery
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection

Settlement = Literal["approved", "discarded", "superseded"]
Via = Literal["airflow", "cli", "page", "delivery"]
Outcome = Literal["settled", "overtaken", "refused"]


@dataclass(frozen=True)
class Hold:
    """One row of ``rollcall.hold``.

    Attributes:
        reasons: Why the delivery is held.
        change_list: Where in the archive the list of the changed ids lies; None when nothing was published.
    """

    delivery_id: int
    reasons: tuple[Reason, ...]
    change_list: str | None
    settlement: Settlement | None
    settled_by: str | None
    settled_why: str | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """Why the delivery is held, as an operator reads it."""
        return tuple(reason.sentence for reason in self.reasons)

    @property
    def is_open(self) -> bool:
        """Whether it still waits for a person."""
        return self.settlement is None


@dataclass(frozen=True)
class Answer:
    """What somebody decides about a hold: one row of ``rollcall.hold_decision``.

    Attributes:
        by: Who.
        login: The operating system's user; None where there is none: in Airflow, and of a newer delivery.
        at: When they answered; None for now.
    """

    settlement: Settlement
    by: str
    why: str
    via: Via
    login: str | None = None
    at: datetime | None = None


def hold_of(connection: Connection, delivery_id: int, *, lock: bool = False) -> Hold | None:
    """The hold of a delivery, if it was ever held; with ``lock``, no one else settles it until the transaction ends."""
    row = connection.execute(
        "select delivery_id, reasons, change_list, settlement, settled_by, settled_why"
        " from rollcall.hold where delivery_id = %s" + (" for update" if lock else ""),
        (delivery_id,),
    ).fetchone()
    if row is None:
        return None
    number, reasons, change_list, settlement, by, why = row
    return Hold(number, tuple(Reason(**reason) for reason in reasons), change_list, settlement, by, why)


def open_hold(
    connection: Connection, delivery: Delivery, reasons: tuple[Reason, ...], sentences: str, change_list: str | None
) -> None:
    """Have a delivery wait for a person; held already, the reasons are the new ones."""
    ledger.set_state(connection, delivery.delivery_id, DeliveryState.HELD, sentences)
    connection.execute(
        """
        insert into rollcall.hold (delivery_id, reasons, change_list) values (%s, %s, %s)
        on conflict (delivery_id) do update set reasons = excluded.reasons, change_list = excluded.change_list
        where hold.settlement is null
        """,
        (delivery.delivery_id, json.dumps([reason.as_row() for reason in reasons]), change_list),
    )


def settle_once(connection: Connection, delivery_id: int, answer: Answer) -> bool:
    """Settle a hold if it is open, and write the decision down; False if it is not open, or there is none."""
    updated = connection.execute(
        """
        update rollcall.hold
        set settlement = %s, settled_by = %s, settled_why = %s, settled_via = %s, settled_at = now()
        where delivery_id = %s and settlement is null
        """,
        (answer.settlement, answer.by, answer.why, answer.via, delivery_id),
    )
    if updated.rowcount == 1:
        record_decision(connection, delivery_id, answer, "settled")
    return updated.rowcount == 1


def record_decision(
    connection: Connection, delivery_id: int, answer: Answer, outcome: Outcome, reason: str | None = None
) -> None:
    """Write down what somebody decided, and what became of it."""
    connection.execute(
        """
        insert into rollcall.hold_decision
            (delivery_id, settlement, decided_by, login, why, via, decided_at, outcome, outcome_reason)
        values (%s, %s, %s, %s, %s, %s, coalesce(%s, clock_timestamp()), %s, %s)
        """,
        (
            delivery_id,
            answer.settlement,
            answer.by,
            answer.login,
            answer.why,
            answer.via,
            answer.at,
            outcome,
            reason,
        ),
    )


def supersede_holds(connection: Connection, newer: Delivery) -> list[int]:
    """Settle the open holds of a district that a newer delivery makes pointless; returns their deliveries' ids.

    One that a person approved is not among them, though it is not accepted yet: only a newer *accepted* delivery
    overtakes it.
    """
    superseded = []
    for seen in ledger.deliveries_in_state(connection, newer.district_id, [DeliveryState.HELD]):
        if seen.age >= newer.age:
            continue
        # Looked at again under its lock: it may have been approved meanwhile.
        held = ledger.delivery(connection, seen.delivery_id, lock=True)
        hold = hold_of(connection, held.delivery_id)
        if held.state is DeliveryState.HELD and (hold is None or hold.is_open):
            supersede(connection, held, newer)
            superseded.append(held.delivery_id)
    return superseded


def supersede(connection: Connection, older: Delivery, newer: Delivery) -> str:
    """Put a delivery away for a newer one, its hold included; returns the reason that the ledger gives."""
    reason = f"Delivery {newer.delivery_id} of {newer.service_date} took its place."
    settle_once(connection, older.delivery_id, _by_delivery("superseded", newer, reason))
    ledger.set_state(connection, older.delivery_id, DeliveryState.SUPERSEDED, reason)
    ledger.close_night(connection, older.delivery_id)
    return reason


def supersede_if_overtaken(connection: Connection, delivery: Delivery) -> str | None:
    """Supersede a delivery that an accepted one has overtaken, and say so (law 10)."""
    newer = newest_accepted(connection, delivery)
    if newer is None or newer.age < delivery.age:
        return None
    return supersede(connection, delivery, newer)


def discard_open_hold(connection: Connection, delivery: Delivery, why: str) -> None:
    """Settle the hold of a delivery that was judged again and is rejected now: nobody is to be asked any more."""
    settle_once(connection, delivery.delivery_id, _by_delivery("discarded", delivery, why))


def newest_accepted(connection: Connection, delivery: Delivery) -> Delivery | None:
    """The newest delivery of the district that was accepted or is published, other than this one."""
    states = [DeliveryState.ACCEPTED, DeliveryState.PUBLISHED, DeliveryState.UNCHANGED]
    accepted = ledger.deliveries_in_state(connection, delivery.district_id, states)
    return next((other for other in accepted if other.delivery_id != delivery.delivery_id), None)


def _by_delivery(settlement: Settlement, delivery: Delivery, why: str) -> Answer:
    """What follows from a delivery, without anybody deciding it."""
    return Answer(settlement, f"delivery {delivery.delivery_id}", why, "delivery")
