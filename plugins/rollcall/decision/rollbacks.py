"""Deliveries that say what a person took back: they are held, however little they change (law 10)."""

from rollcall.codes import message_of
from rollcall.decision.reasons import Reason
from rollcall.ledger import Delivery
from rollcall.warehouse import Connection

CODE = "hold_rolled_back"

# Content counts as taken back while no publication of it is newer than the rollback that left it.
_TAKEN_BACK = """
    select same.accepted_sequence, same.service_date, (rollback.rolled_back_at at time zone 'utc')::date
    from (
        select district_id, service_date, accepted_sequence from rollcall.delivery
        where district_id = %s and content_hash = %s and state = 'published'
        order by accepted_sequence desc limit 1
    ) as same
    inner join rollcall.rollback
        on same.district_id = rollback.district_id
        and rollback.to_sequence < same.accepted_sequence and same.accepted_sequence < rollback.sequence
    order by rollback.sequence desc limit 1
"""


def of_rolled_back(connection: Connection, delivery: Delivery) -> list[Reason]:
    """Whether the delivery has the content of one that a person took back; the remark made then is not repeated."""
    row = connection.execute(_TAKEN_BACK, (delivery.district_id, delivery.content_hash)).fetchone()
    if row is None:
        return []
    sequence, night, day = row
    which = f"It equals the delivery of {night} (sequence {sequence}), taken back on {day}."
    return [Reason(CODE, f"{message_of(CODE)} {which}")]
