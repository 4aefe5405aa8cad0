"""How each district stands, compared with the night that is due: what ``rollcall status`` prints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from psycopg.rows import class_row

from rollcall.districts import District, DistrictFileError, district_files, load_districts, removed_districts
from rollcall.ledger import ROLLBACK
from rollcall.settings import settings
from rollcall.states import DeliveryState, NightOutcome
from rollcall.warehouse import Connection

IN_PROGRESS = (
    DeliveryState.RECEIVING,
    DeliveryState.RECEIVED,
    DeliveryState.ACCEPTED,
    NightOutcome.IN_PROGRESS,
)
STARTS_WITHIN = timedelta(minutes=15)
"""A run that is due is given this long before it counts as not started: a busy scheduler needs minutes."""
ENDS_WITHIN = timedelta(minutes=30)
"""A run waits for a quarter of an hour at least, whenever it starts; twice that after the deadline, it is stuck."""
BAD_NEWS = {outcome.value for outcome in NightOutcome if outcome.needs_a_person} | {"misconfigured", "wrong_night"}
"""The states in which somebody has to do something."""
EAST_OF_UTC = timedelta(hours=14)
"""How far ahead of UTC the date is somewhere; a later night is nobody's yet."""


_STANDINGS = """
    select
        district.district_id as district,
        night.outcome,
        delivery.state as delivery_state,
        rollback.delivery_id is not null as is_rolled_back,
        night.service_date as night,
        coalesce(rollback.delivery_id, night.delivery_id) as delivery,
        publication.sequence as published_sequence,
        publication.effective_date as last_good,
        coalesce(rollback.state_reason, delivery.state_reason, night.message) as message,
        nights.known,
        nights.bad,
        night.updated_at as since,
        waiting.delivery_id as held,
        waiting.service_date as held_night,
        renamed.delivery_id as rekeying,
        renamed.state as rekeying_state,
        renamed.state_reason as rekeying_reason
    from rollcall.district
    left join lateral (
        select * from rollcall.night
        where night.district_id = district.district_id and night.service_date <= %(latest)s
        order by service_date desc limit 1
    ) as night on true
    left join rollcall.delivery on delivery.delivery_id = night.delivery_id
    left join rollcall.publication on publication.district_id = district.district_id
    left join rollcall.delivery as rollback
        on rollback.delivery_id = publication.delivery_id and rollback.source = %(rollback)s
        and rollback.arrived_at > delivery.arrived_at and delivery.state in ('published', 'unchanged')
    cross join lateral (
        select
            coalesce(array_agg(each.service_date), '{}') as known,
            coalesce(array_agg(each.service_date) filter (
                where each.outcome <> 'not_expected' and (
                    each.outcome not in ('waiting', 'in_progress') or sent.state = 'held'
                    or each.service_date < night.service_date
                )
            ), '{}') as bad
        from rollcall.night as each
        left join rollcall.delivery as sent on sent.delivery_id = each.delivery_id
        where each.district_id = district.district_id and each.service_date <= %(latest)s
            and each.service_date > coalesce(publication.effective_date, '-infinity')
    ) as nights
    left join lateral (
        select held.delivery_id, held.service_date
        from rollcall.delivery as held
        where held.district_id = district.district_id and held.state = 'held'
        order by held.service_date desc, held.arrived_at desc limit 1
    ) as waiting on true
    left join lateral (
        select given.delivery_id, given.state, given.state_reason
        from rollcall.rekeying inner join rollcall.delivery as given using (delivery_id)
        where rekeying.district_id = district.district_id and rekeying.sequence > coalesce(publication.sequence, 0)
        order by rekeying.sequence desc limit 1
    ) as renamed on true
"""


@dataclass(frozen=True)
class DistrictState:
    """One district's line.

    Attributes:
        state: ``published``, ``unchanged``, ``held``, ``rejected``, ``late``, ``missing``, ``paused``,
            ``rolled_back``, ``wrong_night``, ``in_progress`` and the like; ``new`` before its first night,
            ``misconfigured`` while its file cannot be used, ``removed`` once a person took it out.
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

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to do something."""
        return self.state in BAD_NEWS


@dataclass(frozen=True)
class _Standing:
    """What the ledger says of a district; of one that it does not know, nothing.

    Attributes:
        outcome: How its last night stands; a night that nobody can have had yet is passed over.
        delivery_state: The state of that night's delivery.
        is_rolled_back: Whether readers see what a person went back to, not what came last.
        known: The nights that have a row, since the last good one.
        bad: Those of them that ended without a roster.
        since: When the last night's row was written.
        held: The newest delivery that waits for a decision.
        held_night: Its night.
        rekeying: The delivery by which a person gave records other ids, while readers see nothing as new as that.
        rekeying_state: How that stands: its build is to come, or has failed.
        rekeying_reason: Why.
    """

    district: str
    outcome: str | None = None
    delivery_state: str | None = None
    is_rolled_back: bool = False
    night: date | None = None
    delivery: int | None = None
    published_sequence: int | None = None
    last_good: date | None = None
    message: str | None = None
    known: Sequence[date] = ()
    bad: Sequence[date] = ()
    since: datetime | None = None
    held: int | None = None
    held_night: date | None = None
    rekeying: int | None = None
    rekeying_state: str | None = None
    rekeying_reason: str | None = None

    @property
    def state(self) -> DistrictState:
        """The district's line, as the ledger alone has it."""
        return DistrictState(
            self.district,
            "rolled_back" if self.is_rolled_back else state_of(self.outcome, self.delivery_state),
            self.night,
            self.delivery,
            self.published_sequence,
            self.last_good,
            len(self.bad),
            self.message,
        )


