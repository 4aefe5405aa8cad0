"""The step ``accept``: what the ledger lets through gets its sequence, whether its run lives or not."""

from dataclasses import dataclass

from rollcall import ledger
from rollcall.decision.changes import says_what_is_published
from rollcall.decision.evidence import has_doubtful_rows, names_all_it_has
from rollcall.decision.holds import hold_of, open_hold, supersede_if_overtaken
from rollcall.decision.recognition import finish_unchanged
from rollcall.decision.rollbacks import of_rolled_back
from rollcall.gate.progress import files_not_gated
from rollcall.ledger import Delivery
from rollcall.log import at_work_on, get_logger
from rollcall.oneroster import FILE_NAMES
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, value, values

log = get_logger(__name__)


@dataclass(frozen=True)
class Acceptance:
    """What became of an attempt to accept.

    Attributes:
        sequence: The district's count of accepted deliveries, this one included; None when it was not accepted.
        reason: Why not.
    """

    sequence: int | None
    reason: str = ""


def accept(delivery_id: int) -> Acceptance:
    """Give a delivery its sequence, if the ledger lets it through.

    Accepting again changes nothing, also when it was built meanwhile. One that says what is published already is
    unchanged. Sequences follow the service date, then the
    arrival: an older delivery than one accepted already is superseded.
    """
    with connect() as connection:
        return accept_in(connection, delivery_id)


def accept_in(connection: Connection, delivery_id: int) -> Acceptance:
    """The same within a transaction, which keeps the district's acceptances to itself until it ends."""
    delivery = ledger.delivery(connection, delivery_id)
    ledger.lock_acceptance(connection, delivery.district_id)
    delivery = ledger.delivery(connection, delivery_id, lock=True)
    if delivery.state.has_sequence and delivery.accepted_sequence is not None:
        return Acceptance(delivery.accepted_sequence)
    refusal = _refusal(connection, delivery)
    if refusal:
        return Acceptance(None, refusal)
    overtaken = supersede_if_overtaken(connection, delivery)
    if overtaken:
        return Acceptance(None, overtaken)
    hold = hold_of(connection, delivery_id)
    taken_back = of_rolled_back(connection, delivery) if hold is None else []
    if taken_back:  # since the decision
        sentences = " ".join(reason.sentence for reason in taken_back)
        open_hold(connection, delivery, tuple(taken_back), sentences, None)
        return Acceptance(None, f"Delivery {delivery_id} is held. {sentences}")
    unchanged = _unchanged(connection, delivery) if hold is None else None
    if unchanged:
        return Acceptance(None, unchanged)
    _judge_absences(connection, delivery, approved=hold is not None)
    return Acceptance(_next_sequence(connection, delivery))


def accept_approved() -> list[int]:
    """Accept what was approved and is not accepted yet: its run was killed, deleted or ended before.

    Returns:
        The deliveries that are accepted now.
    """
    with connect() as connection:
        approved = values(
            connection,
            """
            select delivery_id from rollcall.hold inner join rollcall.delivery using (delivery_id)
            where settlement = 'approved' and state = any(%s) order by service_date, arrived_at
            """,
            ([state for state in DeliveryState if state.may_be_accepted],),
        )
    accepted = []
    for delivery_id in approved:
        with connect() as connection:
            acceptance = accept_in(connection, delivery_id)
            ledger.close_night(connection, delivery_id)
        with at_work_on(delivery_id):
            if acceptance.sequence is None:
                log.warning("Approved, and not accepted. %s", acceptance.reason)
            else:
                log.info("Approved, and accepted now as sequence %s.", acceptance.sequence)
        if acceptance.sequence is not None:
            accepted.append(delivery_id)
    return accepted


def _refusal(connection: Connection, delivery: Delivery) -> str | None:
    """Why the ledger does not let a delivery through, if it does not."""
    named = f"Delivery {delivery.delivery_id}"
    if not delivery.state.may_be_accepted:
        return f"{named} is {delivery.state}. {delivery.state_reason or ''}".strip()
    hold = hold_of(connection, delivery.delivery_id)
    if hold is not None and hold.settlement != "approved":
        return f"{named} is held and was not approved."
    if hold is None and delivery.decided_at is None:
        return f"{named} was not decided on."
    unfinished = files_not_gated(connection, delivery.delivery_id)
    if unfinished:
        return f"{named} is being checked again: the gate has not finished with {', '.join(unfinished)}."
    return None


def _unchanged(connection: Connection, delivery: Delivery) -> str | None:
    """Finish a delivery that says, in other bytes, what is published, and will be; answers the reason."""
    published = ledger.published_delivery(connection, delivery.district_id)
    if (
        published is None
        or ledger.deliveries_in_state(connection, delivery.district_id, [DeliveryState.ACCEPTED])
        or not says_what_is_published(connection, delivery)
    ):
        return None
    reason = f"Its records are those of delivery {published.delivery_id}, which is published."
    finish_unchanged(connection, delivery, published, reason)
    return reason


def _judge_absences(connection: Connection, delivery: Delivery, *, approved: bool) -> None:
    """Say for each file whether what it does not name is to be removed (law 5).

    Only a bulk file with records is evidence, and while it holds rows that may be anybody's, only if a person approved
    the delivery.
    """
    for sent in ledger.files_of(connection, delivery.delivery_id):
        if sent.file in FILE_NAMES:
            believed = names_all_it_has(sent) and (approved or not has_doubtful_rows(connection, sent))
            connection.execute(
                "update rollcall.delivery_file set absence_is_evidence = %s where delivery_id = %s and file = %s",
                (believed, delivery.delivery_id, sent.file),
            )


def _next_sequence(connection: Connection, delivery: Delivery) -> int:
    sequence: int = value(
        connection,
        """
        update rollcall.delivery
        set state = 'accepted', state_reason = null, accepted_at = now(), decided_at = now(),
            accepted_sequence = 1 + coalesce(
                (select max(accepted_sequence) from rollcall.delivery where district_id = %s), 0
            )
        where delivery_id = %s
        returning accepted_sequence
        """,
        (delivery.district_id, delivery.delivery_id),
    )
    return sequence
