"""What ``wait_for_delivery`` is, from its first look into the ledger to its last: it never comes to a worker."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from rollcall.airflow.triggers.delivery import DeliveryTrigger
from rollcall.airflow.triggers.ending import ended
from rollcall.arrival.night import NightRun, Wait, begin, end, poll_interval, stable_after
from rollcall.districts import District, load_district
from rollcall.settings import settings


class NightTrigger(BaseTrigger):
    """Waits for the delivery of a run's night, and ends the run's task.

    What is known of the night is asked when the wait begins, and after a restart of the triggerer once more. The
    district's file is read then; a change counts from the next wait on.

    Args:
        district_id: Whose inbox.
    """

    def __init__(self, district_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow has not typed it
        self.district_id = district_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer finds and rebuilds this trigger."""
        return ("rollcall.airflow.triggers.night.NightTrigger", {"district_id": self.district_id})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask the ledger, wait if there is something to wait for, and end the task."""
        district = load_district(settings().districts_dir / f"{self.district_id}.yaml")
        run = night_run(district, self.task_instance.get_template_context())  # type: ignore[union-attr]  # it has one
        begun = await asyncio.to_thread(begin, district, run)
        if not isinstance(begun, Wait):
            yield ended(self.log, begun.state, begun.message)
            return
        if begun.has_claims:
            await asyncio.to_thread(self._put_claims_back, district)
        self.log.info(
            "Waiting until %s for %s in the inbox of %s.",
            begun.deadline.isoformat(timespec="seconds"),
            ", ".join(district.files),
            district.district_id,
        )
        async for event in _look_out(district, begun).run():
            ending = await asyncio.to_thread(end, district, run, event.payload)
            yield ended(self.log, ending.state, ending.message)

    def _put_claims_back(self, district: District) -> None:
        """What an interrupted run has set aside is a part of what is waited for."""
        from rollcall.archive.receive import put_claims_back
        from rollcall.sftp import airflow_account

        put_claims_back(district, airflow_account(district.sftp_connection_id))


def night_run(district: District, context: Any) -> NightRun:
    """What of a run's context matters to its night."""
    params = context["params"]
    return NightRun(
        run_id=context["run_id"],
        run_type=context["dag_run"].run_type,
        service_date=run_service_date(district, context),
        source=params["source"],
        wait_seconds=params["wait_seconds"],
    )


def run_service_date(district: District, context: Any) -> date:
    """The night that a run serves: its ``service_date`` parameter, else the date of its schedule."""
    given = context["params"]["service_date"]
    if given:
        return date.fromisoformat(given)
    dag_run = context["dag_run"]
    return district.service_date(dag_run.logical_date or dag_run.run_after)


def _look_out(district: District, wait: Wait) -> DeliveryTrigger:
    """The one that looks into the inbox."""
    return DeliveryTrigger(
        sftp_conn_id=district.sftp_connection_id,
        expected=list(district.files),
        stable_after=stable_after(district),
        poke_interval=poll_interval(district),
        deadline=wait.deadline.isoformat(),
        one_night_hours=district.one_night_hours,
        district_id=district.district_id,
        kept_inbox_of=district.district_id if district.inbox == "keep" else "",
        upload=district.upload.model_dump(),
    )
