"""What was found in a delivery, in the order in which it is best mended."""

from collections.abc import Iterable
from dataclasses import dataclass

from rollcall.codes import Severity, catalog, message_of
from rollcall.decision.reasons import Reason
from rollcall.warehouse import Connection

FIX_ORDER = ("orgs", "academicSessions", "courses", "users", "roles", "classes", "enrollments", "demographics")
"""The files, what others refer to first: one wrong school takes all its classes with it."""

WORST_FIRST: tuple[Severity, ...] = ("critical", "warning", "info")
PAGES_FIRST = ("arrival", "reading")
"""Within a file, what keeps it from being read comes before what is wrong with its rows."""

MOST_ROWS_PER_CODE = 10_000
"""How many rows of a code in a file are listed at most; its count is always whole."""

WHOLE_DELIVERY = "delivery"
"""In the place of a file's name, for what concerns the delivery as a whole."""


@dataclass(frozen=True)
class Place:
    """Where a finding is; holds no values (law 7).

    Attributes:
        row: The physical line on which the record starts, the header being 1; None for a whole file.
        sourced_id: The record's id, where it may be told.
        column: The column, in the standard's spelling, or the cell of the header.
        detail: What the code alone does not say.
    """

    row: int | None
    sourced_id: str | None
    column: str | None
    detail: str | None = None


NOWHERE = Place(None, None, None)
"""For what is wrong with a file, or with the delivery, as a whole."""


@dataclass(frozen=True)
class Found:
    """Everything that was found under one code in one file.

    Attributes:
        file: The file, by the standard's name; ``delivery`` for the delivery as a whole.
        count: How many rows, or 1.
        detail: What the code alone does not say, of all rows.
        places: Where, at most ``MOST_ROWS_PER_CODE``; at least one.
        sentence: What to say instead of the code's message.
    """

    file: str
    code: str
    severity: Severity
    count: int
    detail: str | None
    places: tuple[Place, ...]
    sentence: str | None = None

    @property
    def message(self) -> str:
        """What is wrong and what became of it."""
        return self.sentence or message_of(self.code, self.detail)

    @property
    def fix(self) -> str:
        """How to mend it."""
        known = catalog().get(self.code)
        return known.fix if known else ""

    @property
    def more(self) -> int:
        """How many rows are not listed."""
        return max(self.count - len(self.places), 0)

    def message_at(self, place: Place) -> str:
        """What is wrong in one place."""
        return self.sentence or message_of(self.code, place.detail or self.detail)

    @property
    def order(self) -> tuple[bool, int, int, int, str]:
        """What sorts findings into the order in which they are best mended."""
        known = catalog().get(self.code)
        page = known.page if known else ""
        return (
            self.file in FIX_ORDER and page != PAGES_FIRST[0],
            FIX_ORDER.index(self.file) if self.file in FIX_ORDER else -1,
            WORST_FIRST.index(self.severity),
            PAGES_FIRST.index(page) if page in PAGES_FIRST else len(PAGES_FIRST),
            self.code,
        )


def findings_of(connection: Connection, delivery_id: int) -> list[Found]:
    """All that was found in a delivery, first what concerns it as a whole, then the files that others refer to.

    Args:
        connection: A connection to the ledger.
        delivery_id: The delivery.
    """
    checks = connection.execute(
        "select file, code, severity, rows_failed, detail from rollcall.check_result "
        "where delivery_id = %s and rows_failed > 0",
        (delivery_id,),
    ).fetchall()
    places = _places(connection, delivery_id)
    found = [
        Found(
            file,
            code,
            severity,
            max(count, len(places.get((file, code), ()))),
            detail or None,
            tuple(places.get((file, code), (NOWHERE,))),
        )
        for file, code, severity, count, detail in checks
    ]
    return sorted(found, key=lambda each: each.order)


def as_found(reasons: Iterable[Reason]) -> list[Found]:
    """The reasons of a decision, each a finding about its file or about the delivery as a whole."""
    found = [
        Found(reason.file or WHOLE_DELIVERY, reason.code, "critical", 1, None, (NOWHERE,), reason.sentence)
        for reason in reasons
    ]
    return sorted(found, key=lambda each: each.order)


def _places(connection: Connection, delivery_id: int) -> dict[tuple[str, str], list[Place]]:
    rows = connection.execute(
        """
        select file, code, row_number, sourced_id, column_name, detail
        from (
            select *, row_number() over (partition by file, code order by row_number, column_name) as place
            from rollcall.row_finding where delivery_id = %s
        ) as finding
        where place <= %s
        order by file, code, place
        """,
        (delivery_id, MOST_ROWS_PER_CODE),
    ).fetchall()
    places: dict[tuple[str, str], list[Place]] = {}
    for file, code, *place in rows:
        places.setdefault((file, code), []).append(Place(*place))
    return places
