"""Giving what stands for a wrong night the right one, because a person says so (law 10), and keeping both (law 8)."""

from dataclasses import dataclass
from datetime import date

from psycopg import sql

from rollcall.archive.decisions import write_decisions_if_possible
from rollcall.conform.history import HISTORY_TABLES
from rollcall.conform.session import conforming
from rollcall.districts import District
from rollcall.ledger import deliveries_in_state, last_good_night, lock_acceptance
from rollcall.nights import to_come_because
from rollcall.pointer import correct_effective_date
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, value, values
from rollcall.who import Person

# What was put away for good stands for no night.
_CLAIMS = """
    select delivery_id from rollcall.delivery
    where district_id = %s and service_date = %s and state not in ('superseded', 'discarded') order by delivery_id
"""

_RECORD = """
    insert into rollcall.night_correction (
        district_id, from_night, to_night, delivery_ids, corrected_by, login, why
    )
    values (%(district)s, %(from)s, %(to)s, %(deliveries)s, %(by)s, %(login)s, %(why)s)
    returning night_correction_id
"""

_MOVE_DELIVERIES = """
    update rollcall.delivery set service_date = %(to)s where delivery_id = any(%(deliveries)s)
"""

_TAKE_NIGHT_FROM_EVENTS = """
    update rollcall.publication_event set night_correction_id = %(correction)s
    where district_id = %(district)s and effective_date = %(from)s and night_correction_id is null
"""

# A night that has its own row keeps it.
_MOVE_NIGHT = """
    with taken as (
        delete from rollcall.night
        where district_id = %(district)s and service_date = %(from)s and delivery_id = any(%(deliveries)s)
        returning outcome, message, missing_files, delivery_id, run_id, updated_at
    )
    insert into rollcall.night (
        district_id, service_date, outcome, message, missing_files, delivery_id, run_id, updated_at
    )
    select %(district)s, %(to)s, outcome, message, missing_files, delivery_id, run_id, updated_at from taken
    on conflict (district_id, service_date) do nothing
"""

_MOVE_ENDS = """
    update {table} as version set ended_on = %(to)s
    from rollcall.delivery
    where
        delivery.delivery_id = any(%(deliveries)s) and version.district_id = delivery.district_id
        and version.valid_to_seq = delivery.accepted_sequence and version.ended_on = %(from)s
"""

_NIGHT_BEFORE = """
    select max(effective_date) from rollcall.publication_event
    where
        district_id = %s and effective_date < %s and effective_date <= rollcall.latest_night()
        and night_correction_id is null
"""

_STILL_TO_COME = """
    select distinct service_date from rollcall.delivery
    where
        district_id = %s and service_date > rollcall.latest_night() and service_date <> %s
        and state not in ('superseded', 'discarded')
    order by service_date
"""

_NEWEST_SUPERSEDED = """
    select delivery_id, service_date from rollcall.delivery
    where district_id = %s and state = 'superseded' and state_reason = any(%s) and service_date >= %s
    order by service_date desc, arrived_at desc limit 1
"""


class CannotCorrectNightError(Exception):
    """The night cannot be corrected so; the message says why."""


@dataclass(frozen=True)
class NightCorrection:
    """What a correction did.

    Attributes:
        delivery_ids: The deliveries that were for the wrong night, and are for the right one now.
        is_published: Whether readers see the right night now: the publication stood for the wrong one.
        still_to_come: Other nights of the district that have not come, and stand in the ledger still.
        overtaken: The newest delivery that had to make way for the wrong night, and its own night.
    """

    district_id: str
    from_night: date
    to_night: date
    delivery_ids: tuple[int, ...]
    is_published: bool
    still_to_come: tuple[date, ...]
    overtaken: tuple[int, date] | None


def correct_night(district: District, *, to: date, wrong: date | None, by: Person, why: str) -> NightCorrection:
    """Give the deliveries and the publication of a wrong night the right one, in one transaction.

    Waits while a build is at work. Killed, it leaves nothing.

    Args:
        district: The district.
        to: The right night.
        wrong: The wrong one: what readers see, or a night to come; the publication's if not given.
        by: Who corrects it.
        why: Why.

    Raises:
        CannotCorrectNightError: nothing stands for the wrong night, or the other one cannot be the right one.
        WarehouseError: the warehouse cannot be reached or went away.
    """
    with conforming() as session, session.transaction():
        lock_acceptance(session, district.district_id)
        published = last_good_night(session, district.district_id)
        given_up = wrong or published
        if given_up is None:
            raise CannotCorrectNightError(f"Nothing of {district.district_id} is published; say --from which night.")
        _check(session, district, published, given_up, to)
        delivery_ids = move_night(session, district.district_id, given_up, to, by=by, why=why)
        if published == given_up:
            correct_effective_date(session, district.district_id, to)
        done = NightCorrection(
            district.district_id,
            given_up,
            to,
            delivery_ids,
            is_published=published == given_up,
            still_to_come=nights_to_come(session, district.district_id, given_up),
            overtaken=_overtaken(session, district.district_id, delivery_ids, given_up, to),
        )
    write_decisions_if_possible([district.district_id])
    return done


