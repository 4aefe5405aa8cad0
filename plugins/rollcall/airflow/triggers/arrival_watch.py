"""Deliveries that come after the deadline: watched for by the triggerer, where a district says ``intraday: true``.

The sftp provider's triggers cannot start a DAG: Airflow wants a ``BaseEventTrigger`` for that.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncssh
from airflow.providers.sftp.hooks.sftp import SFTPHookAsync
from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from rollcall.airflow.triggers.delivery import LONGEST_LOOK_SECONDS
from rollcall.arrival.limits import excess_of
from rollcall.arrival.listing import Arrival, Stability
from rollcall.arrival.look import Lookout
from rollcall.districts import District, DistrictFileError, load_district
from rollcall.names import listed
from rollcall.settings import settings
from rollcall.warehouse import WarehouseError

LAST_FIRED = "last_fired"
"""What the asset's state store remembers: the listing of the last event, so that a restart does not repeat it."""


class ArrivalWatch(BaseEventTrigger):
    """Fires for each delivery that is complete and stable between a night's deadline and the next night.

    Every district has an account of its own, so every watch has a connection of its own: there is no listing that
    several watches could share. The district's file is read at each look; a change needs no restart.

    Args:
        district_id: Whose inbox.

    The event is ``{"district": …, "files": […]}``.
    """

    def __init__(self, district_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is not typed
        self.district_id = district_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer finds and rebuilds this trigger."""
        return ("rollcall.airflow.triggers.arrival_watch.ArrivalWatch", {"district_id": self.district_id})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; a server that is away is looked at again, too."""
        stability, lookout = Stability(), Lookout(self.district_id)
        fired = await self._last_fired()
        while True:
            district = self._district()
            is_on = district is not None and district.is_intraday_at(datetime.now(UTC))
            arrival = await self._look(district, lookout) if district and is_on else None
            if arrival is not None and district is not None:
                seconds = stability.seconds_stable(arrival.files, time.monotonic())
                is_too_much = excess_of(arrival, district.upload) is not None
                is_ready = is_too_much or (arrival.is_complete and not arrival.stale)
                if is_ready and seconds >= _stable_after(district) and _fingerprint(arrival) != fired:
                    fired = _fingerprint(arrival)
                    await self._remember(fired)
                    files = listed(file.name for file in arrival.files)
                    yield TriggerEvent({"district": self.district_id, "files": files})
            await asyncio.sleep(
                (district.poll_interval_seconds if district else None) or settings().poll_interval_seconds
            )

    def _district(self) -> District | None:
        """The district as its file says now; a file with a mistake is shown elsewhere."""
        try:
            return load_district(settings().districts_dir / f"{self.district_id}.yaml")
        except DistrictFileError:
            return None

    async def _look(self, district: District, lookout: Lookout) -> Arrival | None:
        """What lies in the inbox now, seen as a delivery; None when nobody can tell."""
        hook = SFTPHookAsync(sftp_conn_id=district.sftp_connection_id)
        try:
            async with asyncio.timeout(LONGEST_LOOK_SECONDS), hook.get_managed_conn() as session:
                return await lookout.look(
                    session,
                    district.files,
                    one_night_hours=district.one_night_hours,
                    keeps=district.inbox == "keep",
                )
        except (TimeoutError, OSError, asyncssh.Error, WarehouseError) as error:
            self.log.warning("The inbox of %s could not be looked at (%s).", self.district_id, type(error).__name__)
            return None

    async def _last_fired(self) -> str | None:
        if self.asset_state_store is None:
            return None
        return str(await self.asset_state_store.aget(LAST_FIRED) or "") or None

    async def _remember(self, fired: str) -> None:
        if self.asset_state_store is not None:
            await self.asset_state_store.aset(LAST_FIRED, fired)


def arrival_asset(district: District) -> Asset:
    """The asset that stands for a delivery after the deadline; it starts the district's DAG."""
    name = f"arrival__{district.district_id}"
    return Asset(name, watchers=[AssetWatcher(name=name, trigger=ArrivalWatch(district.district_id))])


def _stable_after(district: District) -> float:
    return district.stable_after_seconds or settings().stable_after_seconds


def _fingerprint(arrival: Arrival) -> str:
    """The listing in short: names, sizes and times."""
    listing = "\n".join(f"{file.name} {file.size} {file.modified}" for file in arrival.files)
    return hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()
