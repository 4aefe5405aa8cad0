"""What ``rollcall check`` says of a delivery, read from the ledger: the contract's JSON."""

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import BaseModel, Field

from rollcall import ledger
from rollcall.codes import Severity
from rollcall.decision.reasons import Reason
from rollcall.findings import FIX_ORDER, Finding, findings_of, in_order
from rollcall.landing.formats import format_of_delivery
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.warehouse import connect

PACKAGING = {"zip": "zip", "loose": "loose files", None: "loose files"}


class FileVerdict(BaseModel):
    """One file of the delivery."""

    rows: int
    rejected: int
    verdict: str


class FindingLine(BaseModel):
    """One thing to fix; holds no values."""

    file: str
    row: int | None
    sourced_id: str | None
    column: str | None
    severity: Severity
    code: str
    message: str


class CheckVerdict(BaseModel):
    """What ``rollcall check --json`` prints."""

    verdict: Literal["accept", "hold", "reject"]
    format: str
    files: dict[str, FileVerdict] = Field(default_factory=dict)
    findings: list[FindingLine] = Field(default_factory=list)


class Trouble(BaseModel):
    """Why there is no verdict.

    Attributes:
        kind: What went wrong, for programs: ``not_readable``, ``stack``, ``warehouse``, ``gate`` and the like.
        message: The same for people, and what to do; holds no values.
    """

    kind: str
    message: str


class NoVerdict(BaseModel):
    """What ``rollcall check --json`` prints when it could not judge."""

    error: Trouble


def verdict_on(
    delivery: Delivery, verdict: Literal["accept", "hold", "reject"], reasons: Iterable[Reason]
) -> CheckVerdict:
    """The ledger's rows of a delivery, as the contract prints them.

    Args:
        delivery: The delivery, judged.
        verdict: The verdict on it.
        reasons: Why; those that are findings of their own are not told twice.
    """
    with connect() as connection:
        files = {file.file: file for file in ledger.files_of(connection, delivery.delivery_id)}
        found = findings_of(connection, delivery.delivery_id)
    known = {(each.file, each.code) for each in found}
    why = [each for each in in_order(reason.as_finding() for reason in reasons) if (each.file, each.code) not in known]
    return CheckVerdict(
        verdict=verdict,
        format=f"{format_of_delivery(file.format for file in files.values())}, {PACKAGING[delivery.packaging]}",
        files={name: _file_verdict(files[name], verdict) for name in FIX_ORDER if name in files},
        findings=[line for each in [*why, *found] for line in _lines(each)],
    )


def _file_verdict(file: DeliveryFile, verdict: str) -> FileVerdict:
    """A file that was never read has the delivery's verdict."""
    return FileVerdict(rows=file.rows_landed or 0, rejected=file.rows_set_aside or 0, verdict=file.verdict or verdict)


def _lines(found: Finding) -> Iterator[FindingLine]:
    """A finding per row, and one for the rows that are not listed."""
    for place in found.listed:
        yield FindingLine(
            file=found.file,
            row=place.row,
            sourced_id=place.sourced_id,
            column=place.column,
            severity=found.severity,
            code=found.code,
            message=found.message_at(place),
        )
    if found.more:
        yield FindingLine(
            file=found.file,
            row=None,
            sourced_id=None,
            column=None,
            severity=found.severity,
            code=found.code,
            message=f"And {found.more:,} more rows. {found.message}",
        )
