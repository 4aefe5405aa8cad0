"""How each district stands: what ``rollcall status`` prints."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from rollcall.districts import District, load_districts
from rollcall.ledger import ROLLBACK
from rollcall.settings import settings
from rollcall.warehouse import Connection

STATE_OF_OUTCOME = {"waiting": "late", "not_expected": "not_expected"}
"""A run waits only after the hour by which files are due."""
IN_PROGRESS = frozenset({"receiving", "received", "accepted", "in_progress"})


@dataclass(frozen=True)
class DistrictState:
    """One district's line.

    Attributes:
        state: ``published``, ``unchanged``, ``held``, ``rejected``, ``late``, ``missing``, ``paused``,
            ``rolled_back``, ``in_progress`` and the like; ``new`` before its first night.
        night: The night that the state is about.
        delivery: The night's delivery.
        last_good: The night whose roster readers see.
        nights_since: How many nights since then ended without a roster of their own, a held one included; nights on
            which nothing was expected, or that are not over, do not count.
    """

    district: str
    state: str
    night: date | None
    delivery: int | None
    published_sequence: int | None
    last_good: date | None
    nights_since: int
    message: str | None


def district_states(connection: Connection) -> list[DistrictState]:
    """The state of every district that has a file or ever ran, by name."""
    configured = {
        district.district_id: district
        for district in load_districts(settings().districts_dir)
        if isinstance(district, District)
    }
    known = {state.district: state for state in _from_ledger(connection)}
    names = sorted({*configured, *known})
    return [_with_pause(known.get(name) or _new(name), configured.get(name)) for name in names]


def _from_ledger(connection: Connection) -> Iterable[DistrictState]:
    rows = connection.execute(
        """
        select district.district_id, night.outcome, night.service_date, night.delivery_id, publication.sequence,
            publication.effective_date, since.nights, coalesce(delivery.state_reason, night.message), delivery.state,
            rollback.delivery_id, rollback.state_reason
        from rollcall.district
        left join lateral (
            select * from rollcall.night
            where night.district_id = district.district_id order by service_date desc limit 1
        ) as night on true
        left join rollcall.delivery on delivery.delivery_id = night.delivery_id
        left join rollcall.publication on publication.district_id = district.district_id
        left join rollcall.delivery as rollback
            on rollback.delivery_id = publication.delivery_id and rollback.source = %s
            and rollback.arrived_at > delivery.arrived_at and delivery.state in ('published', 'unchanged')
        cross join lateral (
            select count(*) as nights
            from rollcall.night as bad
            left join rollcall.delivery as sent on sent.delivery_id = bad.delivery_id
            where bad.district_id = district.district_id
                and bad.service_date > coalesce(publication.effective_date, '-infinity')
                and bad.outcome not in ('waiting', 'not_expected')
                and (bad.outcome <> 'in_progress' or sent.state = 'held')
        ) as since
        """,
        (ROLLBACK,),
    ).fetchall()
    for district, outcome, night, delivery, sequence, last_good, nights, message, delivery_state, *rollback in rows:
        state = _state(str(outcome) if outcome else None, str(delivery_state) if delivery_state else None)
        if rollback[0] is not None:  # readers see what a person went back to, not what came last
            state, (delivery, message) = "rolled_back", rollback
        yield DistrictState(str(district), state, night, delivery, sequence, last_good, nights, message)  # type: ignore[arg-type]  # as the tables are declared


def _state(outcome: str | None, delivery_state: str | None) -> str:
    """The delivery's state is fresher than the night's row, unless the run failed around it."""
    ended_otherwise = outcome == "failed" or delivery_state is None
    state = (outcome or "new") if ended_otherwise else str(delivery_state)
    return "in_progress" if state in IN_PROGRESS else STATE_OF_OUTCOME.get(state, state)


def _new(district_id: str) -> DistrictState:
    return DistrictState(district_id, "new", None, None, None, None, 0, None)


def _with_pause(state: DistrictState, district: District | None) -> DistrictState:
    """A district on pause today says so, whatever its last night was."""
    if district is None:
        return state
    reason = district.not_expected_because(district.service_date(datetime.now(UTC)))
    if reason and reason.startswith("paused"):
        return replace(state, state="paused", message=reason)
    return state
