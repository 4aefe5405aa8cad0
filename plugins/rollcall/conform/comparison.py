"""What is built is what was judged: the changes against the roster that readers see when the build begins."""

from collections.abc import Callable

from rollcall import ledger
from rollcall.conform.ledger import AcceptedDelivery
from rollcall.decision.changes import stand, was_compared, write_changes
from rollcall.warehouse import Connection, connect


def compare_anew(
    session: Connection, warehouse_url: str, deliveries: list[AcceptedDelivery], log: Callable[[str], None]
) -> None:
    """Compute the changes of deliveries anew, where something was published since they were judged.

    An earlier delivery was built meanwhile, a person went back, or a crash of the database took the changes along.

    Args:
        session: The session that holds the conform lock.
        warehouse_url: The warehouse.
        deliveries: What is about to be built, landed and gated.
        log: Where to say so.

    Raises:
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    for each in deliveries:
        delivery = ledger.delivery(session, each.delivery_id)
        compared_before = was_compared(session, delivery)
        if compared_before and stand(session, delivery):
            continue
        with connect(warehouse_url) as connection:  # in the role that the delivery's schema belongs to
            write_changes(connection, delivery)
        if compared_before:
            log(
                f"The changes of delivery {each.delivery_id} ({each.district_id}) were computed anew: what readers see "
                "is not what it was compared with."
            )
