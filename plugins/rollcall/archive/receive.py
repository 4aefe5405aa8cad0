"""Take the night's delivery from the inbox into the archive and the ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import asyncssh

from rollcall import ledger
from rollcall.archive.claims import archive_overtaken, put_back
from rollcall.archive.content import record_content, record_delivered, record_refusal
from rollcall.archive.inbox import TakenFile, empty, overrun, take
from rollcall.archive.injected import SOURCE, injected
from rollcall.archive.lock import only_one
from rollcall.archive.store import Archive
from rollcall.archive.unpack import Delivered, as_sent
from rollcall.arrival.listing import InboxFile, assess
from rollcall.arrival.look import list_folder
from rollcall.arrival.taken_before import is_news, read_before
from rollcall.arrival.unusable import UnusableDeliveryError
from rollcall.districts import District
from rollcall.findings import Finding, add_finding
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.log import at_work_on, get_logger
from rollcall.names import is_text, named
from rollcall.sftp import SftpAccount, SftpError, patience
from rollcall.warehouse import Connection, connect, value

log = get_logger(__name__)

PUT_RIGHT = "/.put_right"
"""What the server stack's SFTP service touches when it gives Rollcall its rights back, see docker/sftp/jails.py."""
TOLD_FOR = timedelta(days=1)


class NightServedError(Exception):
    """Another run received the night's delivery, and nothing lies in the inbox beside it; the message says so."""


def receive(
    district: District, account: SftpAccount, *, service_date: date, run_id: str, source: str = "inbox"
) -> Delivery:
    """Archive the delivery and write it into the ledger; what it is worth, nobody has looked at yet.

    A run that received a delivery before gets the same one, from the archive. Two runs of one district wait for
    each other, and of several for one night those that find nothing left say so. Killed anywhere, it goes on where it
    stopped.

    Args:
        source: ``inbox``, ``archive/<delivery_id>`` to take an earlier delivery once more, or ``injected/<token>`` for
            what a person put in.

    Raises:
        ImpossibleNightError: the district cannot have this night.
        NightServedError: another run has the night's delivery, and there is nothing else to take.
        SftpError: the inbox cannot be used, or the delivery is not complete any more.
        UnknownDeliveryError: ``source`` names a delivery that is not the district's.
    """
    with only_one(district.district_id) as lock:
        if source == "inbox":
            _leave_to_another_run(lock, district, account, service_date, run_id)
        with connect() as connection:
            ledger.record_district(connection, district)
            delivery = ledger.open_delivery(connection, district, service_date, run_id, source)
            if not delivery.state.is_judged:  # what ended before stays as it ended, until it is judged again
                ledger.record_night(
                    connection,
                    district.district_id,
                    delivery.service_date,
                    "in_progress",
                    delivery_id=delivery.delivery_id,
                    run_id=run_id,
                )
        if delivery.state == "receiving" or delivery.was_left:
            if source == "inbox":
                with at_work_on(delivery.delivery_id):
                    _receive_from_inbox(district, account, delivery)
            elif source.startswith(SOURCE):
                _receive_injected(district, delivery)
            else:
                _receive_from_archive(district, delivery)
        elif source == "inbox":
            with connect() as connection:
                files_known = ledger.files_of(connection, delivery.delivery_id)
            _empty_inbox(district, account, delivery, files_known)  # a killed predecessor may not have come to it
    with connect() as connection:
        return ledger.delivery(connection, delivery.delivery_id)


def _leave_to_another_run(
    connection: Connection, district: District, account: SftpAccount, service_date: date, run_id: str
) -> None:
    """Of several runs for one night the first takes the delivery.

    Raises:
        NightServedError: this run is another one, and finds no delivery beside that.
    """
    if ledger.delivery_of_run(connection, district.district_id, run_id) is not None:
        return
    served = ledger.delivery_of_night(connection, district.district_id, service_date)
    if served is not None and not asyncio.run(_holds_a_delivery(district, account)):
        raise NightServedError(
            f"The night of {service_date} has delivery {served.delivery_id}, which run {served.run_id} received; it is "
            f"{served.state}. Nothing else lies whole in the inbox, so that this run has nothing to do."
        )


async def _holds_a_delivery(district: District, account: SftpAccount) -> bool:
    """Whether something lies in the inbox that ``take`` would take."""
    async with account.connect() as session:
        listing = await list_folder(session)
    read = read_before(district.district_id, listing) if district.inbox == "keep" else frozenset()
    return assess(listing, district.files, read=read).can_be_judged


def put_claims_back(district: District, account: SftpAccount) -> None:
    """Before a run waits for a delivery: what one before it claimed, and did not come to take, is in the inbox again.

    Does nothing while another run is at work. An account that is away is no reason not to wait.

    Args:
        district: The district.
        account: Its account.
    """

    async def act() -> list[str]:
        async with account.connect() as session:
            return await put_back(session, district)

    with connect(autocommit=True) as lock:
        if not _try_alone(lock, district.district_id):
            return
        try:
            back = asyncio.run(act())
        except SftpError as error:
            log.warning("What an earlier run may have claimed stays claimed: %s", error)
            return
    if back:
        log.warning("An earlier run was interrupted; in the inbox again: %s.", named(back))


def _try_alone(lock: Connection, district_id: str) -> bool:
    """Take the lock of ``only_one``, unless another run has it."""
    taken = value(lock, "select pg_try_advisory_lock(hashtextextended('rollcall.receive.' || %s, 0))", (district_id,))
    return bool(taken)


