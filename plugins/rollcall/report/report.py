"""The step ``report``: close the night in the ledger, leave the receipt, tell the operators of what needs them."""

from datetime import date
from typing import NamedTuple

from psycopg.rows import class_row

from rollcall import ledger
from rollcall.airflow_api import AirflowUnreachableError
from rollcall.archive.decisions import write_decisions_if_possible
from rollcall.decision.requests import answer_settled_requests
from rollcall.districts import District
from rollcall.ledger import Delivery
from rollcall.log import at_work_on, get_logger
from rollcall.nights import has_come, impossible_because
from rollcall.report.notices import tell_at_once
from rollcall.report.notify import Message
from rollcall.report.posting import leave_receipt
from rollcall.sftp import SftpAccount
from rollcall.states import NightOutcome
from rollcall.warehouse import Connection, connect, value

log = get_logger(__name__)


class Recorded(NamedTuple):
    """What the ledger says of a night."""

    outcome: str
    message: str
    delivery_id: int | None


def report(
    district: District, service_date: date, run_id: str, account: SftpAccount, *, failed_tasks: tuple[str, ...]
) -> str:
    """Close a run's night; running it again writes the same.

    A run without a delivery of its own leaves a night alone that another run's delivery served, and one that the
    district cannot have.

    Args:
        service_date: The night of a run without a delivery; a delivery's is its own.
        failed_tasks: The run's tasks that failed, by id.

    Returns:
        The night's outcome.
    """
    with connect() as connection:
        delivery = ledger.delivery_of_run(connection, district.district_id, run_id)
        night = delivery.service_date if delivery else service_date
        recorded = _recorded(connection, district, night)
        outcome, message = _outcome(connection, district, night, delivery, recorded, failed_tasks)
        closed = Recorded(outcome, message, delivery.delivery_id if delivery else None)
        if closed != recorded and _is_its_to_close(connection, district, night, delivery, recorded):
            ledger.record_night(
                connection,
                district.district_id,
                night,
                outcome,
                message=message,
                delivery_id=closed.delivery_id,
                run_id=run_id,
            )
    if delivery is not None:
        with at_work_on(delivery.delivery_id):
            leave_receipt(district, delivery.delivery_id, account)
    write_decisions_if_possible([district.district_id])
    _close_requests(district)
    log.info("%s, night of %s: %s. %s", district.district_id, night, outcome, message)
    if NightOutcome(outcome).is_told_at_once:
        told = Message(f"{district.district_id}, night of {night}: {outcome}", (message,))
        tell_at_once(night, outcome, district.district_id, told)
    return outcome


def _outcome(
    connection: Connection,
    district: District,
    night: date,
    delivery: Delivery | None,
    recorded: Recorded | None,
    failed_tasks: tuple[str, ...],
) -> tuple[str, str]:
    """How the night ended, and the sentence that says so."""
    if delivery is not None and delivery.state.is_judged:
        return delivery.state, delivery.state_reason or delivery.state.sentence
    if failed_tasks and failed_tasks != ("wait_for_delivery",):
        last_good = ledger.last_good_night(connection, district.district_id)
        still = f"Readers still see the roster of {last_good}." if last_good else "Nothing was ever published."
        return "failed", f"{', '.join(failed_tasks)} failed. Read the task's log, then clear it. {still}"
    if recorded is not None:
        return recorded.outcome, recorded.message
    impossible = impossible_because(connection, district, night)
    return "failed", impossible or "The run ended before it began to wait. Clear it."


def _recorded(connection: Connection, district: District, night: date) -> Recorded | None:
    """What the ledger says of the night already."""
    with connection.cursor(row_factory=class_row(Recorded)) as cursor:
        return cursor.execute(
            "select outcome, coalesce(message, '') as message, delivery_id from rollcall.night "
            "where district_id = %s and service_date = %s",
            (district.district_id, night),
        ).fetchone()


def _is_its_to_close(
    connection: Connection, district: District, night: date, delivery: Delivery | None, recorded: Recorded | None
) -> bool:
    """Whether the night is this run's to write down."""
    if delivery is not None:
        return has_come(night)  # an older version let other nights in
    if recorded is not None:
        return recorded.delivery_id is None
    return impossible_because(connection, district, night) is None


def _close_requests(district: District) -> None:
    """Answer Airflow's requests whose hold was settled lately by a newer delivery or the command line."""
    with connect() as connection:
        settled_lately = value(
            connection,
            """
            select exists (
                select from rollcall.hold inner join rollcall.delivery using (delivery_id)
                where district_id = %s and settled_via <> 'airflow' and settled_at > now() - interval '7 days'
            )
            """,
            (district.district_id,),
        )
    if not settled_lately:
        return
    try:
        answer_settled_requests(district.district_id)
    except AirflowUnreachableError as error:
        log.warning("%s. The ledger's decision stands; clear the task 'hold' of the older run, and it follows.", error)
