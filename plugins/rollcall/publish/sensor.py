"""The task ``await_publication``: parks until the delivery's build has ended, whichever way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from rollcall import ledger
from rollcall.settings import settings
from rollcall.warehouse import connect, warehouse_url


class PublicationTrigger(BaseTrigger):
    """Fires when a delivery is no longer ``accepted``; a warehouse that is away for a while is waited for.

    Args:
        delivery_id: The delivery.
        poll_interval: Seconds between two looks into the ledger.
    """

    def __init__(self, delivery_id: int, poll_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow has not typed it
        self.delivery_id = delivery_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer finds and rebuilds this trigger."""
        return (
            "rollcall.publish.sensor.PublicationTrigger",
            {"delivery_id": self.delivery_id, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask the ledger until the state has moved on."""
        while True:
            state = await self._state()
            if state is not None and state != "accepted":
                yield TriggerEvent({"state": state})
                return
            await asyncio.sleep(self.poll_interval)

    async def _state(self) -> str | None:
        """The delivery's state; None when the warehouse cannot be asked now."""
        try:
            async with await psycopg.AsyncConnection.connect(warehouse_url(), autocommit=True) as connection:
                cursor = await connection.execute(
                    "select state from rollcall.delivery where delivery_id = %s", (self.delivery_id,)
                )
                row = await cursor.fetchone()
        except psycopg.OperationalError as error:
            self.log.warning("The warehouse cannot be asked now (%s); asking again.", type(error).__name__)
            return None
        return str(row[0]) if row else None


class PublicationSensor(BaseSensorOperator):
    """Waits, without holding a worker, for the outcome of the build that a delivery was accepted into.

    Args:
        district_id: Whose delivery; which one, the run knows.
    """

    def __init__(self, *, district_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.district_id = district_id

    def execute(self, context: Any) -> None:
        """End at once when the build has ended already."""
        delivery = self._delivery(context["run_id"])
        if delivery.state == "accepted":
            self.defer(
                trigger=PublicationTrigger(delivery.delivery_id, settings().publication_poll_seconds),
                method_name="execute_complete",
            )
        self._judge(delivery)

    def execute_complete(self, context: Any, event: Any = None) -> None:  # noqa: ARG002 -- Airflow's signature
        """Say how the build ended."""
        self._judge(self._delivery(context["run_id"]))

    def _delivery(self, run_id: str) -> ledger.Delivery:
        with connect() as connection:
            delivery = ledger.delivery_of_run(connection, self.district_id, run_id)
        if delivery is None:
            raise AirflowFailException("This run received no delivery.")
        return delivery

    def _judge(self, delivery: ledger.Delivery) -> None:
        if delivery.state in ("conform_failed", "audit_failed"):
            raise AirflowFailException(
                f"Delivery {delivery.delivery_id} was not published: {delivery.state_reason} "
                "Readers still see the last good roster."
            )
        self.log.info("Delivery %s is %s.", delivery.delivery_id, delivery.state)