def _receive_from_inbox(district: District, account: SftpAccount, delivery: Delivery) -> None:
    """Inbox → archive → ledger → inbox emptied, in this order."""
    archive = Archive.of(district.district_id)

    keep = district.inbox == "keep"

    async def claim_and_archive() -> tuple[list[TakenFile], list[Finding]]:
        async with account.connect() as session:
            await put_back(session, district, delivery.delivery_id)
            listing = await list_folder(session)
            read = read_before(district.district_id, listing) if keep else frozenset()
            taken = await take(
                session,
                archive,
                delivery.delivery_id,
                district.files,
                district.upload,
                keep=keep,
                read=read,
                believes=lambda manifest: is_news(district.district_id, manifest),
            )
            return taken, [*_strays(listing), *await _put_right(session)]

    try:
        taken, findings = asyncio.run(claim_and_archive())
    except UnusableDeliveryError as error:
        _put_back(account, delivery)
        record_refusal(delivery, error.finding)
        log.warning("The delivery is left in the inbox as it is.")
        return
    files = record_delivered(archive, district, delivery, taken, findings)
    _empty_inbox(district, account, delivery, files)
    done = "left the inbox as it is" if keep else "emptied the inbox"
    size = sum(file.size_bytes for file in files)
    log.info("Archived %s files, %s bytes, and %s.", len(files), f"{size:,}", done)


def _put_back(account: SftpAccount, delivery: Delivery) -> None:
    """What a killed predecessor, or this run, claimed before it turned out to be too much goes back to the inbox."""

    async def act() -> None:
        async with account.connect() as session:
            await empty(session, delivery.delivery_id, (), keep=True)

    asyncio.run(act())


def _strays(listing: Sequence[InboxFile]) -> list[Finding]:
    """What lies in the inbox and nobody takes."""
    strays = [file.name for file in assess(listing, ()).strays]
    left = {
        "file_unknown": [name for name in strays if is_text(name)],
        "file_name_unreadable": [name for name in strays if not is_text(name)],
    }
    return [Finding(code, detail=f"Left in the inbox: {named(names)}.") for code, names in left.items() if names]


async def _put_right(session: asyncssh.SFTPClient) -> list[Finding]:
    """What the stack's own SFTP service had to put right within the last day, so that Rollcall could get in."""
    try:
        async with patience():
            seen = await session.stat(PUT_RIGHT)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure):
        return []
    when = datetime.fromtimestamp(int(seen.mtime or 0), UTC)
    if datetime.now(UTC) - when > TOLD_FOR:
        return []
    return [Finding("inbox_closed", detail=f"Put right on {when:%Y-%m-%d} at {when:%H:%M} UTC.")]


def _receive_injected(district: District, delivery: Delivery) -> None:
    """What a person put in by hand, as if it had lain in the inbox."""
    archive = Archive.of(district.district_id)
    found = injected(archive, delivery.source.removeprefix(SOURCE))
    if found is None:
        raise ledger.UnknownDeliveryError(
            f"{delivery.source!r} names nothing that was put in for {delivery.district_id}; `rollcall inject` tells it."
        )
    finding = Finding("put_in_by_hand", detail=f"By {found.by}" + (f": {found.why}" if found.why else "."))
    record_delivered(archive, district, delivery, found.taken(district.files), [finding])


def _receive_from_archive(district: District, delivery: Delivery) -> None:
    """The files of an earlier delivery of the same district, once more."""
    earlier = delivery.source.removeprefix("archive/")
    with connect() as connection:
        original = ledger.delivery(connection, int(earlier)) if earlier.isdigit() else None
        if original is None or original.district_id != delivery.district_id:
            raise ledger.UnknownDeliveryError(
                f"{delivery.source!r} names no delivery of {delivery.district_id}; write inbox or archive/<number>."
            )
        files = ledger.files_of(connection, original.delivery_id)
    if not files:
        raise ledger.UnknownDeliveryError(f"Delivery {earlier} was never archived: there is nothing to take again.")
    removed = max((file.removed_at for file in files if file.removed_at), default=None)
    if removed:
        raise ledger.UnknownDeliveryError(
            f"Upkeep removed delivery {earlier} from the archive on {removed:%Y-%m-%d} (ROLLCALL_ARCHIVE_KEPT_DAYS): "
            "it cannot be taken again. Ask the district for its files."
        )
    archive = Archive.of(district.district_id)
    record_content(archive, district, delivery, Delivered(tuple(files)))


def _empty_inbox(district: District, account: SftpAccount, delivery: Delivery, files: Sequence[DeliveryFile]) -> None:
    """Take the delivery out of the inbox, now that the ledger knows the archive's copy."""
    archive = Archive.of(district.district_id)

    async def empty_it() -> None:
        async with account.connect() as session:
            overrun_files = await overrun(session, archive, delivery.delivery_id, files, district.upload)
            late = _record_overrun(delivery, overrun_files)
            await empty(session, delivery.delivery_id, [*files, *late], keep=district.inbox == "keep")
            await archive_overtaken(session, archive, district, delivery.delivery_id)

    asyncio.run(empty_it())


def _record_overrun(delivery: Delivery, taken: Sequence[TakenFile]) -> list[DeliveryFile]:
    """Write down the files that were changed behind our back and are kept in the archive only."""
    late = [
        replace(sent, file=f"replaced/{sent.sent_name}/{sent.sha256[:8]}")
        for sent in (as_sent(delivery.delivery_id, item) for item in taken)
    ]
    if late:
        with connect() as connection:
            ledger.add_files(connection, late)
            names = named(file.sent_name for file in late)
            add_finding(connection, delivery.delivery_id, Finding("file_replaced", detail=f"It was {names}."))
    return late
