"""What landing finds about a file as a whole, and how it comes into the ledger."""

from collections.abc import Sequence
from typing import NamedTuple

from rollcall.codes import Code, codes_on, message_of
from rollcall.ledger import DeliveryFile
from rollcall.oneroster import File
from rollcall.warehouse import Connection

CODES: dict[str, Code] = {name: code for name, code in codes_on("reading").items() if not name.startswith("row_")}
"""The codes of what concerns the file as a whole; those of records are the gate's to record."""


class Place(NamedTuple):
    """A column that a finding is about.

    Attributes:
        column: Its name, or its place in the header where the name may not be told.
        detail: What the code alone does not say; holds no values (law 7).
    """

    column: str
    detail: str | None = None


class Finding(NamedTuple):
    """One of landing's checks that did not pass.

    Attributes:
        code: One of landing's codes.
        places: The columns that it is about; none when it is about the whole file.
        detail: What the code alone does not say; holds no values (law 7).
    """

    code: str
    places: tuple[Place, ...] = ()
    detail: str | None = None

    @property
    def is_critical(self) -> bool:
        """Whether the file cannot count."""
        return CODES[self.code].severity == "critical"

    def sentence(self, file: File) -> str:
        """The finding as the reason of a verdict."""
        if self.code == "column_missing":
            columns = ", ".join(place.column for place in self.places)
            details = [place.detail for place in self.places if place.detail]
            told = f"{file.file_name} has no column {columns}. Export it with all columns of OneRoster 1.1."
            return " ".join([told, *dict.fromkeys(details)])
        return f"{file.file_name}: {message_of(self.code, self.detail)}"


def record_findings(
    connection: Connection, entry: DeliveryFile, findings: Sequence[Finding], header_line: int = 1
) -> None:
    """Write what landing found about a file, in place of what an earlier landing found.

    Args:
        connection: A transaction in the ledger.
        entry: The file.
        findings: What was found.
        header_line: The line on which the header stands.
    """
    key = (entry.delivery_id, entry.file)
    for table in ("row_finding", "check_result"):
        connection.execute(
            f"delete from rollcall.{table} where delivery_id = %s and file = %s and code = any(%s)",
            (*key, list(CODES)),
        )
    for finding in findings:
        _record(connection, key, finding, header_line)


def _record(connection: Connection, key: tuple[int, str], finding: Finding, header_line: int) -> None:
    severity = CODES[finding.code].severity
    connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed, detail)
        values (%s, %s, %s, %s, %s, %s)
        """,
        (*key, finding.code, severity, max(len(finding.places), 1), finding.detail),
    )
    for place in finding.places:
        connection.execute(
            """
            insert into rollcall.row_finding (delivery_id, file, code, severity, row_number, column_name, detail)
            values (%s, %s, %s, %s, %s, %s, %s)
            """,
            (*key, finding.code, severity, header_line, place.column, place.detail),
        )
