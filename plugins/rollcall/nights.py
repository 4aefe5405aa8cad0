"""Which nights a district can have: none that has not come, and none before its first.

A delivery of a night in the future would overtake every real one for years (law 10). Whoever opens a night asks here
first; the ledger's own fence (migration 0004) knows no time zones, and lets a night pass once it has come anywhere.
"""

from datetime import UTC, date, datetime, timedelta, timezone

from rollcall.districts import District
from rollcall.warehouse import Connection, value

FURTHEST_EAST, FURTHEST_WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


class ImpossibleNightError(ValueError):
    """A district cannot have this night; the message says why, and what to say instead."""


def impossible_because(connection: Connection, district: District, night: date) -> str | None:
    """Why a district cannot have a night, as a person reads it; None when it can."""
    to_come = to_come_because(district, night)
    if to_come is not None:
        return to_come
    first = first_night(connection, district)
    if first is None or night >= first:
        return None
    return (
        f"The night of {night} lies before the first one of {district.district_id}, {first}: nothing that is published "
        f"can be older. Say a night from {first} on."
    )


def to_come_because(district: District, night: date) -> str | None:
    """Why it is too early for a night in a district's time zone; None when it has come."""
    today = district.service_date(datetime.now(UTC))
    if night <= today:
        return None
    return (
        f"The night of {night} has not come: for {district.district_id} ({district.timezone}) it is {today}. "
        f"Say a night up to {today}."
    )


def first_night(connection: Connection, district: District) -> date | None:
    """The earliest night of which a delivery was ever accepted; one in the future is a mistake, and no first."""
    night: date | None = value(
        connection,
        "select min(service_date) from rollcall.delivery"
        " where district_id = %s and accepted_sequence is not null and service_date <= %s",
        (district.district_id, district.service_date(datetime.now(UTC))),
    )
    return night


def has_come(night: date) -> bool:
    """Whether a night has come anywhere on earth: what the ledger's fence lets pass."""
    return night <= datetime.now(FURTHEST_EAST).date()


def come_everywhere() -> date:
    """The latest night that has come everywhere on earth."""
    return datetime.now(FURTHEST_WEST).date()
