"""Rows of the ledger, as they are read."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from rollcall.states import DeliveryState

ROLLBACK: Final = "rollback"
"""The source of a delivery that nobody sent: the ledger's row of a publication that went back."""
REKEY: Final = "rekey"
"""The same of one that gave its records other ids."""
NOBODY_SENT = (ROLLBACK, REKEY)


@dataclass(frozen=True)
class Delivery:
    """One row of ``rollcall.delivery``."""

    delivery_id: int
    district_id: str
    service_date: date
    run_id: str
    source: str
    state: DeliveryState
    state_reason: str | None
    content_hash: str | None
    packaging: str | None
    arrived_at: datetime
    accepted_sequence: int | None
    same_as_delivery_id: int | None
    decided_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", DeliveryState(self.state))  # the driver gives its text

    @property
    def landing_schema(self) -> str:
        """The schema of the delivery's raw rows."""
        return landing_schema(self.delivery_id)

    @property
    def was_left(self) -> bool:
        """Whether it was refused for its size: nothing of it was archived, and it was left in the inbox."""
        return self.state is DeliveryState.REJECTED and self.content_hash is None

    @property
    def age(self) -> tuple[date, datetime]:
        """What orders the deliveries of a district: by night, then by arrival."""
        return (self.service_date, self.arrived_at)


@dataclass(frozen=True)
class DeliveryFile:
    """One row of ``rollcall.delivery_file``."""

    delivery_id: int
    file: str
    sent_name: str
    archive_path: str
    sha256: str
    size_bytes: int
    sent_at: datetime | None = None
    mode: str = "bulk"
    encoding: str | None = None
    format: str | None = None
    rows_landed: int | None = None
    rows_ragged: int | None = None
    rows_set_aside: int | None = None
    verdict: str | None = None
    verdict_reason: str | None = None
    absence_is_evidence: bool = False
    ends_with_line_end: bool | None = None
    torn_row: int | None = None
    last_sourced_id: str | None = None
    judged_since: int | None = None
    removed_at: datetime | None = None


def landing_schema(delivery_id: int) -> str:
    """The schema of a delivery's raw rows."""
    return f"delivery_{delivery_id}"
