"""Moving a district's pointer: one row, one transaction, one event for the record."""

from datetime import date
from typing import Any

import psycopg

from rollcall.ledger import close_night
from rollcall.warehouse import value

# A rollback's content is that of an earlier publication, by the settings of that one; of any other publication the
# ledger fills in the district's settings as they are now.
_POINT_AT_DELIVERY = """
    insert into rollcall.publication (
        district_id, sequence, delivery_id, effective_date, published_at, build_id, district_name, enrollment_end_date
    )
    select
        delivery.district_id, accepted_sequence, delivery.delivery_id, service_date, now(), %(build)s,
        former.district_name, former.enrollment_end_date
    from rollcall.delivery
    left join rollcall.rollback on delivery.delivery_id = rollback.delivery_id
    left join lateral (
        select district_name, enrollment_end_date
        from rollcall.publication_event
        where district_id = rollback.district_id and sequence = rollback.to_sequence
        order by publication_event_id desc
        limit 1
    ) as former on true
    where delivery.delivery_id = %(delivery)s and state = 'accepted'
    on conflict (district_id) do update set
        sequence = excluded.sequence,
        delivery_id = excluded.delivery_id,
        effective_date = excluded.effective_date,
        published_at = excluded.published_at,
        build_id = excluded.build_id,
        district_name = excluded.district_name,
        enrollment_end_date = excluded.enrollment_end_date
    where publication.sequence < excluded.sequence
    returning district_id
"""

_MOVE_DATE = """
    update rollcall.publication
    set effective_date = %(date)s, district_name = name, enrollment_end_date = district.enrollment_end_date
    from rollcall.district
    where
        publication.district_id = %(district)s
        and district.district_id = publication.district_id
        and effective_date < %(date)s
    returning publication.district_id
"""

_CORRECT_DATE = """
    update rollcall.publication set effective_date = %(date)s where district_id = %(district)s
"""

_RECORD_EVENT = """
    insert into rollcall.publication_event (
        district_id, sequence, delivery_id, effective_date, published_at, build_id, district_name, enrollment_end_date
    )
    select
        district_id, sequence, coalesce(%(delivery)s::bigint, delivery_id), effective_date, published_at, build_id,
        district_name, enrollment_end_date
    from rollcall.publication
    where district_id = %(district)s
"""


def publish(connection: psycopg.Connection[Any], delivery_id: int, build_id: int | None) -> bool:
    """Point a district's readers at an accepted delivery whose content is built, in one transaction.

    Args:
        connection: A session on the warehouse.
        delivery_id: The delivery; nothing happens unless it is accepted and newer than what is published.
        build_id: The build that conformed it; None where a rollback did.

    Returns:
        Whether the pointer moved.
    """
    with connection.transaction():
        district_id = value(connection, _POINT_AT_DELIVERY, {"delivery": delivery_id, "build": build_id})
        if district_id is None:
            return False
        connection.execute(_RECORD_EVENT, {"district": district_id, "delivery": delivery_id})
        connection.execute(
            "update rollcall.delivery set state = 'published', published_at = now() where delivery_id = %s",
            [delivery_id],
        )
        close_night(connection, delivery_id)
    return True


def move_effective_date(
    connection: psycopg.Connection[Any], district_id: str, delivery_id: int, service_date: date
) -> bool:
    """Let the published sequence stand for a later night: what an unchanged delivery says.

    From that night on the district's settings count as they are now.

    Args:
        connection: A session on the warehouse.
        district_id: The district.
        delivery_id: The unchanged delivery, for the record.
        service_date: Its night; an earlier one than the publication's moves nothing.

    Returns:
        Whether the date moved.
    """
    with connection.transaction():
        if value(connection, _MOVE_DATE, {"district": district_id, "date": service_date}) is None:
            return False
        connection.execute(_RECORD_EVENT, {"district": district_id, "delivery": delivery_id})
    return True


def correct_effective_date(connection: psycopg.Connection[Any], district_id: str, night: date) -> None:
    """Let the published sequence stand for another night, an earlier one too: what a person says.

    Args:
        connection: A session on the warehouse.
        district_id: The district.
        night: The right night.
    """
    with connection.transaction():
        connection.execute(_CORRECT_DATE, {"district": district_id, "date": night})
        connection.execute(_RECORD_EVENT, {"district": district_id, "delivery": None})
