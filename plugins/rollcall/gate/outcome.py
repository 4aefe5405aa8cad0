"""What the gate made of a file and of a delivery, as the ledger has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg.rows import class_row

from rollcall.districts import Limit
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection

Verdict = Literal["accept", "hold", "reject"]

WORST_FIRST: tuple[Verdict, ...] = ("reject", "hold", "accept")


@dataclass(frozen=True)
class FileOutcome:
    """What the gate made of one file.

    Attributes:
        file: The file, by the standard's name.
        rows_landed: Records that the file holds, those included that could not be split into columns.
        rows_set_aside: Records whose last good version stays published instead.
        findings: How many findings there are, by code.
        judged_since: The delivery of which the judgements on unchanged rows were taken over; None if all were judged.
    """

    file: str
    verdict: Verdict
    rows_landed: int
    rows_set_aside: int
    findings: Mapping[str, int]
    judged_since: int | None = None


@dataclass(frozen=True)
class DeliveryOutcome:
    """What the gate made of a delivery: its files, and the worst of their verdicts."""

    files: tuple[FileOutcome, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its files."""
        verdicts = {file.verdict for file in self.files}
        return next((verdict for verdict in WORST_FIRST if verdict in verdicts), "accept")

    @property
    def rows_landed(self) -> int:
        """Records in all its files."""
        return sum(file.rows_landed for file in self.files)

    @property
    def rows_set_aside(self) -> int:
        """Records set aside in all its files."""
        return sum(file.rows_set_aside for file in self.files)

    @property
    def findings(self) -> Mapping[str, int]:
        """How many findings there are, by code, over all files."""
        counts: dict[str, int] = {}
        for file in self.files:
            for code, count in file.findings.items():
                counts[code] = counts.get(code, 0) + count
        return counts


def judge(connection: Connection, delivery_id: int, file: str, limit: Limit, failures: Sequence[str] = ()) -> None:
    """Write a file's verdict from what was set aside.

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        delivery_id: The delivery.
        file: The file, by the standard's name.
        limit: How many records may be set aside without a person being asked.
        failures: Why the file as a whole is unacceptable, if it is.
    """
    landed, set_aside = _counts(connection, delivery_id, file)
    if failures:
        verdict, reason = "reject", " ".join(failures)
    elif limit.exceeded_by_all(set_aside, landed):
        verdict, reason = (
            "hold",
            f"{_share(file, set_aside, landed)}: more than the {limit.percent:g} % that is ordinary.",
        )
    else:
        verdict, reason = "accept", _ordinary(file, set_aside, landed)
    connection.execute(
        """
        update rollcall.delivery_file set rows_set_aside = %s, verdict = %s, verdict_reason = %s
        where delivery_id = %s and file = %s
        """,
        (set_aside, verdict, reason, delivery_id, file),
    )


def recorded_outcome(connection: Connection, delivery_id: int, file: str) -> FileOutcome:
    """What the ledger says of a file; one that the ledger does not know was not sent, which is acceptable here."""
    with connection.cursor(row_factory=class_row(FileOutcome)) as cursor:
        recorded = cursor.execute(
            """
            select file, coalesce(verdict, 'accept') as verdict, coalesce(rows_landed, 0) as rows_landed,
                coalesce(rows_set_aside, 0) as rows_set_aside, judged_since,
                (
                    select coalesce(json_object_agg(code, rows_failed order by code), '{}')
                    from rollcall.check_result as checked
                    where checked.delivery_id = sent.delivery_id and checked.file = sent.file and rows_failed > 0
                ) as findings
            from rollcall.delivery_file as sent where delivery_id = %s and file = %s
            """,
            (delivery_id, file),
        ).fetchone()
    return recorded or FileOutcome(file, "accept", 0, 0, {})


def _counts(connection: Connection, delivery_id: int, file: str) -> tuple[int, int]:
    """Records that the file holds, and those of them that are set aside."""
    row = connection.execute(
        """
        select
            coalesce(rows_landed, 0),
            (
                select count(distinct row_number) from row_set_aside where row_set_aside.file = delivery_file.file
            )
        from rollcall.delivery_file where delivery_id = %s and file = %s
        """,
        (delivery_id, file),
    ).fetchone()
    return row or (0, 0)


def _share(file: str, set_aside: int, landed: int) -> str:
    percent = 100 * set_aside / landed if landed else 100.0
    return f"{set_aside:,} of {landed:,} records of {FILE_BY_NAME[file].file_name} ({percent:.1f} %) are set aside"


def _ordinary(file: str, set_aside: int, landed: int) -> str:
    if not landed:
        return f"{FILE_BY_NAME[file].file_name} holds no records and counts as not sent."
    if not set_aside:
        return f"None of {landed:,} records of {FILE_BY_NAME[file].file_name} is set aside."
    return f"{_share(file, set_aside, landed)}; their last good versions stay published."
