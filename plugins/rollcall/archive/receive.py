"""Take the night's delivery from the inbox into the archive and the ledger."""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath

from rollcall import ledger
from rollcall.archive.claims import archive_overtaken, put_back
from rollcall.archive.inbox import TakenFile, empty, overrun, take
from rollcall.archive.injected import SOURCE, injected
from rollcall.archive.store import Archive
from rollcall.archive.unpack import Delivered, as_sent, delivered_files
from rollcall.arrival.formats import foreign_format
from rollcall.arrival.listing import InboxFile, assess, is_standard, of_another_night
from rollcall.arrival.look import list_folder
from rollcall.arrival.manifest import MOST_BYTES, Manifest, disagreements, read_manifest, with_modes
from rollcall.arrival.taken_before import is_news, read_before
from rollcall.arrival.unusable import CODES, NO_CHANGES, UnusableDeliveryError
from rollcall.districts import District
from rollcall.findings import Finding, add_finding, replace_findings
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.log import at_work_on, get_logger
from rollcall.names import is_text, named
from rollcall.oneroster import FILE_NAMES, LANDED_FILE_NAMES, MANIFEST
from rollcall.settings import settings
from rollcall.sftp import SftpAccount, SftpError
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, value

log = get_logger(__name__)


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
    with _only_one(district.district_id) as lock:
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


@contextmanager
def _only_one(district_id: str) -> Iterator[Connection]:
    """One run of a district at a time; the lock goes with the connection, so that a killed run leaves none.

    Yields:
        That connection, on which each statement commits by itself.
    """
    with connect(autocommit=True) as lock:
        lock.execute("select pg_advisory_lock(hashtextextended('rollcall.receive.' || %s, 0))", (district_id,))
        yield lock


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
    """Take the lock of ``_only_one``, unless another run has it."""
    taken = value(lock, "select pg_try_advisory_lock(hashtextextended('rollcall.receive.' || %s, 0))", (district_id,))
    return bool(taken)


def _receive_from_inbox(district: District, account: SftpAccount, delivery: Delivery) -> None:
    """Inbox → archive → ledger → inbox emptied, in this order."""
    archive = Archive(settings().archive_root, district.district_id)

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
            return taken, _strays(listing)

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


def record_refusal(delivery: Delivery, finding: Finding) -> None:
    """Write down that a delivery is rejected unread: nothing of it was archived, it lies where it lay."""
    with connect() as connection:
        replace_findings(connection, delivery.delivery_id, CODES, [finding])
        ledger.set_state(connection, delivery.delivery_id, DeliveryState.REJECTED, finding.message)


def _strays(listing: Sequence[InboxFile]) -> list[Finding]:
    """What lies in the inbox and nobody takes."""
    strays = [file.name for file in assess(listing, ()).strays]
    left = {
        "file_unknown": [name for name in strays if is_text(name)],
        "file_name_unreadable": [name for name in strays if not is_text(name)],
    }
    return [Finding(code, detail=f"Left in the inbox: {named(names)}.") for code, names in left.items() if names]


def record_delivered(
    archive: Archive,
    district: District,
    delivery: Delivery,
    taken: Sequence[TakenFile],
    findings: Sequence[Finding] = (),
) -> list[DeliveryFile]:
    """Write what was archived into the ledger as the delivery's content; what cannot be used is rejected.

    Args:
        findings: What is to be noted besides what is found.
    """
    try:
        delivered = delivered_files(archive, delivery.delivery_id, taken, district.upload)
    except UnusableDeliveryError as error:
        delivered = Delivered(tuple(as_sent(delivery.delivery_id, item) for item in taken))
        _write_index(archive, delivery, delivered.files)
        _record(delivery, delivered.files, findings, rejected=error.finding)
    else:
        delivered = replace(delivered, findings=(*delivered.findings, *findings))
        _write_index(archive, delivery, delivered.files)
        _record_content(archive, district, delivery, delivered)
    return list(delivered.files)


def _receive_injected(district: District, delivery: Delivery) -> None:
    """What a person put in by hand, as if it had lain in the inbox."""
    archive = Archive(settings().archive_root, district.district_id)
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
    archive = Archive(settings().archive_root, district.district_id)
    _record_content(archive, district, delivery, Delivered(tuple(files)))


def _record_content(archive: Archive, district: District, delivery: Delivery, delivered: Delivered) -> None:
    """Write down files that can be told apart, and what is to be noted about them."""
    manifest = _manifest(archive, delivered.files)
    files = with_modes(delivered.files, manifest)
    foreign = foreign_format(file.sent_name for file in files if "/" not in file.file)
    if foreign is not None:  # under their own names nothing reads them, not even the one that both formats have
        _record(
            delivery,
            [replace(file, file=file.sent_name) for file in files],
            delivered.findings,
            rejected=Finding(foreign),
        )
        return
    names = {file.file for file in files}
    findings = [
        *delivered.findings,
        *_file_findings(files),
        *_manifest_findings(files, manifest),
        *_old_files(district, files),
    ]
    rejected = None
    if names & set(FILE_NAMES):
        findings += _missing(district, names, manifest)
    elif manifest is not None and manifest.announces_nothing:
        findings.append(Finding(NO_CHANGES))
    else:
        rejected = Finding("no_roster_files")
    _record(delivery, files, findings, rejected)


