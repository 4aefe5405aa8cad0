"""Deliveries in the ledger: opened, found, moved from state to state."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from psycopg.rows import class_row

from rollcall.districts import District
from rollcall.ledger.rows import NOBODY_SENT, Delivery
from rollcall.nights import ImpossibleNightError, impossible_because
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, value, values

SETTLED: Final = [state for state in DeliveryState if state.is_settled]

OLD: Final = """
    select delivery_id from rollcall.delivery
    where state = any(%(settled)s)
        and greatest(arrived_at, decided_at, accepted_at, delivery.published_at) < %(before)s
        and delivery_id not in (select publication.delivery_id from rollcall.publication)
"""
"""The deliveries of which something may go: settled before a moment, and not what readers see."""

_DELIVERY = f"select {', '.join(Delivery.__dataclass_fields__)} from rollcall.delivery "


class UnknownDeliveryError(LookupError):
    """There is no such delivery in the ledger."""


def open_delivery(
    connection: Connection, district: District, service_date: date, run_id: str, source: str = "inbox"
) -> Delivery:
    """The delivery of a run, made when the run has none yet; one that it has keeps its own night.

    Raises:
        ImpossibleNightError: the district cannot have a delivery of this night.
    """
    opened = delivery_of_run(connection, district.district_id, run_id)
    if opened is not None:
        return opened
    impossible = impossible_because(connection, district, service_date)
    if impossible is not None:
        raise ImpossibleNightError(impossible)
    connection.execute(
        """
        insert into rollcall.delivery (district_id, service_date, run_id, source) values (%s, %s, %s, %s)
        on conflict (district_id, run_id) do nothing
        """,
        (district.district_id, service_date, run_id, source),
    )
    opened = delivery_of_run(connection, district.district_id, run_id)
    if opened is None:
        raise UnknownDeliveryError(f"The delivery of run {run_id} of {district.district_id} vanished from the ledger.")
    return opened


def delivery_of_run(connection: Connection, district_id: str, run_id: str) -> Delivery | None:
    """The delivery that a run received, if it received one."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(_DELIVERY + "where district_id = %s and run_id = %s", (district_id, run_id))
        return cursor.fetchone()


def delivery_of_night(connection: Connection, district_id: str, service_date: date) -> Delivery | None:
    """The newest delivery that any run received for a night, if one did."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(
            _DELIVERY + "where district_id = %s and service_date = %s and state <> 'receiving'"
            " and source <> all(%s) order by arrived_at desc limit 1",
            (district_id, service_date, list(NOBODY_SENT)),
        )
        return cursor.fetchone()


def delivery(connection: Connection, delivery_id: int, *, lock: bool = False) -> Delivery:
    """One delivery; with ``lock``, no one else changes it until the transaction ends.

    Raises:
        UnknownDeliveryError: there is none of that number.
    """
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(_DELIVERY + "where delivery_id = %s" + (" for update" if lock else ""), (delivery_id,))
        found = cursor.fetchone()
    if found is None:
        raise UnknownDeliveryError(f"There is no delivery {delivery_id} in the ledger; `rollcall status` lists them.")
    return found


def deliveries_in_state(connection: Connection, district_id: str, states: Iterable[DeliveryState]) -> list[Delivery]:
    """A district's deliveries in any of some states, the newest first."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(
            _DELIVERY + "where district_id = %s and state = any(%s) order by service_date desc, arrived_at desc",
            (district_id, list(states)),
        )
        return cursor.fetchall()


def published_delivery(connection: Connection, district_id: str) -> Delivery | None:
    """The delivery that readers of a district see."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(
            _DELIVERY + "where delivery_id = (select delivery_id from rollcall.publication where district_id = %s)",
            (district_id,),
        )
        return cursor.fetchone()


def old_deliveries(connection: Connection, district_id: str, before: datetime) -> set[int]:
    """A district's deliveries of which something may go: settled before a moment, and not what readers see."""
    known = {"settled": SETTLED, "before": before, "district": district_id}
    return set(values(connection, f"{OLD} and district_id = %(district)s", known))


def has_broken_off(connection: Connection, district_id: str, run_id: str) -> bool:
    """Whether a run before this one opened a delivery and did not come to take it, and none was taken since."""
    return bool(
        value(
            connection,
            """
            select coalesce(max(delivery_id) filter (where state = 'receiving'), 0)
                > coalesce(max(delivery_id) filter (where state <> 'receiving'), 0)
            from rollcall.delivery where district_id = %s and source = 'inbox' and run_id <> %s
            """,
            (district_id, run_id),
        )
    )


def set_state(
    connection: Connection,
    delivery_id: int,
    state: DeliveryState,
    reason: str | None = None,
    *,
    same_as: int | None = None,
    decided: bool | None = None,
) -> None:
    """Move a delivery to a state, and say why.

    Args:
        decided: Whether this is a decision; by default every state with a verdict is one.
    """
    if decided is None:
        decided = state.is_judged
    connection.execute(
        """
        update rollcall.delivery
        set state = %s, state_reason = %s, same_as_delivery_id = coalesce(%s, same_as_delivery_id),
            decided_at = case when %s then now() else decided_at end
        where delivery_id = %s
        """,
        (state, reason, same_as, decided, delivery_id),
    )


def record_taken_again(connection: Connection, delivery_id: int, run_id: str, by: str, why: str) -> None:
    """Write down who had a delivery taken again from the archive, and by which run."""
    connection.execute(
        "insert into rollcall.delivery_again (delivery_id, run_id, asked_by, why) values (%s, %s, %s, %s)",
        (delivery_id, run_id, by, why),
    )


def lock_acceptance(connection: Connection, district_id: str) -> None:
    """Let nobody else accept, compare or take back deliveries of a district until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('rollcall.accept.' || %s, 0))", (district_id,))
