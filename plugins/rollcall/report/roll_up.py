"""The roll-up: one message a night for the operators, once the windows have closed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby

from psycopg.rows import class_row

from rollcall.report.next_steps import NEXT_STEPS, urgency
from rollcall.report.notices import claim
from rollcall.report.notify import Message, notify
from rollcall.report.status import DistrictState, district_states
from rollcall.settings import settings
from rollcall.warehouse import Connection, connect

MOST_NAMED = 20
"""How many districts of a state are named; the page has them all."""
TOPIC = "roll_up"


@dataclass(frozen=True)
class SetAside:
    """Records of a district's night that do not count."""

    district: str
    rows: int


def send_roll_up(now: datetime | None = None) -> bool:
    """Tell the operators how the night was, once.

    Args:
        now: The moment that it is sent.

    Returns:
        Whether it was sent: not a second time for the same night.
    """
    moment = now or datetime.now(UTC)
    with connect() as connection:
        states = district_states(connection, moment)
        night = _night(states, moment)
        message = roll_up(night, states, _set_aside(connection, night))
        if claim(connection, night, TOPIC, "") is None:
            return False
    notify(message)
    return True


def _night(states: Sequence[DistrictState], now: datetime) -> date:
    """The night that a roll-up is about: the latest that any district had."""
    return max((state.night for state in states if state.night), default=now.date())


def roll_up(night: date, states: Sequence[DistrictState], set_aside: Sequence[SetAside]) -> Message:
    """The message.

    Args:
        night: The night.
        states: How each district stands now.
        set_aside: The districts of which records were set aside, most first.
    """
    ordered = sorted(states, key=urgency)
    by_state = [(state, list(same)) for state, same in groupby(ordered, key=lambda each: each.state)]
    counts = [f"{len(same)} {NEXT_STEPS[state].words.lower()}" for state, same in by_state]
    return Message(
        f"night of {night}: {', '.join(counts) or 'no district'}",
        (
            *_needing(by_state),
            *_with_rows_set_aside(set_aside),
            *((f"The page: {settings().address_for_people}/rollcall/",) if settings().address_for_people else ()),
        )
        or ("Nobody has to do anything.",),
    )


def _needing(by_state: Sequence[tuple[str, list[DistrictState]]]) -> Iterator[str]:
    """What needs a person, a paragraph per state with what to do, then a line per district."""
    for state, same in by_state:
        if not same[0].needs_a_person:
            continue
        step = NEXT_STEPS[state]
        yield f"{step.words}, {len(same)}. {step.who}: {step.what} {step.runbook_url}".strip()
        yield from (_line(each) for each in same[:MOST_NAMED])
        if len(same) > MOST_NAMED:
            yield f"- and {len(same) - MOST_NAMED} more"


def _line(state: DistrictState) -> str:
    """One district: since when it is without, and why."""
    last = f"last good night {state.last_good}" if state.last_good else "never published"
    without = f", {state.nights_since} nights without" if state.nights_since > 1 else ""
    return f"- {state.district}: {last}{without}. {state.message or ''}".strip()


def _with_rows_set_aside(found: Sequence[SetAside]) -> Iterator[str]:
    if not found:
        return
    named = ", ".join(f"{each.district} {each.rows:,}" for each in found[:MOST_NAMED])
    more = f", and {len(found) - MOST_NAMED} more districts" if len(found) > MOST_NAMED else ""
    yield f"Records set aside: {sum(each.rows for each in found):,}. {named}{more}."


def _set_aside(connection: Connection, night: date) -> list[SetAside]:
    """The districts of which the night's published delivery had records set aside, most first."""
    with connection.cursor(row_factory=class_row(SetAside)) as cursor:
        return cursor.execute(
            """
            select district_id as district, set_aside as rows
            from rollcall.night inner join rollcall.delivery using (district_id, delivery_id)
            where night.service_date = %s and delivery.state = 'published' and set_aside > 0
            order by set_aside desc, district_id
            """,
            (night,),
        ).fetchall()
