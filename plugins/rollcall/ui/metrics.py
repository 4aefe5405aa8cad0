"""How the nights go, as Prometheus reads it: what the ledger knows, by a fixed number of queries."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rollcall.ledger import ROLLBACK
from rollcall.report.next_steps import NEXT_STEPS
from rollcall.report.status import DistrictState
from rollcall.ui.overview import Line, Overview, overview
from rollcall.warehouse import Connection

CONTENT_TYPE = CONTENT_TYPE_LATEST
PERCENTILES = (50, 95, 100)
OF_DISTRICTS = {
    "nights_without": "Nights since the last good one that ended without a roster.",
    "last_good_night_timestamp_seconds": "The night that readers see, at midnight UTC.",
    "students": "Students in the delivery that was read last.",
    "rows": "Records in the delivery that was read last.",
    "rows_set_aside": "Records of it that were set aside.",
    "delivery_seconds": "The last delivery, from its arrival to its publication or verdict.",
}
"""What is measured of each district, and what it says."""

_OF_THE_LAST_TWO_NIGHTS = "service_date >= (now() at time zone 'Etc/GMT+12')::date - 1"
"""Counted where the day ends last: elsewhere it may be a night more, and nowhere one less."""
_FINDINGS = """
    with latest as (
        select distinct on (district_id) delivery_id
        from rollcall.delivery
        where district_id = any(%(districts)s) and service_date > current_date - 30 and records is not null
        order by district_id, service_date desc, arrived_at desc
    )

    select file, code, severity, sum(rows_failed), count(*)
    from latest
    inner join rollcall.check_result using (delivery_id)
    where rows_failed > 0
    group by file, code, severity
    order by file, code
"""
_STEPS = f"""
    with sent as (
        select
            arrived_at, coalesce(opened_at, decided_at) as judged_at, opened_at, settled_at, accepted_at, published_at
        from rollcall.delivery
        left join rollcall.hold using (delivery_id)
        where district_id = any(%(districts)s) and {_OF_THE_LAST_TWO_NIGHTS} and source <> %(rollback)s
    ),

    took as (
        select step, extract(epoch from ended_at - began_at)::double precision as seconds
        from sent
        cross join lateral (values
            ('check', arrived_at, judged_at), ('decision', opened_at, settled_at), ('build', accepted_at, published_at)
        ) as steps (step, began_at, ended_at)
        where ended_at is not null
    )

    select step, count(*), percentile_cont(%(percentiles)s::double precision[]) within group (order by seconds)
    from took
    where seconds is not null
    group by step
    order by step
"""
_WAITS = f"""
    with waits as (
        select 'delivery' as waits_for, updated_at as since
        from rollcall.night
        where district_id = any(%(districts)s) and {_OF_THE_LAST_TWO_NIGHTS} and outcome = 'waiting'
        union all
        select case state when 'held' then 'decision' else 'build' end, coalesce(accepted_at, decided_at, arrived_at)
        from rollcall.delivery
        where district_id = any(%(districts)s) and state in ('held', 'accepted')
    )

    select waits_for, count(since), coalesce(extract(epoch from now() - min(since)), 0)::double precision
    from (values ('delivery'), ('decision'), ('build')) as kinds (waits_for)
    left join waits using (waits_for)
    group by waits_for
    order by waits_for
"""


class _Collected(Collector):
    """What was asked of the ledger already, in the form that prometheus_client writes out."""

    def __init__(self, families: Sequence[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._families


def metrics(connection: Connection, found: Sequence[DistrictState]) -> bytes:
    """Everything that is measured, in Prometheus' text format.

    Args:
        connection: A connection to the ledger.
        found: The districts that may be shown; of no other one is anything counted.
    """
    shown = overview(connection, found, None)
    asked = {
        "districts": [each.district for each in found],
        "rollback": ROLLBACK,
        "percentiles": [percentile / 100 for percentile in PERCENTILES],
    }
    families = [
        *_of_states(shown),
        *_of_districts(shown.lines),
        *_of_findings(connection.execute(_FINDINGS, asked).fetchall()),
        *_of_steps(connection.execute(_STEPS, asked).fetchall()),
        *_of_waits(connection.execute(_WAITS, asked).fetchall()),
    ]
    registry = CollectorRegistry()
    registry.register(_Collected(families))
    return generate_latest(registry)


def _gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"rollcall_{name}", what, labels=labels)


def _of_states(shown: Overview) -> Iterator[GaugeMetricFamily]:
    states = _gauge("districts", "Districts by state.", "state", "mood")
    for state, step in NEXT_STEPS.items():
        states.add_metric([state, step.mood], shown.counts.get(state, 0))
    needing = _gauge("districts_needing_a_person", "Districts for which somebody has to do something.")
    needing.add_metric([], shown.needing)
    yield from (states, needing)


def _of_districts(lines: Iterable[Line]) -> Iterator[GaugeMetricFamily]:
    """A line per district of each; of what is not known, none."""
    state = _gauge("district_state", "1 for the state that each district is in.", "district", "state")
    figures = {name: _gauge(f"district_{name}", what, "district") for name, what in OF_DISTRICTS.items()}
    for line in lines:
        district = line.state.district
        state.add_metric([district, line.state.state], 1)
        values = {
            "nights_without": line.state.nights_since,
            "last_good_night_timestamp_seconds": _midnight(line.state),
            "students": line.figures.students,
            "rows": line.figures.rows,
            "rows_set_aside": line.figures.set_aside,
            "delivery_seconds": line.figures.seconds,
        }
        for name, value in values.items():
            if value is not None:
                figures[name].add_metric([district], value)
    yield from (state, *figures.values())


def _midnight(state: DistrictState) -> float | None:
    night = state.last_good
    return None if night is None else datetime.combine(night, time(), UTC).timestamp()


def _of_findings(rows: Iterable[tuple[str, str, str, int, int]]) -> Iterator[GaugeMetricFamily]:
    by = ("file", "code", "severity")
    records = _gauge("findings", "Records that broke a rule, in the deliveries that were read last.", *by)
    districts = _gauge("findings_districts", "Districts whose delivery that was read last broke a rule.", *by)
    for file, code, severity, failed, count in rows:
        records.add_metric([file, code, severity], float(failed))
        districts.add_metric([file, code, severity], count)
    yield from (records, districts)


def _of_steps(rows: Iterable[tuple[str, int, Sequence[float]]]) -> Iterator[GaugeMetricFamily]:
    seconds = _gauge("step_seconds", "How long a step took, over the last two nights.", "step", "percentile")
    deliveries = _gauge("step_deliveries", "How many deliveries of the last two nights took a step.", "step")
    for step, count, values in rows:
        deliveries.add_metric([step], count)
        for percentile, value in zip(PERCENTILES, values, strict=True):
            seconds.add_metric([step, str(percentile)], value)
    yield from (seconds, deliveries)


def _of_waits(rows: Iterable[tuple[str, int, float]]) -> Iterator[GaugeMetricFamily]:
    waiting = _gauge("waiting", "How many nights or deliveries wait, and for what.", "for")
    longest = _gauge("waiting_longest_seconds", "How long the first of them has waited.", "for")
    for waits_for, count, seconds in rows:
        waiting.add_metric([waits_for], count)
        longest.add_metric([waits_for], seconds)
    yield from (waiting, longest)
