"""Settling a hold: once, by whoever comes first; the ledger's row is the truth."""

from dataclasses import dataclass
from typing import Literal

from rollcall import ledger
from rollcall.decision.reasons import Reason
from rollcall.ledger import Delivery
from rollcall.nights import has_come
from rollcall.warehouse import Connection

Settlement = Literal["approved", "discarded", "superseded"]
Via = Literal["airflow", "cli", "delivery"]


class CannotSettleError(Exception):
    """The hold cannot be settled this way; the message says why."""


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


def hold_of(connection: Connection, delivery_id: int) -> Hold | None:
    """The hold of a delivery, if it was ever held."""
    row = connection.execute(
        """
        select delivery_id, reasons, change_list, settlement, settled_by, settled_why
        from rollcall.hold where delivery_id = %s
        """,
        (delivery_id,),
    ).fetchone()
    if row is None:
        return None
    number, reasons, change_list, settlement, by, why = row
    return Hold(number, tuple(Reason(**reason) for reason in reasons), change_list, settlement, by, why)  # type: ignore[arg-type, attr-defined]  # as the table is declared


def settle(
    connection: Connection,
    delivery_id: int,
    settlement: Literal["approved", "discarded"],
    *,
    by: str,
    why: str,
    via: Via,
) -> Hold:
    """Approve or discard a held delivery.

    Returns:
        The hold as it stands now: settled by this call, or, when someone was faster, as they settled it.

    Raises:
        UnknownDeliveryError: there is no such delivery.
        CannotSettleError: the delivery is not held, or is older than what was accepted since.
    """
    delivery = ledger.delivery(connection, delivery_id, lock=True)
    hold = hold_of(connection, delivery_id)
    if hold is None:
        raise CannotSettleError(
            f"Delivery {delivery_id} of {delivery.district_id} is not held; it is {delivery.state}."
        )
    if not hold.is_open:
        return hold
    if settlement == "approved" and not has_come(delivery.service_date):
        raise CannotSettleError(
            f"Delivery {delivery_id} is of the night of {delivery.service_date}, which has not come. Give it the right "
            f"one with `rollcall correct-night {delivery.district_id} --from {delivery.service_date}`, or discard it."
        )
    newer = newest_accepted(connection, delivery)
    if settlement == "approved" and newer is not None and newer.age > delivery.age:
        raise CannotSettleError(
            f"Delivery {delivery_id} is older than delivery {newer.delivery_id} ({newer.service_date}), which was "
            "accepted since. Discard it."
        )
    if _settle(connection, delivery_id, settlement, by, why, via) and settlement == "discarded":
        ledger.set_state(connection, delivery_id, "discarded", f"Discarded by {by}: {why}")
    settled = hold_of(connection, delivery_id)
    return settled or hold


def supersede_holds(connection: Connection, newer: Delivery) -> list[int]:
    """Settle the open holds of a district that a newer delivery makes pointless; returns their deliveries' ids.

    One that a person approved is not among them, though it is not accepted yet: only a newer *accepted* delivery
    overtakes it.
    """
    superseded = []
    for seen in ledger.deliveries_in_state(connection, newer.district_id, ["held"]):
        if seen.age >= newer.age:
            continue
        # Looked at again under its lock: it may have been approved meanwhile.
        held = ledger.delivery(connection, seen.delivery_id, lock=True)
        hold = hold_of(connection, held.delivery_id)
        if held.state == "held" and (hold is None or hold.is_open):
            supersede(connection, held, newer)
            superseded.append(held.delivery_id)
    return superseded


def supersede(connection: Connection, older: Delivery, newer: Delivery) -> str:
    """Put a delivery away for a newer one, its hold included; returns the reason that the ledger gives."""
    reason = f"Delivery {newer.delivery_id} of {newer.service_date} took its place."
    _settle(connection, older.delivery_id, "superseded", f"delivery {newer.delivery_id}", reason, "delivery")
    ledger.set_state(connection, older.delivery_id, "superseded", reason)
    return reason


def discard_open_hold(connection: Connection, delivery: Delivery, why: str) -> None:
    """Settle the hold of a delivery that was judged again and is rejected now: nobody is to be asked any more."""
    _settle(connection, delivery.delivery_id, "discarded", f"delivery {delivery.delivery_id}", why, "delivery")


def newest_accepted(connection: Connection, delivery: Delivery) -> Delivery | None:
    """The newest delivery of the district that was accepted or is published, other than this one."""
    accepted = ledger.deliveries_in_state(connection, delivery.district_id, ["accepted", "published", "unchanged"])
    return next((other for other in accepted if other.delivery_id != delivery.delivery_id), None)


def _settle(connection: Connection, delivery_id: int, settlement: Settlement, by: str, why: str, via: Via) -> bool:
    """Compare and set: only an open hold is settled; says whether it was."""
    settled = connection.execute(
        """
        update rollcall.hold
        set settlement = %s, settled_by = %s, settled_why = %s, settled_via = %s, settled_at = now()
        where delivery_id = %s and settlement is null
        """,
        (settlement, by, why, via, delivery_id),
    )
    return settled.rowcount == 1
