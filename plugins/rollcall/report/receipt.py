"""The receipt: what a delivery held and what is wrong with it, by file and row, without a single value (law 7)."""

import csv
import io

from psycopg.rows import class_row

from rollcall import ledger
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_NAMES
from rollcall.warehouse import Connection

MOST_ROWS = 10_000
WORST_FIRST = ("critical", "warning", "info")
HEADER = ("file", "row", "sourcedId", "column", "severity", "code", "records")


class _Finding:
    """One line of the receipt."""

    def __init__(
        self,
        file: str,
        row_number: int | None,
        sourced_id: str | None,
        column_name: str | None,
        severity: str,
        code: str,
        records: int,
    ) -> None:
        self.cells = (file, row_number or "", sourced_id or "", column_name or "", severity, code, records)
        self.order = (
            FILE_NAMES.index(file) if file in FILE_NAMES else len(FILE_NAMES),
            WORST_FIRST.index(severity),
            code,
            row_number or 0,
        )


def receipt_csv(connection: Connection, delivery: Delivery) -> str:
    """The receipt of a delivery as CSV, in the order in which errors are best fixed.

    Every check that did not pass has a line with its number of records; below it, its records, at most
    ``MOST_ROWS`` in all.
    """
    with connection.cursor(row_factory=class_row(_Finding)) as cursor:
        cursor.execute(
            """
            select file, null::bigint as row_number, null as sourced_id, null as column_name, severity, code,
                rows_failed as records
            from rollcall.check_result where delivery_id = %(id)s and rows_failed > 0
            union all
            (
                select file, row_number, sourced_id, column_name, severity, code, 1
                from rollcall.row_finding where delivery_id = %(id)s
                order by array_position(%(worst_first)s, severity), file, code, row_number limit %(most)s
            )
            """,
            {"id": delivery.delivery_id, "most": MOST_ROWS, "worst_first": list(WORST_FIRST)},
        )
        findings = sorted(cursor.fetchall(), key=lambda finding: finding.order)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("delivery", delivery.delivery_id, "night", delivery.service_date, "verdict", delivery.state, ""))
    for file in ledger.files_of(connection, delivery.delivery_id):
        if file.rows_landed is not None:
            writer.writerow((file.file, "read", file.rows_landed, "set aside", file.rows_set_aside or 0, "", ""))
    writer.writerow(HEADER)
    writer.writerows(finding.cells for finding in findings)
    return out.getvalue()
