"""The receipt as CSV, for programs and spreadsheets: a file of findings and one of counts, each a plain table."""

import csv
import io
from collections.abc import Iterable

from rollcall.escaping import csv_cell
from rollcall.report.receipt import FileLine, Receipt

FINDINGS_HEADER = ("file", "row", "sourced_id", "column", "severity", "code", "message")
SUMMARY_HEADER = (
    "district", "night", "delivery", "state", "file", "read", "accepted", "set_aside", "changes_are", "added",
    "changed", "removed", "kept",
)  # fmt: skip


def findings_csv(receipt: Receipt) -> str:
    """A line per row that something was found in, and one for what concerns a file or the delivery as a whole."""
    lines: list[tuple[object, ...]] = []
    for found in receipt.found:
        for place in found.listed:
            at = (found.file, place.row, place.sourced_id, place.column)
            lines.append((*at, found.severity, found.code, found.message_at(place)))
        if found.more:
            more = f"And {found.more:,} more rows. {found.message}"
            lines.append((found.file, None, None, None, found.severity, found.code, more))
    return _table(FINDINGS_HEADER, lines)


def summary_csv(receipt: Receipt) -> str:
    """A line per file: what was read and what became of it."""
    delivery = receipt.delivery
    about = (delivery.district_id, delivery.service_date, delivery.delivery_id, delivery.state)
    return _table(SUMMARY_HEADER, ((*about, *_counts(file, receipt.changes_are)) for file in receipt.files))


def _counts(file: FileLine, changes_are: str) -> tuple[object, ...]:
    counts = (file.file, file.read, file.accepted, file.set_aside)
    if file.changes is None:
        return (*counts, None, None, None, None, None)
    changes = file.changes
    return (*counts, changes_are, changes.added, changes.changed, changes.removed, changes.kept)


def _table(header: tuple[str, ...], lines: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([csv_cell(cell) for cell in line] for line in lines)
    return out.getvalue()
