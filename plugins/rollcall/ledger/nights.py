"""Nights in the ledger: how each stands or ended."""

import json
from collections.abc import Sequence
from datetime import date

from rollcall.states import DeliveryState, NightOutcome
from rollcall.warehouse import Connection, value


def record_night(
    connection: Connection,
    district_id: str,
    service_date: date,
    outcome: str,
    *,
    message: str | None = None,
    missing_files: Sequence[str] = (),
    delivery_id: int | None = None,
    run_id: str | None = None,
) -> None:
    """Write down how a district's night stands or ended; the last word counts.

    Args:
        outcome: A `NightOutcome`, or its text.
    """
    connection.execute(
        """
        insert into rollcall.night
            (district_id, service_date, outcome, message, missing_files, delivery_id, run_id, updated_at)
        values (%s, %s, %s, %s, %s, %s, %s, now())
        on conflict (district_id, service_date) do update
        set outcome = excluded.outcome, message = excluded.message, missing_files = excluded.missing_files,
            delivery_id = coalesce(excluded.delivery_id, night.delivery_id), run_id = excluded.run_id,
            updated_at = excluded.updated_at
        """,
        (district_id, service_date, NightOutcome(outcome), message, list(missing_files), delivery_id, run_id),
    )


def record_night_unless_known(
    connection: Connection, district_id: str, service_date: date, outcome: str, message: str
) -> None:
    """Write down how a night ended of which nothing is written down yet."""
    connection.execute(
        """
        insert into rollcall.night (district_id, service_date, outcome, message, updated_at)
        values (%s, %s, %s, %s, now()) on conflict (district_id, service_date) do nothing
        """,
        (district_id, service_date, NightOutcome(outcome), message),
    )


def close_night(connection: Connection, delivery_id: int) -> None:
    """Have a night stand or end as the delivery does that serves it; where no run is left, nobody else would say so.

    Nothing happens while a run is at work on the delivery, nor when the night has another one.
    """
    connection.execute(
        """
        update rollcall.night
        set outcome = state, message = coalesce(state_reason, %s::jsonb ->> state), updated_at = now()
        from rollcall.delivery
        where delivery.delivery_id = %s and state not in ('receiving', 'received')
            and night.district_id = delivery.district_id and night.service_date = delivery.service_date
            and night.delivery_id = delivery.delivery_id
        """,
        (json.dumps({state: state.sentence for state in DeliveryState}), delivery_id),
    )


def last_good_night(connection: Connection, district_id: str) -> date | None:
    """The service date that readers of a district see."""
    night: date | None = value(
        connection, "select effective_date from rollcall.publication where district_id = %s", (district_id,)
    )
    return night