def district_states(connection: Connection, now: datetime | None = None) -> list[DistrictState]:
    """The state of every district that has a file or ever ran, by name.

    Args:
        connection: Any connection to the warehouse.
        now: The moment that it is asked for.
    """
    moment = now or datetime.now(UTC)
    configured = _configured()
    known = {standing.district: standing for standing in _standings(connection, moment)}
    removed = removed_districts(settings().districts_dir)
    return [
        _removed(known[name].state)
        if name in removed and name in known
        else _as_of(moment, known.get(name, _Standing(name)), configured.get(name))
        for name in sorted({*configured, *known})
    ]


def states_of_night(connection: Connection, night: date) -> list[DistrictState]:
    """How a night that is over ended in every district that has a file or ever ran, by name.

    Args:
        connection: Any connection to the warehouse.
        night: The night; of it, and of those before, the ledger's word counts, whatever came later.
    """
    configured = _configured()
    known = {state.district: state for state in _night_in_ledger(connection, night)}
    return [
        _without_row(known.get(name, _Standing(name).state), night, configured.get(name))
        for name in sorted({*configured, *known})
    ]


def _configured() -> dict[str, District | DistrictFileError]:
    """Every district that has a file, or in its place what is wrong with it."""
    folder = settings().districts_dir
    return {path.stem: found for path, found in zip(district_files(folder), load_districts(folder), strict=True)}


def _night_in_ledger(connection: Connection, night: date) -> Iterator[DistrictState]:
    """Each district's night as the ledger has it, and what readers saw after it."""
    rows = connection.execute(
        """
        select district.district_id, night.outcome, delivery.state, night.delivery_id, seen.sequence,
            seen.effective_date, since.bad, coalesce(delivery.state_reason, night.message), night.district_id is null
        from rollcall.district
        left join rollcall.night
            on night.district_id = district.district_id and night.service_date = %(night)s
        left join rollcall.delivery on delivery.delivery_id = night.delivery_id
        left join lateral (
            select event.sequence, event.effective_date
            from rollcall.publication_event as event
            where event.district_id = district.district_id and event.effective_date <= %(night)s
                and event.night_correction_id is null
            order by event.publication_event_id desc limit 1
        ) as seen on true
        cross join lateral (
            select count(*) as bad
            from rollcall.night as each
            where each.district_id = district.district_id and each.service_date <= %(night)s
                and each.service_date > coalesce(seen.effective_date, '-infinity')
                and each.outcome not in ('not_expected', 'waiting', 'in_progress')
        ) as since
        """,
        {"night": night},
    ).fetchall()
    for district, outcome, state, delivery, sequence, last_good, bad, message, is_unknown in rows:
        word = "new" if is_unknown else state_of(outcome, state)
        known = DistrictState(district, word, night, delivery, sequence, last_good, bad, message)
        yield replace(known, message=None) if is_unknown else known


def _without_row(state: DistrictState, night: date, district: District | DistrictFileError | None) -> DistrictState:
    """A night of which the ledger knows nothing: none was expected, or none was run."""
    if state.state != "new" or not isinstance(district, District):
        return state
    reason = district.not_expected_because(night)
    if reason is not None:
        return replace(state, state="not_expected", message=reason)
    if state.last_good is None:
        return state
    return replace(state, state="missing", nights_since=state.nights_since + 1, message="No run was started.")


def _standings(connection: Connection, now: datetime) -> list[_Standing]:
    """What the ledger says of every district that ever ran."""
    with connection.cursor(row_factory=class_row(_Standing)) as cursor:
        cursor.execute(_STANDINGS, {"latest": (now + EAST_OF_UTC).date(), "rollback": ROLLBACK})
        return cursor.fetchall()


def state_of(outcome: str | None, delivery_state: str | None) -> str:
    """A night's state in a word; its delivery's is fresher than the night's row, unless the run failed around it."""
    ended_otherwise = outcome == NightOutcome.FAILED or delivery_state is None
    state = (outcome or "new") if ended_otherwise else str(delivery_state)
    if state == NightOutcome.WAITING:  # a run waits only after the hour by which files are due
        return "late"
    return "in_progress" if state in IN_PROGRESS else state


def _removed(state: DistrictState) -> DistrictState:
    """A district that a person took out: nobody waits for it, and what it published stays."""
    return replace(state, state="removed", nights_since=0, message="Removed. What it published stays.")


