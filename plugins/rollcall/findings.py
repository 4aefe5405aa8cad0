"""What is found in a delivery, under a code each, and where; how it comes into the ledger, and out of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rollcall.codes import Severity, catalog, message_of
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
        column: The column, in the standard's spelling, or its place in the header where the name may not be told.
        detail: What the code alone does not say.
        row: The physical line on which the record starts, the header being 1; None for a whole file.
        sourced_id: The record's id, where it may be told.
    """

    column: str | None = None
    detail: str | None = None
    row: int | None = None
    sourced_id: str | None = None


NOWHERE = Place()
"""For what is wrong with a file, or with the delivery, as a whole."""


@dataclass(frozen=True)
class Finding:
    """Everything that was found under one code in one file; holds no values (law 7).

    Attributes:
        code: A code of the catalog.
        file: The file, by the standard's name, ``manifest``, or ``delivery`` for the delivery as a whole.
        detail: What the code alone does not say, of all rows, as a sentence.
        places: Where, at most ``MOST_ROWS_PER_CODE`` of those with a row; none for the file as a whole.
        rows: How many rows, where that is more than there are places.
        given_severity: The severity, where it is not the code's.
        sentence: What to say instead of the code's message.
    """

    code: str
    file: str = WHOLE_DELIVERY
    detail: str | None = None
    places: tuple[Place, ...] = ()
    rows: int = 1
    given_severity: Severity | None = None
    sentence: str | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.given_severity or catalog()[self.code].severity

    @property
    def count(self) -> int:
        """How many rows or places, or 1."""
        return max(self.rows, len(self.places))

    @property
    def message(self) -> str:
        """What is wrong and what became of it."""
        return self.sentence or message_of(self.code, self.detail)

    @property
    def fix(self) -> str:
        """How to fix it."""
        known = catalog().get(self.code)
        return known.fix if known else ""

    @property
    def listed(self) -> tuple[Place, ...]:
        """Where, to be printed a line each; at least one."""
        return self.places or (NOWHERE,)

    @property
    def more(self) -> int:
        """How many rows are not listed."""
        return self.count - len(self.listed)

    def message_at(self, place: Place) -> str:
        """What is wrong in one place."""
        return self.sentence or message_of(self.code, place.detail or self.detail)

    @property
    def order(self) -> tuple[bool, int, int, int, str]:
        """What sorts findings into the order in which they are best fixed."""
        known = catalog().get(self.code)
        page = known.page if known else ""
        return (
            self.file in FIX_ORDER and page != PAGES_FIRST[0],
            FIX_ORDER.index(self.file) if self.file in FIX_ORDER else -1,
            WORST_FIRST.index(self.severity),
            PAGES_FIRST.index(page) if page in PAGES_FIRST else len(PAGES_FIRST),
            self.code,
        )


def add_finding(connection: Connection, delivery_id: int, finding: Finding) -> None:
    """Write a finding down; a detail is added to what was said of the code in that file before."""
    key = (delivery_id, finding.file, finding.code, finding.severity)
    connection.execute(
        """
        insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed, detail)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (delivery_id, file, code) do update
        set detail = concat_ws(' ', check_result.detail, excluded.detail)
        where check_result.detail is distinct from excluded.detail
        """,
        (*key, finding.count, finding.detail),
    )
    for place in finding.places:
        connection.execute(
            """
            insert into rollcall.row_finding
                (delivery_id, file, code, severity, row_number, sourced_id, column_name, detail)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (*key, place.row, place.sourced_id, place.column, place.detail),
        )


def replace_findings(
    connection: Connection,
    delivery_id: int,
    codes: Collection[str],
    findings: Iterable[Finding],
    *,
    file: str | None = None,
) -> None:
    """Write findings down, in place of what was found before.

    Args:
        connection: A transaction in the ledger.
        delivery_id: The delivery.
        codes: What was looked for.
        findings: What was found.
        file: Where it was looked for; everywhere in the delivery, if None.
    """
    for table in ("row_finding", "check_result"):
        connection.execute(
            f"delete from rollcall.{table} where delivery_id = %s and code = any(%s) and file = coalesce(%s, file)",
            (delivery_id, list(codes), file),
        )
    for finding in findings:
        add_finding(connection, delivery_id, finding)


def findings_of(connection: Connection, delivery_id: int) -> list[Finding]:
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
        Finding(code, file, detail, tuple(places.get((file, code), ())), rows, severity)
        for file, code, severity, rows, detail in checks
    ]
    return in_order(found)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in the order in which they are best fixed."""
    return sorted(findings, key=lambda each: each.order)


def _places(connection: Connection, delivery_id: int) -> dict[tuple[str, str], list[Place]]:
    rows = connection.execute(
        """
        select file, code, column_name, detail, row_number, sourced_id
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
