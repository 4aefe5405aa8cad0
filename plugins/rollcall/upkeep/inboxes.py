"""What lay in an inbox for long and became no delivery goes to the archive: nothing that arrived is lost (law 1).

On the way, receipts are removed from the districts' accounts that name a person who was forgotten.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta

import asyncssh

from rollcall.archive.claims import put_back
from rollcall.archive.inbox import NO_DELIVERY, archive_file, claim, empty
from rollcall.archive.injected import SOURCE, record_injected
from rollcall.archive.lock import only_one
from rollcall.archive.store import Archive
from rollcall.archive.unpack import as_sent
from rollcall.arrival.listing import InboxFile
from rollcall.arrival.look import list_folder
from rollcall.districts import District, DistrictFileError, load_districts
from rollcall.log import get_logger
from rollcall.names import is_text, named
from rollcall.report.withdrawn import remove_withdrawn
from rollcall.settings import settings
from rollcall.sftp import SftpAccount, SftpError, airflow_account
from rollcall.upkeep.record import Removal, moment_before, record
from rollcall.warehouse import connect
from rollcall.who import Person

log = get_logger(__name__)

WHAT = "inbox"
UPKEEP = Person("upkeep", "upkeep")


def archive_old_uploads(
    older_than: timedelta,
    *,
    dry_run: bool = False,
    account_of: Callable[[District], SftpAccount] = lambda district: airflow_account(district.sftp_connection_id),
) -> list[Removal]:
    """Archive what lies in the inboxes for long, as if a person had put it in, and take it from there.

    By the token that the log names, a run takes it after all. An inbox that is kept is left alone, and so is a file
    larger than its district may send. An account that is away keeps no other from its turn.

    Args:
        older_than: How long ago a file must have changed last, by the server's clock.
        dry_run: Whether it is only counted.
        account_of: Tells a district's account.

    Returns:
        What was archived, as one.

    Raises:
        ArchiveError: the archive refused.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    before, total = moment_before(older_than), Removal(WHAT)
    for district in load_districts(settings().districts_dir):
        if isinstance(district, DistrictFileError):
            continue
        try:
            account = account_of(district)
            if not dry_run:
                remove_withdrawn(district.district_id, account)
            if district.inbox == "keep":
                continue
            with nullcontext() if dry_run else only_one(district.district_id):
                total += asyncio.run(_archive_old(district, account, before, dry_run=dry_run))
        except SftpError as error:
            log.warning("The inbox of %s was not looked at: %s", district.district_id, error)
    return [total]


async def _archive_old(district: District, account: SftpAccount, before: datetime, *, dry_run: bool) -> Removal:
    async with account.connect() as session:
        if not dry_run:
            await put_back(session, district)
        old = [file for file in await list_folder(session) if _is_old(file, before, district.upload.file_bytes)]
        return await _take(session, district, old, before) if old and not dry_run else _removal(old)


def _is_old(file: InboxFile, before: datetime, most_bytes: int) -> bool:
    return file.modified < before.timestamp() and file.size <= most_bytes and is_text(file.name)


def _removal(files: Sequence[InboxFile]) -> Removal:
    return Removal(WHAT, 0, len(files), sum(file.size for file in files))


async def _take(
    session: asyncssh.SFTPClient, district: District, old: Sequence[InboxFile], before: datetime
) -> Removal:
    """Claim, archive, write down, delete: in this order, so that a kill costs nothing but doing it again."""
    archive = Archive.of(district.district_id)
    archive.require_room(sum(file.size for file in old))
    paths = await claim(session, NO_DELIVERY, old)
    taken = [
        await archive_file(session, archive, file, paths[file.name], district.upload, is_overtaken=True)
        for file in old
        if file.name in paths
    ]
    removal = _removal([file.listed for file in taken])
    if taken:
        source = SOURCE + record_injected(archive, taken, by=UPKEEP, why="lay in the inbox and became no delivery")
        with connect() as connection:
            record(connection, removal, before)
        await empty(session, NO_DELIVERY, [as_sent(NO_DELIVERY, file) for file in taken])
        log.warning(
            "In the inbox of %s lay for long and became no delivery: %s. Archived; a run takes it with Source %s.",
            district.district_id,
            named(file.sent_name for file in taken),
            source,
        )
    return removal