def _as_of(now: datetime, standing: _Standing, district: District | DistrictFileError | None) -> DistrictState:
    """The state as it is now: the ledger's last night may not be the one that is due.

    A district without a file has no schedule any more: of it the ledger's word stands.
    """
    state = standing.state
    if isinstance(district, DistrictFileError):
        return replace(state, state="misconfigured", message=f"{district}. It has no runs until its file is fixed.")
    if district is not None and state.night is not None and standing.since is not None:
        without = _without_run(now, standing, district)
        over = [night for night in without if now > district.deadline_on(night)]
        in_a_row = [night for night in without if night > state.night]
        is_stuck = state.state == "late" and now > _ends_by(district, state.night, standing.since)
        state = replace(state, nights_since=state.nights_since + len(over))
        if in_a_row:
            state = _not_started(now, state, in_a_row, district)
        elif is_stuck:
            state = _stuck(state, district)
    if district is not None:
        state = _with_pause(now, state, district)
    if standing.rekeying is not None:
        state = _with_rekeying(state, standing.rekeying, standing)
    return _with_wrong_night(now, _with_hold(state, standing) if standing.held else state)


def _without_run(now: datetime, standing: _Standing, district: District) -> list[date]:
    """The nights, the latest first, of which the ledger should know and does not, since the last good one."""
    after = standing.last_good or min(standing.known, default=standing.night)
    return [night for night in district.nights_due(now - STARTS_WITHIN, after=after) if night not in standing.known]


def _ends_by(district: District, night: date, since: datetime) -> datetime:
    """When a run that waits should have ended its wait."""
    return max(district.deadline_on(night), since) + ENDS_WITHIN


def _not_started(now: datetime, state: DistrictState, nights: list[date], district: District) -> DistrictState:
    """No run has started for the night that is due; before its deadline there is time to, but not for those before.

    Args:
        nights: That night, and those in a row before it of which the same is true.
    """
    which = f"the night of {nights[0]}" if len(nights) == 1 else f"{len(nights)} nights, since {nights[-1]}"
    return replace(
        state,
        state="late" if len(nights) == 1 and now <= district.deadline_on(nights[0]) else "missing",
        night=nights[0],
        delivery=None,
        message=f"No run has started for {which}. Look whether Airflow's scheduler runs and {district.dag_id} is not "
        f"paused, then trigger it with Night {nights[0]}.",
    )


def _stuck(state: DistrictState, district: District) -> DistrictState:
    """A run that waits on beyond its deadline: nobody watches for it any more."""
    return replace(
        state,
        state="missing",
        nights_since=state.nights_since + 1,
        message=f"The run still waits, though its deadline was {district.deadline:%H:%M}. Look whether Airflow's "
        "triggerer runs.",
    )


def _with_pause(now: datetime, state: DistrictState, district: District) -> DistrictState:
    """A district on pause today says so, whatever its last night was."""
    reason = district.paused_because(district.service_date(now))
    return replace(state, state="paused", message=reason) if reason else state


def _with_rekeying(state: DistrictState, delivery: int, standing: _Standing) -> DistrictState:
    """Other ids that readers do not see yet: no night stands for them, and no run tells how their build ended.

    A hold waits for them, mostly, and goes on when they are there.
    """
    sentence = rekeying_sentence(delivery, standing.rekeying_state, standing.rekeying_reason)
    waits_for_them = state.state == DeliveryState.HELD and standing.rekeying_state != DeliveryState.ACCEPTED
    if state.needs_a_person and not waits_for_them:
        return replace(state, message=f"{(state.message or '').rstrip('.')}. {sentence}".lstrip(". "))
    return replace(state, state=state_of(None, standing.rekeying_state), delivery=delivery, message=sentence)


def rekeying_sentence(delivery: int, state: str | None, reason: str | None) -> str:
    """What became of the ids that a person gave, and what follows.

    Args:
        delivery: The ledger's row of the rekeying.
        state: Its state.
        reason: Why it is in that state.
    """
    if state == DeliveryState.ACCEPTED:
        return f"Delivery {delivery} waits for its build. {reason}"
    why = (reason or "its build failed").rstrip(".")
    return (
        f"The new ids of delivery {delivery} are not published: {why}. Readers keep the old ones. Once that is fixed, "
        "say `rollcall rekey` again."
    )


def _with_hold(state: DistrictState, standing: _Standing) -> DistrictState:
    """A delivery that waits for a decision is not forgotten over a later night, nor over one without a delivery."""
    sentence = f"Delivery {standing.held} of {standing.held_night} still waits for a decision."
    if state.state in ("paused", NightOutcome.NOT_EXPECTED):
        return replace(state, state="held", night=standing.held_night, delivery=standing.held, message=sentence)
    if standing.held == state.delivery or state.state == "same_as_held":
        return state
    return replace(state, message=f"{state.message} {sentence}" if state.message else sentence)


def _with_wrong_night(now: datetime, state: DistrictState) -> DistrictState:
    """A publication of a night that has not come keeps every real one out, until a person corrects it."""
    if state.last_good is None or state.last_good <= (now + EAST_OF_UTC).date():
        return state
    return replace(
        state,
        state="wrong_night",
        message=f"Readers see the roster of {state.last_good}, a night that has not come: every real one ends "
        f"superseded. Give it the right one: rollcall correct-night {state.district} --to NIGHT --why TEXT",
    )
