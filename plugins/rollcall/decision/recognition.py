"""What a delivery is, seen beside those that came before: new, or one whose verdict is known without reading it."""

from rollcall import ledger
from rollcall.arrival.unusable import NO_CHANGES
from rollcall.decision.holds import supersede_holds
from rollcall.findings import Finding, add_finding
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_NAMES
from rollcall.pointer import move_effective_date
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, value

FOLLOWED = (DeliveryState.HELD, DeliveryState.DISCARDED, DeliveryState.REJECTED)
"""States whose verdict a delivery of the same content takes over."""


def recognize(delivery_id: int) -> Delivery:
    """Finish a delivery at once when its content is known: published already, held, discarded or rejected.

    One that has a verdict keeps it.

    Returns:
        The delivery as the ledger has it now.
    """
    with connect() as connection:
        delivery = ledger.delivery(connection, delivery_id)
        if delivery.state is DeliveryState.RECEIVED:
            ledger.lock_acceptance(connection, delivery.district_id)  # what is published stays so while we look
            _compare(connection, delivery)
        return ledger.delivery(connection, delivery_id)


def is_to_be_judged(connection: Connection, delivery: Delivery) -> bool:
    """Whether landing and judging it can change anything: it is in work, has rows, and no verdict of an equal one."""
    follows = delivery.state is DeliveryState.REJECTED and delivery.same_as_delivery_id is not None
    files = ledger.files_of(connection, delivery.delivery_id)
    return delivery.state.is_in_work and not follows and any(file.file in FILE_NAMES for file in files)


def finish_unchanged(connection: Connection, delivery: Delivery, published: Delivery, reason: str) -> None:
    """Let what is published count for the night of a delivery that says the same.

    Args:
        connection: A transaction that keeps the district's acceptances to itself.
        delivery: The delivery.
        published: The one that readers see.
        reason: How it is known, for the ledger.
    """
    if delivery.service_date >= published.service_date:
        move_effective_date(connection, delivery.district_id, delivery.delivery_id, delivery.service_date)
    supersede_holds(connection, delivery)
    ledger.set_state(connection, delivery.delivery_id, DeliveryState.UNCHANGED, reason, same_as=published.delivery_id)


def _compare(connection: Connection, delivery: Delivery) -> None:
    if _says_no_changes(connection, delivery):
        _nothing_changed(connection, delivery)
        return
    if ledger.deliveries_in_state(connection, delivery.district_id, [DeliveryState.ACCEPTED]):
        return  # what will be published next is not what is published now: let it take the whole way
    published = ledger.published_delivery(connection, delivery.district_id)
    if published and published.content_hash == delivery.content_hash:
        finish_unchanged(
            connection, delivery, published, f"Its content equals delivery {published.delivery_id}, which is published."
        )
        return
    for known in ledger.deliveries_in_state(connection, delivery.district_id, [*FOLLOWED, DeliveryState.PUBLISHED]):
        if known.content_hash == delivery.content_hash and known.delivery_id != delivery.delivery_id:
            if known.state != "published":  # a roster of old that comes back is judged like any other
                _follow(connection, delivery, known)
            return


def _says_no_changes(connection: Connection, delivery: Delivery) -> bool:
    return bool(
        value(
            connection,
            "select exists (select from rollcall.check_result where delivery_id = %s and code = %s)",
            (delivery.delivery_id, NO_CHANGES),
        )
    )


def _nothing_changed(connection: Connection, delivery: Delivery) -> None:
    """A manifest alone: what is published, or accepted and about to be, counts for this night too."""
    published = ledger.published_delivery(connection, delivery.district_id)
    accepted = ledger.deliveries_in_state(connection, delivery.district_id, [DeliveryState.ACCEPTED])
    if published is None and not accepted:
        finding = Finding("no_changes_to_nothing")
        add_finding(connection, delivery.delivery_id, finding)
        ledger.set_state(connection, delivery.delivery_id, DeliveryState.REJECTED, finding.message)
        return
    if published and not accepted and delivery.service_date >= published.service_date:
        move_effective_date(connection, delivery.district_id, delivery.delivery_id, delivery.service_date)
    ledger.set_state(connection, delivery.delivery_id, DeliveryState.UNCHANGED, Finding(NO_CHANGES).message)


def _follow(connection: Connection, delivery: Delivery, known: Delivery) -> None:
    """Give a delivery the verdict of an equal one."""
    state = DeliveryState.SAME_AS_HELD if known.state is DeliveryState.HELD else known.state
    reason = {
        "held": f"Its content equals delivery {known.delivery_id}, which waits for approval.",
        "discarded": f"Its content equals delivery {known.delivery_id}, which was discarded.",
        "rejected": f"Its content equals delivery {known.delivery_id}, which was rejected: {known.state_reason}",
    }[known.state]
    if state is DeliveryState.REJECTED:
        add_finding(
            connection, delivery.delivery_id, Finding("equals_rejected", detail=f"It was delivery {known.delivery_id}.")
        )
    ledger.set_state(connection, delivery.delivery_id, state, reason, same_as=known.delivery_id)
