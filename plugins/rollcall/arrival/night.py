"""The wait for one night's delivery: what there is to wait for, until when, and how it ended."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from rollcall.districts import District
from rollcall.ledger import (
    delivery_of_night,
    delivery_of_run,
    has_broken_off,
    last_good_night,
    record_district,
    record_night,
    record_night_unless_known,
)
from rollcall.nights import impossible_because
from rollcall.settings import settings
from rollcall.states import DeliveryState, NightOutcome
from rollcall.warehouse import Connection, connect

SHORTEST_WAIT = timedelta(minutes=15)
"""How long a run waits at least, however late in the day it is started or cleared."""
STARTED_BY_ARRIVAL = "asset_triggered"
"""The type of a run that the watch of ``airflow/triggers/arrival_watch.py`` started."""


@dataclass(frozen=True)
class NightRun:
    """What of a run of a district's DAG matters to the night that it serves.

    Attributes:
        run_id: Airflow's.
        run_type: ``scheduled``, ``manual`` or ``asset_triggered``.
        service_date: The night.
        source: ``inbox``, or the delivery that is to be taken instead.
        wait_seconds: How long a person wants it to wait; None until the deadline.
    """

    run_id: str
    run_type: str
    service_date: date
    source: str = "inbox"
    wait_seconds: float | None = None


@dataclass(frozen=True)
class Ending:
    """How a wait ends.

    Attributes:
        state: ``success``: there is something to take; ``skipped``: nothing is wrong with that there is not;
            ``failed``: somebody has to look.
        message: As an operator reads it.
    """

    state: Literal["success", "skipped", "failed"]
    message: str


@dataclass(frozen=True)
class Wait:
    """Something to wait for.

    Attributes:
        deadline: Until when.
        has_claims: Whether an interrupted run may have set aside what is waited for.
    """

    deadline: datetime
    has_claims: bool


def begin(district: District, run: NightRun) -> Wait | Ending:
    """Look into the ledger whether there is something to wait for, and write down that the night waits.

    Nothing is written when the district cannot have the night.

    Raises:
        WarehouseError: the ledger cannot be asked.
    """
    with connect() as connection:
        known = delivery_of_run(connection, district.district_id, run.run_id)
        impossible = None if known else impossible_because(connection, district, run.service_date)
        if impossible is not None:
            return Ending("failed", f"{impossible} Nothing was done; start another run.")
        record_district(connection, district)
        if known is not None and not known.was_left:  # what it was that was left is judged anew
            return Ending(
                "success", f"This run received delivery {known.delivery_id} already; it is taken from the archive."
            )
        if run.source != "inbox":
            return Ending("success", f"This run takes {run.source}; the inbox is left alone.")
        reason = _not_waited_for(district, run)
        if reason:
            record_night(connection, district.district_id, run.service_date, NightOutcome.NOT_EXPECTED, message=reason)
            return Ending("skipped", f"Nothing to wait for on {run.service_date}: {reason}.")
        served = delivery_of_night(connection, district.district_id, run.service_date)
        if served is None and run.run_type != STARTED_BY_ARRIVAL:
            record_night(connection, district.district_id, run.service_date, NightOutcome.WAITING, run_id=run.run_id)
        return Wait(_deadline(district, run), has_broken_off(connection, district.district_id, run.run_id))


def end(district: District, run: NightRun, event: dict[str, Any]) -> Ending:
    """What it means that a wait ended, written down unless it ended with a delivery.

    Args:
        district: The district.
        run: The run that waited.
        event: What ``DeliveryTrigger`` said.

    Raises:
        WarehouseError: the ledger cannot be asked.
    """
    if event["status"] == "complete":
        return Ending("success", f"Complete and stable: {', '.join(event['files'])}.")
    with connect() as connection:
        last_good = last_good_night(connection, district.district_id)
        outcome, message = _what_went_wrong(event, district, run.service_date, last_good)
        calm = _nothing_lost(connection, district, run, outcome) if event["status"] == "deadline" else None
        if calm:
            return Ending("skipped", calm)
        record_night(
            connection,
            district.district_id,
            run.service_date,
            outcome,
            message=message,
            missing_files=event.get("missing", ()),
            run_id=run.run_id,
        )
    return Ending("failed", message)


def _not_waited_for(district: District, run: NightRun) -> str | None:
    """Why a run has nothing to wait for; a person who starts one knows better."""
    if run.run_type == "manual":
        return None
    if run.run_type == STARTED_BY_ARRIVAL:  # what is there is there, whatever the weekday
        return district.paused_because(run.service_date)
    return district.not_expected_because(run.service_date)


def _deadline(district: District, run: NightRun) -> datetime:
    """Until when a run waits."""
    now = datetime.now(UTC)
    if run.run_type == STARTED_BY_ARRIVAL:  # it lies there already: time enough to see it stable
        return now + timedelta(seconds=2 * stable_after(district) + 5 * poll_interval(district))
    if run.wait_seconds is None:
        return max(district.deadline_on(run.service_date), now + SHORTEST_WAIT)
    return now + timedelta(seconds=run.wait_seconds)


def stable_after(district: District) -> float:
    """Seconds for which a district's files must not have changed."""
    return district.stable_after_seconds or settings().stable_after_seconds


