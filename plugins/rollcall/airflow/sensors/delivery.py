"""The sftp provider's sensor, extended: it waits for one night's complete delivery of one district."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.providers.sftp.sensors.sftp import SFTPSensor
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from rollcall.airflow.triggers.delivery import DeliveryTrigger
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
from rollcall.warehouse import Connection, connect

SHORTEST_WAIT = timedelta(minutes=15)
"""How long a run waits at least, however late in the day it is started or cleared."""
STARTED_BY_ARRIVAL = "asset_triggered"
"""The type of a run that the watch of ``airflow/triggers/arrival_watch.py`` started."""


class DeliverySensor(SFTPSensor):
    """Waits, without holding a worker, until a district's delivery of the night is complete and at rest.

    Fails at once, before anything is written down, when the district cannot have the night. Skips when no delivery is
    expected, passes at once when the run has its delivery already (a cleared run reuses it from the archive), and
    fails, naming what is missing and the last good night, when the deadline passes.

    Args:
        district: The district whose inbox is watched.
    """

    def __init__(self, *, district: District, **kwargs: Any) -> None:
        super().__init__(path=".", sftp_conn_id=district.sftp_connection_id, deferrable=True, **kwargs)
        self.district = district

    def execute(self, context: Any) -> None:
        """Look into the ledger first; defer to the trigger when there is something to wait for."""
        params, run_id = context["params"], context["run_id"]
        service_date = run_service_date(self.district, context)
        with connect() as connection:
            known = delivery_of_run(connection, self.district.district_id, run_id)
            impossible = None if known else impossible_because(connection, self.district, service_date)
            if impossible is not None:
                raise AirflowFailException(f"{impossible} Nothing was done; start another run.")
            record_district(connection, self.district)
            broken_off = has_broken_off(connection, self.district.district_id, run_id)
            if known is not None and known.was_left:  # what it was is judged anew
                known = None
            if known is None and params["source"] == "inbox":
                reason = self._not_waited_for(service_date, context["dag_run"].run_type)
                if reason:
                    record_night(connection, self.district.district_id, service_date, "not_expected", message=reason)
                    connection.commit()
                    raise AirflowSkipException(f"Nothing to wait for on {service_date}: {reason}.")
                served = delivery_of_night(connection, self.district.district_id, service_date)
                if served is None and context["dag_run"].run_type != STARTED_BY_ARRIVAL:
                    record_night(connection, self.district.district_id, service_date, "waiting", run_id=run_id)
        if known is not None:
            self.log.info("This run received delivery %s already; it is taken from the archive.", known.delivery_id)
            return
        if params["source"] != "inbox":
            self.log.info("This run takes %s; the inbox is left alone.", params["source"])
            return
        if broken_off:
            self._put_claims_back()
        self._wait(service_date, params["wait_seconds"], context["dag_run"].run_type)

    def _put_claims_back(self) -> None:
        """What an interrupted run has set aside is a part of what is waited for."""
        from rollcall.archive.receive import put_claims_back
        from rollcall.sftp import airflow_account

        account = airflow_account(self.district.sftp_connection_id)
        put_claims_back(self.district, account, self.log.info)

    def _not_waited_for(self, service_date: date, run_type: str) -> str | None:
        """Why a run has nothing to wait for; a person who starts one knows better."""
        if run_type == "manual":
            return None
        if run_type == STARTED_BY_ARRIVAL:  # what is there is there, whatever the weekday
            return self.district.paused_because(service_date)
        return self.district.not_expected_because(service_date)

    def _wait(self, service_date: date, wait_seconds: float | None, run_type: str) -> None:
        """Hand over to the triggerer."""
        now = datetime.now(UTC)
        stable_after = self.district.stable_after_seconds or settings().stable_after_seconds
        poll_interval = self.district.poll_interval_seconds or settings().poll_interval_seconds
        if run_type == STARTED_BY_ARRIVAL:  # it lies there already: time enough to see it at rest
            deadline = now + timedelta(seconds=2 * stable_after + 5 * poll_interval)
        elif wait_seconds is None:
            deadline = max(self.district.deadline_on(service_date), now + SHORTEST_WAIT)
        else:
            deadline = now + timedelta(seconds=wait_seconds)
        self.log.info(
            "Waiting until %s for %s in the inbox of %s.",
            deadline.isoformat(timespec="seconds"),
            ", ".join(self.district.files),
            self.district.district_id,
        )
        self.defer(
            trigger=DeliveryTrigger(
                sftp_conn_id=self.sftp_conn_id,
                expected=list(self.district.files),
                stable_after=stable_after,
                poke_interval=poll_interval,
                deadline=deadline.isoformat(),
                one_night_hours=self.district.one_night_hours,
                district_id=self.district.district_id,
                kept_inbox_of=self.district.district_id if self.district.inbox == "keep" else "",
                upload=self.district.upload.model_dump(),
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """Pass on a complete delivery; fail with a sentence for the operator on anything else."""
        if event and event["status"] == "complete":
            self.log.info("Complete and at rest: %s.", ", ".join(event["files"]))
            return
        service_date, event = run_service_date(self.district, context), event or {}
        with connect() as connection:
            last_good = last_good_night(connection, self.district.district_id)
            outcome, message = _what_went_wrong(event, self.district, service_date, last_good)
            if event.get("status") == "deadline":
                calm = self._nothing_lost(connection, service_date, context["dag_run"].run_type, outcome)
                if calm:
                    connection.commit()
                    raise AirflowSkipException(calm)
            record_night(
                connection,
                self.district.district_id,
                service_date,
                outcome,
                message=message,
                missing_files=event.get("missing", ()),
                run_id=context["run_id"],
            )
        raise AirflowFailException(message)

    def _nothing_lost(self, connection: Connection, service_date: date, run_type: str, outcome: str) -> str | None:
        """Why it does not matter that nothing came: the night is served, or another run took what was seen."""
        served = delivery_of_night(connection, self.district.district_id, service_date)
        is_calm = run_type == STARTED_BY_ARRIVAL or (
            outcome == "missing" and served is not None and served.state != "rejected"
        )
        if served is not None and is_calm:
            record_night(
                connection,
                self.district.district_id,
                service_date,
                served.state,
                message=served.state_reason,
                delivery_id=served.delivery_id,
                run_id=served.run_id,
            )
            return f"The night of {service_date} has delivery {served.delivery_id}; nothing new has come since."
        if run_type != STARTED_BY_ARRIVAL:
            return None
        message = "A delivery was seen in the inbox, and is not there any more, or is being sent anew."
        record_night_unless_known(connection, self.district.district_id, service_date, "not_expected", message)
        return f"{message} It is taken when it is whole again."


def run_service_date(district: District, context: Any) -> date:
    """The night that a run serves: its ``service_date`` parameter, else the date of its schedule."""
    given = context["params"]["service_date"]
    if given:
        return date.fromisoformat(given)
    dag_run = context["dag_run"]
    return district.service_date(dag_run.logical_date or dag_run.run_after)


def _what_went_wrong(
    event: dict[str, Any], district: District, service_date: date, last_good: date | None
) -> tuple[str, str]:
    """The night's outcome, and the sentence for the operator."""
    still_good = f"Readers still see the roster of {last_good}." if last_good else "Nothing was ever published."
    if event.get("status") == "refused":
        return "refused", f"{event['message']} {still_good}"
    if event.get("trouble"):
        return (
            "unreachable",
            f"The inbox of {district.district_id} could not be looked at ({event['trouble']}) when the wait for "
            f"{service_date} ended. Check the SFTP service, then clear this task. {still_good}",
        )
    if event.get("found") and event.get("missing"):
        return (
            "incomplete",
            f"{district.name} sent no {', '.join(event['missing'])} for {service_date}. Ask the district to send the "
            f"whole set again, then clear this task. {still_good}",
        )
    if event.get("found"):
        return (
            "incomplete",
            f"{district.name} was still uploading when the wait for {service_date} ended. Clear this task to wait "
            f"again. {still_good}",
        )
    if event.get("strays"):
        return (
            "missing",
            f"{district.name} sent no CSV file and no zip for {service_date}, only {', '.join(event['strays'][:5])}. "
            f"Ask the district to export OneRoster CSV files, then clear this task to wait again. {still_good}",
        )
    return (
        "missing",
        f"{district.name} sent nothing for {service_date}. Ask whether its export ran, then clear this task to wait "
        f"again. {still_good}",
    )
