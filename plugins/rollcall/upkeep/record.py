"""What upkeep removed, as the ledger has it: a row per time and kind, right whenever upkeep is killed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from rollcall.warehouse import Connection


@dataclass(frozen=True)
class Removal:
    """What was removed, or would be.

    Attributes:
        what: A table of the ledger, or ``landed``, ``archive``, ``receipts``, ``logs``, ``inbox``.
        deliveries: Of how many deliveries.
        removed: How many rows, schemas or files.
        bytes_removed: Their size, where it is known.
    """

    what: str
    deliveries: int = 0
    removed: int = 0
    bytes_removed: int = 0

    def __add__(self, other: Self) -> "Removal":
        return Removal(
            self.what,
            self.deliveries + other.deliveries,
            self.removed + other.removed,
            self.bytes_removed + other.bytes_removed,
        )


def moment_before(older_than: timedelta) -> datetime:
    """The moment before which something has to have been settled, or written, to be old."""
    return datetime.now(UTC) - older_than


def record(connection: Connection, removal: Removal, before: datetime) -> None:
    """Write a removal down, in the transaction that makes it; those of one time become one row.

    Args:
        connection: The transaction.
        removal: What is removed; of nothing there is no row.
        before: Since when it was old enough.
    """
    if removal.removed:
        connection.execute(
            """
            insert into rollcall.upkeep (what, deliveries, removed, bytes_removed, decided_before)
            values (%s, %s, %s, %s, %s)
            on conflict (what, decided_before) do update
            set deliveries = upkeep.deliveries + excluded.deliveries, removed = upkeep.removed + excluded.removed,
                bytes_removed = upkeep.bytes_removed + excluded.bytes_removed, removed_at = now()
            """,
            (removal.what, removal.deliveries, removal.removed, removal.bytes_removed, before),
        )