def poll_interval(district: District) -> float:
    """Seconds between two looks into a district's inbox."""
    return district.poll_interval_seconds or settings().poll_interval_seconds


def _nothing_lost(connection: Connection, district: District, run: NightRun, outcome: NightOutcome) -> str | None:
    """Why it does not matter that nothing came: the night is served, or another run took what was seen."""
    served = delivery_of_night(connection, district.district_id, run.service_date)
    is_calm = run.run_type == STARTED_BY_ARRIVAL or (
        outcome is NightOutcome.MISSING and served is not None and served.state is not DeliveryState.REJECTED
    )
    if served is not None and is_calm:
        record_night(
            connection,
            district.district_id,
            run.service_date,
            NightOutcome(served.state) if served.state.is_judged else NightOutcome.IN_PROGRESS,
            message=served.state_reason,
            delivery_id=served.delivery_id,
            run_id=served.run_id,
        )
        return f"The night of {run.service_date} has delivery {served.delivery_id}; nothing new has come since."
    if run.run_type != STARTED_BY_ARRIVAL:
        return None
    message = "A delivery was seen in the inbox, and is not there any more, or is being sent anew."
    record_night_unless_known(connection, district.district_id, run.service_date, NightOutcome.NOT_EXPECTED, message)
    return f"{message} It is taken when it is whole again."


def _what_went_wrong(
    event: dict[str, Any], district: District, service_date: date, last_good: date | None
) -> tuple[NightOutcome, str]:
    """The night's outcome, and the sentence for the operator."""
    still_good = f"Readers still see the roster of {last_good}." if last_good else "Nothing was ever published."
    again = f"start the night again: trigger {district.dag_id} with Night {service_date}"
    if event.get("status") == "refused":
        return NightOutcome.REFUSED, f"{event['message']} {still_good}"
    if event.get("trouble"):
        return (
            NightOutcome.UNREACHABLE,
            f"The inbox of {district.district_id} could not be looked at ({event['trouble']}) when the wait for "
            f"{service_date} ended. Check the SFTP service, then {again}. {still_good}",
        )
    if event.get("found") and event.get("missing"):
        return (
            NightOutcome.INCOMPLETE,
            f"{district.name} sent no {', '.join(event['missing'])} for {service_date}. Ask the district to send the "
            f"whole set again, then {again}. {still_good}",
        )
    if event.get("found"):
        return (
            NightOutcome.INCOMPLETE,
            f"{district.name} was still uploading when the wait for {service_date} ended. When it has, {again}. "
            f"{still_good}",
        )
    if event.get("strays"):
        return (
            NightOutcome.MISSING,
            f"{district.name} sent no CSV file and no zip for {service_date}, only {', '.join(event['strays'][:5])}. "
            f"Ask the district to export OneRoster CSV files, then {again}. {still_good}",
        )
    return (
        NightOutcome.MISSING,
        f"{district.name} sent nothing for {service_date}. Ask whether its export ran, then {again}. {still_good}",
    )
