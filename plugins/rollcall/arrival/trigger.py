"""The sftp provider's trigger, extended: it fires for a complete delivery at rest, not for the first file seen."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncssh
from airflow.providers.sftp.triggers.sftp import SFTPTrigger
from airflow.triggers.base import TriggerEvent

from rollcall.arrival.listing import Arrival, InboxFile, Stability, assess

LONGEST_LOOK_SECONDS = 60
"""A server that takes the connection and then says nothing must not hold a run past its deadline."""


class DeliveryTrigger(SFTPTrigger):
    """Fires once when a district's delivery is complete and at rest, or when its deadline has passed.

    Args:
        sftp_conn_id: The Airflow connection of the district's account.
        expected: The files that a complete delivery holds, by the standard's names.
        stable_after: Seconds for which sizes and times must not have changed.
        deadline: Until when to wait, as an ISO 8601 moment with its offset.
        poke_interval: Seconds between two looks.
        path: The inbox; the account's login folder by default.

    The event is ``{"status": "complete"}``, ``{"status": "deadline", "missing": […], "found": […], "trouble": …}``
    or ``{"status": "refused", "message": …}``.
    """

    def __init__(
        self,
        sftp_conn_id: str,
        expected: list[str],
        stable_after: float,
        deadline: str,
        poke_interval: float = 60,
        path: str = ".",
    ) -> None:
        super().__init__(path=path, sftp_conn_id=sftp_conn_id, poke_interval=poke_interval)
        self.expected = expected
        self.stable_after = stable_after
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer finds and rebuilds this trigger."""
        return (
            "rollcall.arrival.trigger.DeliveryTrigger",
            {
                "sftp_conn_id": self.sftp_conn_id,
                "expected": self.expected,
                "stable_after": self.stable_after,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
                "path": self.path,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the inbox again and again until there is something to say."""
        deadline = datetime.fromisoformat(self.deadline)
        stability = Stability()
        arrival, trouble = Arrival((), tuple(self.expected)), None
        while True:
            try:
                arrival, trouble = assess(await self._look(), self.expected), None
            except (asyncssh.PermissionDenied, asyncssh.HostKeyNotVerifiable) as error:
                yield TriggerEvent({"status": "refused", "message": refusal(self.sftp_conn_id, error)})
                return
            except (TimeoutError, OSError, asyncssh.Error) as error:
                # A lost connection is not the district's failure: look again until the deadline.
                trouble = type(error).__name__
            if trouble is None:
                at_rest = stability.seconds_at_rest(arrival.files, time.monotonic())
                if arrival.is_complete and at_rest >= self.stable_after:
                    yield TriggerEvent({"status": "complete", "files": [file.name for file in arrival.files]})
                    return
            if datetime.now(deadline.tzinfo) >= deadline:
                yield TriggerEvent(_deadline_event(arrival, trouble))
                return
            await asyncio.sleep(self.poke_interval)

    async def _look(self) -> list[InboxFile]:
        """The inbox's files as the server lists them now."""
        hook = self._get_async_hook()
        async with asyncio.timeout(LONGEST_LOOK_SECONDS):
            entries = await hook.read_directory(self.path) or []
        return [
            InboxFile(str(entry.filename), entry.attrs.size or 0, int(entry.attrs.mtime or 0))
            for entry in entries
            if entry.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR
        ]


def refusal(connection_id: str, error: Exception) -> str:
    """What to tell an operator when the server turned us away."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return (
            f"The server behind {connection_id} shows another host key than the pinned one. If it was moved on "
            "purpose, pin the new key in the connection's extra 'host_key'; otherwise treat it as an intrusion."
        )
    return (
        f"The server refuses the user name or password of {connection_id}. Renew the password in the connection and "
        "at the district, then clear this task."
    )


def _deadline_event(arrival: Arrival, trouble: str | None) -> dict[str, Any]:
    return {
        "status": "deadline",
        "found": [file.name for file in arrival.files],
        "missing": list(arrival.missing),
        "trouble": trouble,
    }
