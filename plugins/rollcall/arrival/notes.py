"""What is noted about a delivery when it is received, as rows of ``rollcall.check_result``."""

from collections.abc import Sequence
from dataclasses import dataclass

from rollcall.codes import Code, Severity, codes_on
from rollcall.warehouse import Connection

DELIVERY = "delivery"
"""The ``file`` of what concerns the delivery as a whole."""
CODES: dict[str, Code] = codes_on("arrival")
NO_CHANGES = "no_changes"
"""The code of a manifest that comes alone, and calls every file absent."""


@dataclass(frozen=True)
class Note:
    """One thing to note.

    Attributes:
        code: One of the page ``arrival`` of ``codes.yaml``.
        file: The standard's name of a file, ``manifest``, or ``delivery``.
        detail: What the code alone does not say, as a sentence; no cell of a file.
        severity: Where it differs from the code's.
    """

    code: str
    file: str = DELIVERY
    detail: str | None = None
    severity: Severity | None = None

    @property
    def sentence(self) -> str:
        """The code's message and the detail."""
        return " ".join(part for part in (CODES[self.code].message, self.detail) if part)


class UnusableDeliveryError(Exception):
    """What was delivered cannot be told apart or unpacked; the message tells the district why."""

    def __init__(self, code: str, detail: str | None = None) -> None:
        self.note = Note(code, detail=detail)
        super().__init__(self.note.sentence)


def record_notes(connection: Connection, delivery_id: int, notes: Sequence[Note]) -> None:
    """Write the notes down, in place of what was noted before."""
    connection.execute(
        "delete from rollcall.check_result where delivery_id = %s and code = any(%s)", (delivery_id, list(CODES))
    )
    for note in notes:
        add_note(connection, delivery_id, note)


def add_note(connection: Connection, delivery_id: int, note: Note) -> None:
    """Write one more note down; what it says beside its code is added to what was said there before."""
    connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed, detail)
        values (%s, %s, %s, %s, 1, %s)
        on conflict (delivery_id, file, code) do update
        set detail = concat_ws(' ', check_result.detail, excluded.detail)
        where check_result.detail is distinct from excluded.detail
        """,
        (delivery_id, note.file, note.code, note.severity or CODES[note.code].severity, note.detail),
    )
