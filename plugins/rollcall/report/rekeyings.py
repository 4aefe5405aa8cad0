"""New ids whose build failed: no run received them, so `conform` says so in a run's place."""

from rollcall.report.notices import tell_at_once
from rollcall.report.notify import Message
from rollcall.report.status import rekeying_sentence
from rollcall.states import DeliveryState
from rollcall.warehouse import connect


def tell_of_failed_rekeyings() -> None:
    """Tell the operators of each rekeying that could not be built, once."""
    with connect() as connection:
        failed = connection.execute(
            """
            select delivery_id, district_id, service_date, state, state_reason
            from rollcall.rekeying inner join rollcall.delivery using (delivery_id, district_id)
            where state = any(%s)
            """,
            ([DeliveryState.CONFORM_FAILED, DeliveryState.AUDIT_FAILED],),
        ).fetchall()
    for delivery_id, district_id, night, state, reason in failed:
        told = Message(f"{district_id}, new ids: {state}", (rekeying_sentence(delivery_id, state, reason),))
        tell_at_once(night, state, str(delivery_id), told)