def _record(
    delivery: Delivery, files: Sequence[DeliveryFile], findings: Sequence[Finding], rejected: Finding | None = None
) -> None:
    """Write the delivery's content into the ledger; from here on the archive's copy is the delivery."""
    packaging = "zip" if any(file.file.lower().endswith(".zip") and "/" not in file.file for file in files) else "loose"
    with connect() as connection:
        ledger.record_files(connection, delivery.delivery_id, files)
        connection.execute(
            "update rollcall.delivery set content_hash = %s, packaging = %s where delivery_id = %s",
            (content_hash(files), packaging, delivery.delivery_id),
        )
        replace_findings(connection, delivery.delivery_id, CODES, [*findings, *([rejected] if rejected else [])])
        state = DeliveryState.REJECTED if rejected else DeliveryState.RECEIVED
        ledger.set_state(connection, delivery.delivery_id, state, rejected.message if rejected else None)


def content_hash(files: Sequence[DeliveryFile]) -> str:
    """One hash for what a delivery says: the standard's files, not how they were packed nor what lay beside them.

    A delivery of none of them says what its bytes say.
    """
    standard = [file for file in files if file.file in (*LANDED_FILE_NAMES, MANIFEST)]
    lines = sorted(f"{file.file} {file.sha256}" for file in standard or files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _manifest(archive: Archive, files: Sequence[DeliveryFile]) -> Manifest | None:
    """What the delivery's manifest says, if it has one."""
    sent = next((file for file in files if file.file == MANIFEST), None)
    if sent is None:
        return None
    with archive.open(sent.archive_path) as source:
        return read_manifest(source.read(MOST_BYTES))


def _manifest_findings(files: Sequence[DeliveryFile], manifest: Manifest | None) -> list[Finding]:
    if manifest is None:
        return [Finding("manifest_missing", MANIFEST)]
    return [*manifest.findings, *disagreements(files, manifest)]


def _file_findings(files: Sequence[DeliveryFile]) -> Iterator[Finding]:
    """Names that are not quite the standard's, and files that a roster has no use for."""
    csvs = [file for file in files if not file.file.lower().endswith(".zip") and "/" not in file.file]
    for file in csvs:
        name = PurePosixPath(file.sent_name).name
        if file.file in (*LANDED_FILE_NAMES, MANIFEST) and name != f"{file.file}.csv":
            yield Finding("file_name_case", file.file, f"Sent as {named([name])}.")
    others = [file for file in csvs if file.file not in (*LANDED_FILE_NAMES, MANIFEST)]
    unused = [file.sent_name for file in others if is_standard(file.file)]
    unknown = [file.sent_name for file in others if not is_standard(file.file)]
    if unused:
        yield Finding("file_not_used", detail=f"Found: {named(unused)}.")
    if unknown:
        yield Finding("file_unknown", detail=f"Found: {named(unknown)}.")


def _old_files(district: District, files: Sequence[DeliveryFile]) -> list[Finding]:
    """The files that may be of another night than the newest one."""
    dated = {file.sent_name: file for file in files if file.sent_at and "/" not in file.file}
    moments = {name: file.sent_at.timestamp() for name, file in dated.items() if file.sent_at}
    old = of_another_night(moments, district.one_night_hours)
    return [Finding("files_of_two_nights", file.file) for name, file in dated.items() if name in old]


def _missing(district: District, names: set[str], manifest: Manifest | None) -> list[Finding]:
    """The expected files that are not there; one that the manifest calls absent is no failure."""
    return [
        Finding(
            "file_missing", name, given_severity="info" if manifest and manifest.modes.get(name) == "absent" else None
        )
        for name in sorted(set(district.files) - names)
    ]


def _empty_inbox(district: District, account: SftpAccount, delivery: Delivery, files: Sequence[DeliveryFile]) -> None:
    """Take the delivery out of the inbox, now that the ledger knows the archive's copy."""
    archive = Archive(settings().archive_root, district.district_id)

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


def _write_index(archive: Archive, delivery: Delivery, files: Sequence[DeliveryFile]) -> None:
    """Name the delivery's files beside their content."""
    index = {
        "district_id": delivery.district_id,
        "service_date": delivery.service_date.isoformat(),
        "files": {file.sent_name: {"archive_path": file.archive_path, "sha256": file.sha256} for file in files},
    }
    name = f"deliveries/{delivery.service_date}-{delivery.delivery_id}.json"
    archive.write_index(name, json.dumps(index, indent=2) + "\n")