def move_night(
    session: Connection, district_id: str, wrong: date, to: date, *, by: Person, why: str
) -> tuple[int, ...]:
    """Move all that stands for a wrong night to another one, but for the pointer; write down who did it and why.

    Returns:
        The ids of the deliveries that were of the wrong night.
    """
    delivery_ids = values(session, _CLAIMS, [district_id, wrong])
    act = {
        "district": district_id,
        "from": wrong,
        "to": to,
        "deliveries": delivery_ids,
        "by": by.name,
        "login": by.login,
        "why": why,
    }
    act["correction"] = value(session, _RECORD, act)
    for table in HISTORY_TABLES:
        session.execute(sql.SQL(_MOVE_ENDS).format(table=sql.Identifier(*table.split("."))), act)
    for statement in (_MOVE_DELIVERIES, _TAKE_NIGHT_FROM_EVENTS, _MOVE_NIGHT):
        session.execute(statement, act)
    return tuple(delivery_ids)


def nights_to_come(session: Connection, district_id: str, but: date | None = None) -> tuple[date, ...]:
    """The nights that have come nowhere, and that deliveries of a district stand for."""
    return tuple(values(session, _STILL_TO_COME, [district_id, but or date.min]))


def night_before(session: Connection, district_id: str, night: date) -> date | None:
    """The last night that has come, before another one, which readers were shown."""
    before: date | None = value(session, _NIGHT_BEFORE, [district_id, night])
    return before


def _check(session: Connection, district: District, published: date | None, wrong: date, to: date) -> None:
    """Refuse what would put older content over newer, or one mistake in the place of another.

    Raises:
        CannotCorrectNightError: it would.
    """
    too_early = to_come_because(district, to)
    if wrong == to:
        raise CannotCorrectNightError(f"The night of {to} is the right one already.")
    if too_early is not None:
        raise CannotCorrectNightError(too_early)
    if wrong == published:
        _check_publication(session, district.district_id, wrong, to)
    else:
        _check_deliveries(session, district, published, wrong)
    waiting = [
        each
        for each in deliveries_in_state(session, district.district_id, [DeliveryState.ACCEPTED])
        if each.service_date != wrong
    ]
    if waiting:
        raise CannotCorrectNightError(
            f"Delivery {waiting[0].delivery_id} of {district.district_id} is accepted and waits for its build. Wait "
            "until `rollcall status` says how it ended."
        )


def _check_publication(session: Connection, district_id: str, wrong: date, to: date) -> None:
    """What readers see must not come to stand for a night before that of what they saw earlier."""
    before = night_before(session, district_id, wrong)
    if before is not None and to < before:
        raise CannotCorrectNightError(
            f"Before the night of {wrong}, readers saw that of {before}: the right one cannot be earlier. Say a night "
            f"from {before} on, or give it up with `rollcall rollback {district_id}`."
        )


def _check_deliveries(session: Connection, district: District, published: date | None, wrong: date) -> None:
    """What readers do not see can be corrected only where its night has not come."""
    if to_come_because(district, wrong) is None:
        raise CannotCorrectNightError(
            f"Readers of {district.district_id} see the night of {published}, not that of {wrong}. Of the nights that "
            "have come, only the one that readers see can be corrected."
        )
    if not session.execute(_CLAIMS, [district.district_id, wrong]).fetchall():
        raise CannotCorrectNightError(f"Nothing of {district.district_id} stands for the night of {wrong}.")


def _overtaken(
    session: Connection, district_id: str, delivery_ids: tuple[int, ...], wrong: date, to: date
) -> tuple[int, date] | None:
    """The newest delivery that was superseded by one of the wrong night, and is not older than the right one."""
    reasons = [f"Delivery {number} of {wrong} took its place." for number in delivery_ids]
    return session.execute(_NEWEST_SUPERSEDED, [district_id, reasons, to]).fetchone()
