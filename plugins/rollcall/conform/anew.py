"""What is built is what was judged: the changes against the roster that readers see when the build begins."""

from rollcall import ledger
from rollcall.conform.ledger import AcceptedDelivery
from rollcall.decision.changes import stand, was_compared, write_changes
from rollcall.decision.rekey.differences import write_rekeyed
from rollcall.log import at_work_on, get_logger
from rollcall.warehouse import Connection, connect

log = get_logger(__name__)


def compare_anew(session: Connection, deliveries: list[AcceptedDelivery]) -> None:
    """Compute the changes of deliveries anew, where something was published since they were judged.

    An earlier delivery was built meanwhile, a person went back, or a crash of the database took the changes along.

    Args:
        session: The session that holds the conform lock.
        deliveries: What is about to be built, landed and gated.

    Raises:
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    for each in deliveries:
        delivery = ledger.delivery(session, each.delivery_id)
        compared_before = was_compared(session, delivery)
        if compared_before and stand(session, delivery):
            continue
        write = write_rekeyed if delivery.source == ledger.REKEY else write_changes
        with connect() as connection:  # in the role that the delivery's schema belongs to
            write(connection, delivery)
        if compared_before:
            with at_work_on(each.delivery_id):
                log.info(
                    "The changes of %s were computed anew: what readers see is not what it was compared with.",
                    each.district_id,
                )
