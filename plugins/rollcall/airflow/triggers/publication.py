"""What ``await_publication`` waits for: the state of a delivery in the ledger."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from airflow.triggers.base import BaseTrigger, TriggerEvent

from rollcall.warehouse import warehouse_url


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
            "rollcall.airflow.triggers.publication.PublicationTrigger",
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
