"""Receipts that named a person who was forgotten: the copies in the district's account go, too, once it is reached."""

import asyncio
from collections.abc import Collection

from rollcall.log import get_logger
from rollcall.report.receipt import number_in
from rollcall.sftp import SftpAccount, SftpError
from rollcall.warehouse import Connection, connect, values

log = get_logger(__name__)


def withdraw(connection: Connection, delivery_id: int) -> None:
    """Have a delivery's receipt go from the district's account."""
    connection.execute(
        "insert into rollcall.withdrawn_receipt as known (delivery_id) values (%s)"
        " on conflict (delivery_id) do update set removed_at = null",
        [delivery_id],
    )


def withdrawn(connection: Connection, district_id: str) -> set[int]:
    """The deliveries of a district whose receipts are still to go from its account."""
    return set(
        values(
            connection,
            "select delivery_id from rollcall.withdrawn_receipt inner join rollcall.delivery using (delivery_id)"
            " where district_id = %s and removed_at is null",
            [district_id],
        )
    )


def remove_withdrawn(district_id: str, account: SftpAccount) -> None:
    """Remove what was withdrawn from a district's account; one that is away is tried again another time.

    Args:
        district_id: The district.
        account: The account that may write into the district's ``/receipts``.
    """
    with connect() as connection:
        going = withdrawn(connection, district_id)
        if not going:
            return
        try:
            asyncio.run(_remove(account, going))
        except SftpError as error:
            log.warning("Receipts of %s that name a forgotten person are still in its account: %s", district_id, error)
        else:
            _are_gone(connection, going)


async def _remove(account: SftpAccount, delivery_ids: Collection[int]) -> None:
    async with account.connect() as session:
        for name in await session.listdir("/receipts"):
            if number_in(str(name)) in delivery_ids:
                await session.remove(f"/receipts/{name}")


def _are_gone(connection: Connection, delivery_ids: Collection[int]) -> None:
    connection.execute(
        "update rollcall.withdrawn_receipt set removed_at = now() where delivery_id = any(%s)", [list(delivery_ids)]
    )
