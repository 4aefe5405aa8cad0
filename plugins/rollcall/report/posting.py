"""Leaving the receipt: in the archive, in the district's account, with its contacts."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncssh

from rollcall import ledger
from rollcall.archive.store import Archive
from rollcall.districts import District
from rollcall.log import get_logger
from rollcall.report.contacts import tell_contacts
from rollcall.report.receipt import number_in, receipt_of
from rollcall.report.receipt_csv import findings_csv, summary_csv
from rollcall.report.receipt_page import receipt_html
from rollcall.report.withdrawn import remove_withdrawn
from rollcall.settings import settings
from rollcall.sftp import SftpAccount, SftpError
from rollcall.warehouse import Connection, connect

log = get_logger(__name__)


def leave_receipt(district: District, delivery_id: int, account: SftpAccount) -> None:
    """Write the receipt as the delivery stands now, in place of an earlier one of the same delivery.

    An account that is away costs only the district's copy.

    Args:
        district: The district.
        delivery_id: The delivery.
        account: The account that may write into the district's ``/receipts``.
    """
    with connect() as connection:
        receipt = receipt_of(connection, district, ledger.delivery(connection, delivery_id))
        old = _old_ones(connection, district.district_id)
    page = receipt_html(receipt)
    files = {
        f"{receipt.name}-receipt.html": page,
        f"{receipt.name}-receipt.csv": findings_csv(receipt),
        f"{receipt.name}-summary.csv": summary_csv(receipt),
    }
    remove_withdrawn(district.district_id, account)
    archive = Archive.of(district.district_id)
    for name, text in files.items():
        archive.write_index(f"receipts/{name}", text)
    try:
        asyncio.run(_send(account, files, old))
    except (SftpError, asyncssh.Error) as error:
        log.warning("The receipt lies in the archive only: %s", error)
    tell_contacts(receipt, page)


def _old_ones(connection: Connection, district_id: str) -> set[int]:
    """The deliveries whose receipts are kept no longer."""
    days = settings().receipts_kept_days
    return ledger.old_deliveries(connection, district_id, datetime.now(UTC) - timedelta(days=days)) if days else set()


async def _send(account: SftpAccount, files: Mapping[str, str], old: Collection[int]) -> None:
    """Write a receipt, and make room for the next: those of old deliveries go, as `upkeep` takes the archive's."""
    async with account.connect() as session:
        for name, text in files.items():
            async with session.open(f"/receipts/{name}", "w") as target:
                await target.write(text)
        for name in await session.listdir("/receipts"):
            if number_in(str(name)) in old:
                with suppress(asyncssh.SFTPError):  # the next receipt comes by here again
                    await session.remove(f"/receipts/{name}")
