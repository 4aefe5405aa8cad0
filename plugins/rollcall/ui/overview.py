"""What the list of districts shows: a line per district, by a fixed number of queries however many there are."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from rollcall.ledger import NOBODY_SENT
from rollcall.report.next_steps import NEXT_STEPS, NextStep, next_step, urgency
from rollcall.report.status import DistrictState, district_states, states_of_night
from rollcall.ui.sparkline import sparkline
from rollcall.warehouse import Connection

NIGHTS_DRAWN = 30


@dataclass(frozen=True)
class Figures:
    """What the ledger counted of a district's deliveries.

    Attributes:
        rows: Records of the last delivery that was read.
        students: Those of users.csv that are students; None when it was not counted.
        set_aside: Records of it that were set aside.
        seconds: From its arrival to its publication, or to its verdict.
        line: The records of the last nights, as points of a drawing.
    """

    rows: int | None = None
    students: int | None = None
    set_aside: int | None = None
    seconds: float | None = None
    line: str = ""


NOTHING_COUNTED = Figures()


@dataclass(frozen=True)
class Line:
    """One district's line."""

    name: str
    state: DistrictState
    step: NextStep
    figures: Figures


@dataclass(frozen=True)
class Overview:
    """The list.

    Attributes:
        lines: Those that were asked for, what needs a person first.
        counts: How many districts are in each state that there is, whatever was asked for; in the order of the lines.
        needing: How many need a person.
    """

    lines: tuple[Line, ...]
    counts: dict[str, int]
    needing: int


def states(connection: Connection, night: date | None) -> list[DistrictState]:
    """The districts as they stand now, or as a night ended.

    Args:
        connection: A connection to the ledger.
        night: The night; None for now.
    """
    return district_states(connection) if night is None else states_of_night(connection, night)


def overview(
    connection: Connection, found: Sequence[DistrictState], night: date | None, wanted: str = "", search: str = ""
) -> Overview:
    """The list of some districts.

    Args:
        connection: A connection to the ledger.
        found: The districts that may be shown.
        night: The night that is looked back at; None for now.
        wanted: Only districts in this state, or ``needs_a_person``; blank for all.
        search: Only districts whose id or name has this in it.
    """
    names = _names(connection)
    figures = _figures(connection, night or datetime.now(UTC).date())
    counts = Counter(state.state for state in found)
    lines = [
        Line(
            names.get(state.district, state.district),
            state,
            next_step(state),
            figures.get(state.district, NOTHING_COUNTED),
        )
        for state in sorted(found, key=urgency)
        if _is_wanted(state, wanted) and _matches(search, state.district, names.get(state.district, ""))
    ]
    return Overview(
        tuple(lines),
        {state: counts[state] for state in NEXT_STEPS if counts[state]},
        sum(state.needs_a_person for state in found),
    )


def _is_wanted(state: DistrictState, wanted: str) -> bool:
    return not wanted or state.state == wanted or (wanted == "needs_a_person" and state.needs_a_person)


def _matches(search: str, *texts: str) -> bool:
    return any(search.casefold() in text.casefold() for text in texts)


def _names(connection: Connection) -> dict[str, str]:
    return dict(connection.execute("select district_id, name from rollcall.district").fetchall())


def _figures(connection: Connection, last: date) -> dict[str, Figures]:
    """The figures of every district over the nights up to one."""
    first = last - timedelta(days=NIGHTS_DRAWN - 1)
    rows = connection.execute(
        """
        with sent as (
            select distinct on (district_id, service_date)
                district_id, service_date, records, students, set_aside,
                extract(epoch from coalesce(published_at, decided_at) - arrived_at)::double precision as seconds
            from rollcall.delivery
            where service_date between %(first)s and %(last)s
                and source <> all(%(nobody_sent)s) and state <> 'receiving'
            order by district_id, service_date, arrived_at desc
        )

        select
            district_id,
            array_agg(service_date - %(first)s order by service_date),
            array_agg(records order by service_date),
            array_agg(students order by service_date),
            array_agg(set_aside order by service_date),
            (array_agg(seconds order by service_date desc))[1]
        from sent
        group by district_id
        """,
        {"first": first, "last": last, "nobody_sent": list(NOBODY_SENT)},
    ).fetchall()
    return {district: _figures_of(*rest) for district, *rest in rows}


def _figures_of(
    places: Sequence[int],
    records: Sequence[int | None],
    students: Sequence[int | None],
    set_aside: Sequence[int | None],
    seconds: float | None,
) -> Figures:
    drawn: list[int | None] = [None] * NIGHTS_DRAWN
    for place, count in zip(places, records, strict=True):
        drawn[place] = count
    return Figures(_last(records), _last(students), _last(set_aside), seconds, sparkline(list(_carried(drawn))))


def _last(counts: Sequence[int | None]) -> int | None:
    """The last one that is known: an unchanged delivery is not read again."""
    return next((count for count in reversed(counts) if count is not None), None)


def _carried(counts: Iterable[int | None]) -> Iterator[int | None]:
    """Each count, or the one before it: a night without a delivery leaves the roster as it is."""
    before = None
    for count in counts:
        before = count if count is not None else before
        yield before
