"""What ``await_publication`` is: it begins and ends in the triggerer, and never comes to a worker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from rollcall import ledger
from rollcall.airflow.triggers.ending import ended
from rollcall.ledger import Delivery
from rollcall.settings import settings
from rollcall.states import DeliveryState
from rollcall.warehouse import WarehouseError, connect


class PublicationTrigger(BaseTrigger):
    """Waits until the build of a run's delivery has ended, whichever way, and ends the run's task.

    A warehouse that is away for a while is waited for.

    Args:
        district_id: Whose delivery; which one, the run knows.
    """

    def __init__(self, district_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow has not typed it
        self.district_id = district_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer finds and rebuilds this trigger."""
        return ("rollcall.airflow.triggers.publication.PublicationTrigger", {"district_id": self.district_id})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask the ledger until the delivery is no longer ``accepted``."""
        while True:
            try:
                delivery = await asyncio.to_thread(self._delivery)
            except WarehouseError as error:
                self.log.warning("The warehouse cannot be asked now (%s); asking again.", type(error).__name__)
            else:
                if delivery is None or delivery.state is not DeliveryState.ACCEPTED:
                    yield self._ended(delivery)
                    return
            await asyncio.sleep(settings().publication_poll_seconds)

    def _delivery(self) -> Delivery | None:
        run_id = self.task_instance.run_id  # type: ignore[union-attr]  # a trigger of a task has one
        with connect() as connection:
            return ledger.delivery_of_run(connection, self.district_id, run_id)

    def _ended(self, delivery: Delivery | None) -> TriggerEvent:
        """Say how the build ended."""
        if delivery is None:
            return ended(self.log, "failed", "This run received no delivery.")
        named = f"Delivery {delivery.delivery_id}"
        if delivery.state in (DeliveryState.CONFORM_FAILED, DeliveryState.AUDIT_FAILED):
            message = f"{named} was not published: {delivery.state_reason} Readers still see the last good roster."
            return ended(self.log, "failed", message)
        if delivery.state is DeliveryState.PUBLISHED:
            return ended(self.log, "success", f"{named} is published.")
        return ended(self.log, "skipped", f"{named} is {delivery.state}; there is no build to wait for.")
