"""A person settles a hold: the first one counts, by whatever route; what came too late is written down as well."""

from dataclasses import dataclass

from rollcall import ledger
from rollcall.decision.acceptance import Acceptance, accept_in
from rollcall.decision.holds import (
    Answer,
    Hold,
    Outcome,
    hold_of,
    newest_accepted,
    record_decision,
    settle_once,
)
from rollcall.ledger import Delivery
from rollcall.nights import has_come
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection


class CannotSettleError(Exception):
    """The hold cannot be settled this way; the message says why."""


@dataclass(frozen=True)
class Ruling:
    """What became of an answer.

    Attributes:
        hold: The hold as it stands now: settled by this answer, or as a faster one settled it.
        outcome: Whether this answer counts.
        reason: Why it does not.
        acceptance: What became of the delivery, when this answer approved it.
    """

    hold: Hold
    outcome: Outcome
    reason: str | None = None
    acceptance: Acceptance | None = None


def settle(connection: Connection, delivery_id: int, answer: Answer) -> Ruling:
    """Approve or discard a held delivery; an approved one is accepted at once, whatever becomes of its run.

    The same answer again, read twice, is one decision.

    Args:
        connection: A transaction; the caller commits it also when the answer does not count, which is a row, too.
        delivery_id: The delivery.
        answer: What somebody decided.

    Raises:
        UnknownDeliveryError: there is no such delivery.
        CannotSettleError: the delivery was never held.
    """
    delivery = ledger.delivery(connection, delivery_id)
    ledger.lock_acceptance(connection, delivery.district_id)
    delivery = ledger.delivery(connection, delivery_id, lock=True)
    hold = hold_of(connection, delivery_id, lock=True)
    if hold is None:
        raise CannotSettleError(
            f"Delivery {delivery_id} of {delivery.district_id} is not held; it is {delivery.state}."
        )
    known = _recorded(connection, hold, answer)
    if known is not None:
        return known
    outcome, reason = _outcome(connection, delivery, hold, answer)
    if outcome != "settled":
        record_decision(connection, delivery_id, answer, outcome, reason)
        return Ruling(hold, outcome, reason)
    settle_once(connection, delivery_id, answer)
    acceptance = None
    if answer.settlement == "approved":
        acceptance = accept_in(connection, delivery_id)
    else:
        ledger.set_state(connection, delivery_id, DeliveryState.DISCARDED, f"Discarded by {answer.by}: {answer.why}")
    ledger.close_night(connection, delivery_id)
    return Ruling(hold_of(connection, delivery_id) or hold, "settled", None, acceptance)


def _recorded(connection: Connection, hold: Hold, answer: Answer) -> Ruling | None:
    """What became of this very answer, when it was read before."""
    if answer.at is None:
        return None
    row = connection.execute(
        """
        select outcome, outcome_reason from rollcall.hold_decision
        where delivery_id = %s and via = %s and decided_by = %s and decided_at = %s
        """,
        (hold.delivery_id, answer.via, answer.by, answer.at),
    ).fetchone()
    return Ruling(hold, row[0], row[1]) if row else None


def _outcome(connection: Connection, delivery: Delivery, hold: Hold, answer: Answer) -> tuple[Outcome, str | None]:
    """Whether an answer counts, and why not."""
    if not hold.is_open:
        return "overtaken", f"It was {hold.settlement} by {hold.settled_by} before."
    if answer.settlement == "approved" and not has_come(delivery.service_date):
        return "refused", (
            f"Delivery {delivery.delivery_id} is of the night of {delivery.service_date}, which has not come. Give it "
            f"the right one with `rollcall correct-night {delivery.district_id} --from {delivery.service_date}`, or "
            "discard it."
        )
    newer = newest_accepted(connection, delivery)
    if answer.settlement == "approved" and newer is not None and newer.age > delivery.age:
        return "refused", (
            f"Delivery {delivery.delivery_id} is older than delivery {newer.delivery_id} ({newer.service_date}), which "
            "was accepted since. Discard it."
        )
    return "settled", None
