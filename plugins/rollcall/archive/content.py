"""What a delivery holds, as the ledger says it: its files, and what is to be noted about them before they are read."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from rollcall import ledger
from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive
from rollcall.archive.unpack import Delivered, as_sent, delivered_files
from rollcall.arrival.formats import foreign_format
from rollcall.arrival.listing import is_standard, of_another_night
from rollcall.arrival.manifest import MOST_BYTES, Manifest, disagreements, read_manifest, with_modes
from rollcall.arrival.unusable import CODES, NO_CHANGES, UnusableDeliveryError
from rollcall.districts import District
from rollcall.findings import Finding, replace_findings
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.names import named
from rollcall.oneroster import FILE_NAMES, LANDED_FILE_NAMES, MANIFEST
from rollcall.states import DeliveryState
from rollcall.warehouse import connect


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
        record_content(archive, district, delivery, delivered)
    return list(delivered.files)


def record_refusal(delivery: Delivery, finding: Finding) -> None:
    """Write down that a delivery is rejected unread: nothing of it was archived, it lies where it lay."""
    with connect() as connection:
        replace_findings(connection, delivery.delivery_id, CODES, [finding])
        ledger.set_state(connection, delivery.delivery_id, DeliveryState.REJECTED, finding.message)


def record_content(archive: Archive, district: District, delivery: Delivery, delivered: Delivered) -> None:
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


def _write_index(archive: Archive, delivery: Delivery, files: Sequence[DeliveryFile]) -> None:
    """Name the delivery's files beside their content."""
    index = {
        "district_id": delivery.district_id,
        "service_date": delivery.service_date.isoformat(),
        "files": {file.sent_name: {"archive_path": file.archive_path, "sha256": file.sha256} for file in files},
    }
    archive.write_index(_index_of(delivery), json.dumps(index, indent=2) + "\n")


def read_entry(delivery: Delivery) -> str | None:
    """What the archive says of a delivery, as JSON: its files, where they lie, their hashes; None when it has none."""
    return Archive.of(delivery.district_id).read_index(_index_of(delivery))


def _index_of(delivery: Delivery) -> str:
    return f"deliveries/{delivery.service_date}-{delivery.delivery_id}.json"


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
