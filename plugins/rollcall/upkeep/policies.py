"""What upkeep removes, and how long each kind is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rollcall.log import get_logger
from rollcall.settings import Settings, settings
from rollcall.upkeep.archived import remove_archived
from rollcall.upkeep.details import remove_old_details
from rollcall.upkeep.inboxes import archive_old_uploads
from rollcall.upkeep.landed import drop_landed
from rollcall.upkeep.logs import remove_logs
from rollcall.upkeep.receipts import remove_receipts
from rollcall.upkeep.record import Removal

log = get_logger(__name__)


class Remover(Protocol):
    """Removes, or only counts, what is older than so long."""

    def __call__(self, older_than: timedelta, *, dry_run: bool) -> list[Removal]:
        """Remove it, or only count it."""


@dataclass(frozen=True)
class Policy:
    """How one kind of what is old goes.

    Attributes:
        kept_days: The setting that says how long it is kept, in days; 0 for good.
        remove: Removes, or only counts, what is older.
    """

    kept_days: Callable[[Settings], int]
    remove: Remover

    def apply(self, *, dry_run: bool = False) -> list[Removal]:
        """Remove what is old; nothing where it is kept for good.

        Args:
            dry_run: Whether it is only counted.

        Raises:
            ArchiveError: the archive refused.
            WarehouseError: the warehouse cannot be reached or refused a statement.
        """
        days = self.kept_days(settings())
        removals = self.remove(timedelta(days=days), dry_run=dry_run) if days else []
        for each in removals:
            if each.removed and not dry_run:
                log.info("Removed %s of %s, older than %s days.", f"{each.removed:,}", each.what, days)
        return removals


def _drop_landed(older_than: timedelta, *, dry_run: bool) -> list[Removal]:
    dropped = len(drop_landed(older_than, dry_run=dry_run))
    return [Removal("landed", dropped, dropped)]


POLICIES: Mapping[str, Policy] = {
    "drop_landed": Policy(lambda kept: kept.landed_kept_days, _drop_landed),
    "remove_old_details": Policy(lambda kept: kept.findings_kept_days, remove_old_details),
    "remove_archived": Policy(lambda kept: kept.archive_kept_days, remove_archived),
    "remove_receipts": Policy(lambda kept: kept.receipts_kept_days, remove_receipts),
    "remove_logs": Policy(lambda kept: kept.logs_kept_days, remove_logs),
    "archive_old_uploads": Policy(lambda kept: kept.inbox_kept_days, archive_old_uploads),
}
"""Each by the name of its task in the DAG ``upkeep``."""
