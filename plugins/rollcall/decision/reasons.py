"""Why a delivery is held or rejected: a code of the catalog each, with its file, its counts and its sentence."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rollcall import ledger
from rollcall.codes import message_of
from rollcall.findings import WHOLE_DELIVERY, Finding
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import LANDED_FILE_NAMES, ROLES
from rollcall.warehouse import Connection


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        code: A code of the catalog.
        sentence: The reason as an operator reads it: what, how many, what is ordinary, what to do.
        file: The file concerned, by the standard's name; None when it is the whole delivery.
        school_source_id: The school concerned; None when it is the whole district.
        count: How many records, where records are counted.
        of: Out of how many.
        limit_percent: The district's limit.
    """

    code: str
    sentence: str
    file: str | None = None
    school_source_id: str | None = None
    count: int = 0
    of: int = 0
    limit_percent: float | None = None

    def as_finding(self) -> Finding:
        """The reason as a finding about its file, or about the delivery as a whole."""
        return Finding(self.code, self.file or WHOLE_DELIVERY, given_severity="critical", sentence=self.sentence)

    def as_row(self) -> dict[str, object]:
        """The reason as the ledger keeps it."""
        return asdict(self)


def reasons_to_reject(connection: Connection, delivery: Delivery) -> list[Reason]:
    """Why the delivery cannot be used: files that are not there, and files that cannot be used as a whole."""
    reasons = _missing_files(connection, delivery)
    sent = {file.file: file for file in ledger.files_of(connection, delivery.delivery_id)}
    for name in LANDED_FILE_NAMES:
        if name in sent and sent[name].verdict == "reject" and _is_needed(name, sent):
            sentence = sent[name].verdict_reason or f"{name}.csv cannot be used."
            codes = _codes_against(connection, delivery, name)
            if len(codes) > 1:
                reasons += [Reason(code, f"{name}.csv: {message_of(code, detail)}", name) for code, detail in codes]
            else:
                reasons += [Reason(code, sentence, name) for code, _ in codes or [("file_rejected", None)]]
    return reasons or _nothing_delivered(connection, delivery, list(sent.values()))


def _is_needed(name: str, sent: Mapping[str, DeliveryFile]) -> bool:
    """Whether a file is read at all: roles.csv only where users.csv leaves roles to it, as in OneRoster 1.2."""
    users = sent.get("users")
    return name != ROLES.name or users is None or users.format == "OneRoster 1.2"


def _nothing_delivered(connection: Connection, delivery: Delivery, sent: list[DeliveryFile]) -> list[Reason]:
    """Whether no file holds a record; a delta without a record says that nothing changed.

    Written into the ledger as a check, passed or not.
    """
    landed = [file for file in sent if file.file in LANDED_FILE_NAMES]
    failed = any(file.mode == "bulk" for file in landed) and not any(file.rows_landed for file in landed)
    connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)
        values (%s, 'delivery', 'delivery_empty', 'critical', %s)
        on conflict (delivery_id, file, code) do update set rows_failed = excluded.rows_failed, checked_at = now()
        """,
        (delivery.delivery_id, int(failed)),
    )
    return [Reason("delivery_empty", message_of("delivery_empty"))] if failed else []


def _missing_files(connection: Connection, delivery: Delivery) -> list[Reason]:
    rows = connection.execute(
        """
        select file from rollcall.check_result
        where delivery_id = %s and code = 'file_missing' and severity = 'critical'
        order by array_position(%s::text[], file)
        """,
        (delivery.delivery_id, list(LANDED_FILE_NAMES)),
    ).fetchall()
    return [
        Reason(
            "file_missing",
            f"The delivery holds no {name}.csv. Export all files of the set and send it again.",
            str(name),
        )
        for (name,) in rows
    ]


def _codes_against(connection: Connection, delivery: Delivery, file: str) -> list[tuple[str, str | None]]:
    """The critical checks that a file failed as a whole, not with some of its rows; each with its detail."""
    rows = connection.execute(
        """
        select code, detail from rollcall.check_result as failed
        where delivery_id = %s and file = %s and severity = 'critical' and rows_failed > 0
            and not exists (
                select from rollcall.row_finding as finding
                where finding.delivery_id = failed.delivery_id and finding.file = failed.file
                    and finding.code = failed.code and finding.row_number > 1
            )
        order by code
        """,
        (delivery.delivery_id, file),
    ).fetchall()
    return [(code, detail or None) for code, detail in rows]
