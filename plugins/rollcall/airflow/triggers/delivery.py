"""The sftp provider's trigger, extended: it fires for a complete and stable delivery, not for the first file seen."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncssh
from airflow.providers.sftp.triggers.sftp import SFTPTrigger
from airflow.triggers.base import TriggerEvent

from rollcall.arrival.limits import excess_of
from rollcall.arrival.listing import Arrival, Stability
from rollcall.arrival.look import Lookout
from rollcall.districts import UploadLimits
from rollcall.names import listed
from rollcall.warehouse import WarehouseError

asyncssh.set_log_level("WARNING")  # it tells each connection's every step

LONGEST_LOOK_SECONDS = 60
"""A server that takes the connection and then says nothing must not hold a run past its deadline."""


class DeliveryTrigger(SFTPTrigger):
    """Fires once when a district's delivery is complete and stable, or when its deadline has passed.

    Args:
        sftp_conn_id: The Airflow connection of the district's account.
        expected: The files that a complete delivery holds, by the standard's names.
        stable_after: Seconds for which sizes and times must not have changed.
        deadline: Until when to wait, as an ISO 8601 moment with its offset.
        poke_interval: Seconds between two looks.
        one_night_hours: How far apart the files of one night may lie. A set from further apart is waited for until the
            deadline, for the old files to be renewed, and then fires as it is.
        kept_inbox_of: The district whose inbox is never emptied; blank where it is. What was read already is no
            delivery.
        district_id: The district; blank where no manifest is to be believed.
        upload: The district's ``UploadLimits`` as a dictionary. What is stable and exceeds them fires at once:
            waiting makes it no less.
        path: The inbox; the account's login folder by default.

    The event is ``{"status": "complete", "files": […]}``, ``{"status": "refused", "message": …}`` or
    ``{"status": "deadline", "missing": […], "found": […], "strays": […], "trouble": …}``.
    """

    def __init__(
        self,
        sftp_conn_id: str,
        expected: list[str],
        stable_after: float,
        deadline: str,
        poke_interval: float = 60,
        one_night_hours: float = 12,
        kept_inbox_of: str = "",
        district_id: str = "",
        upload: dict[str, Any] | None = None,
        path: str = ".",
    ) -> None:
        super().__init__(path=path, sftp_conn_id=sftp_conn_id, poke_interval=poke_interval)
        self.expected = expected
        self.stable_after = stable_after
        self.deadline = deadline
        self.one_night_hours = one_night_hours
        self.kept_inbox_of = kept_inbox_of
        self.district_id = district_id or kept_inbox_of
        self.upload = upload

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer finds and rebuilds this trigger."""
        return (
            "rollcall.airflow.triggers.delivery.DeliveryTrigger",
            {
                "sftp_conn_id": self.sftp_conn_id,
                "expected": self.expected,
                "stable_after": self.stable_after,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
                "one_night_hours": self.one_night_hours,
                "kept_inbox_of": self.kept_inbox_of,
                "district_id": self.district_id,
                "upload": self.upload,
                "path": self.path,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the inbox again and again until there is something to say."""
        deadline = datetime.fromisoformat(self.deadline)
        stability, lookout = Stability(), Lookout(self.district_id)
        arrival, trouble = Arrival((), tuple(self.expected)), None
        while True:
            try:
                arrival, trouble = await self._look(lookout), None
            except (asyncssh.PermissionDenied, asyncssh.HostKeyNotVerifiable) as error:
                yield TriggerEvent({"status": "refused", "message": refusal(self.sftp_conn_id, error)})
                return
            except (TimeoutError, OSError, asyncssh.Error, WarehouseError) as error:
                # A lost connection is not the district's failure: look again until the deadline.
                trouble = type(error).__name__
            is_late = datetime.now(deadline.tzinfo) >= deadline
            is_stable = (
                trouble is None and stability.seconds_stable(arrival.files, time.monotonic()) >= self.stable_after
            )
            if is_stable and (self._is_ready(arrival) or (is_late and arrival.can_be_judged)):
                yield TriggerEvent({"status": "complete", "files": listed(file.name for file in arrival.files)})
                return
            if is_late:
                yield TriggerEvent(_deadline_event(arrival, trouble))
                return
            await asyncio.sleep(self.poke_interval)

    def _is_ready(self, arrival: Arrival) -> bool:
        """Whether there is nothing to wait for but that it rests."""
        is_too_much = self.upload is not None and excess_of(arrival, UploadLimits(**self.upload)) is not None
        return is_too_much or (arrival.is_complete and not arrival.stale)

    async def _look(self, lookout: Lookout) -> Arrival:
        """What lies in the inbox now, seen as a delivery."""
        async with asyncio.timeout(LONGEST_LOOK_SECONDS), self._get_async_hook().get_managed_conn() as session:
            return await lookout.look(
                session,
                self.expected,
                path=self.path,
                one_night_hours=self.one_night_hours,
                keeps=bool(self.kept_inbox_of),
            )


def refusal(connection_id: str, error: Exception) -> str:
    """What to tell an operator when the server turned us away."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return (
            f"The server behind {connection_id} shows another host key than the pinned one. If it was moved on "
            "purpose, pin the new key in the connection's extra 'host_key'; otherwise treat it as an intrusion."
        )
    return (
        f"The server refuses the user name or password of {connection_id}. Renew the password in the connection and "
        "at the district, then start the night again."
    )


def _deadline_event(arrival: Arrival, trouble: str | None) -> dict[str, Any]:
    return {
        "status": "deadline",
        "found": listed(file.name for file in arrival.files),
        "missing": list(arrival.missing),
        "strays": listed(file.name for file in arrival.strays),
        "trouble": trouble,
    }
