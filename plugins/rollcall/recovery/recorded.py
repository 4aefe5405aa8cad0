"""The ledger's rows of one district, as the archive tells them: read, and put back."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from rollcall.archive.decisions import Document, read_decisions
from rollcall.archive.store import Archive
from rollcall.warehouse import Connection, values

Row = dict[str, Any]

AT_ONCE = (
    "district", "district_act", "delivery", "delivery_file", "hold", "hold_decision", "rollback", "rekeying",
    "rekeyed_record", "night_correction", "delivery_again", "forgetting", "forgotten", "rewritten_file",
)  # fmt: skip
"""The tables that are put back before anything is built, each after those that it refers to."""

NUMBERED = ("district_act", "delivery", "hold", "hold_decision", "rollback", "night_correction", "delivery_again",
            "publication_event", "forgetting", "rewritten_file")  # fmt: skip
"""The tables that number their rows."""

_INSERT = """
    insert into rollcall.{table} ({columns}) overriding system value
    select {columns} from jsonb_populate_recordset(null::rollcall.{table}, %s)
    on conflict do nothing
"""
_UPDATE = """
    update rollcall.{table} as present set ({columns}) = (
        select {told} from jsonb_populate_record(null::rollcall.{table}, %(row)s) as told
    )
    where {key}
"""
_RESERVE = "select setval(counter, greatest(%s, nextval(counter))) from pg_get_serial_sequence(%s, %s) as counter"


@dataclass(frozen=True)
class Recorded:
    """What the archive tells of a district.

    Attributes:
        documents: The newest version of each document.
    """

    district_id: str
    documents: tuple[Document, ...]

    @classmethod
    def of(cls, district_id: str) -> "Recorded":
        """Read it all."""
        return cls(district_id, tuple(read_decisions(Archive.of(district_id))))

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        """Every row, by its table; a night's row in its delivery's document comes before an older one without."""
        found: dict[str, list[Row]] = {}
        for document in self.documents:
            for table, rows in document.rows.items():
                found.setdefault(table, []).extend(rows)
        return found

    def rows(self, table: str, delivery_id: int | None = None) -> list[Row]:
        """The rows of a table, of one delivery if that is given."""
        rows = self._rows.get(table, [])
        return rows if delivery_id is None else [row for row in rows if row["delivery_id"] == delivery_id]

    @cached_property
    def published(self) -> list[Row]:
        """The deliveries that were published, in the order of their sequences."""
        published = [row for row in self.rows("delivery") if row["state"] == "published"]
        return sorted(published, key=lambda row: int(row["accepted_sequence"]))

    def set_aside(self, delivery: Row) -> tuple[list[Row], set[str]]:
        """Which rows of an accepted delivery counted for nothing, and of which files that is known.

        Of a file that was written anew since, without a person who was forgotten, the row numbers are others.
        """
        name = f"set-aside-{delivery['delivery_id']:012}-{delivery['accepted_sequence']}"
        told = next((each.rows for each in self.documents if each.name == name), {})
        judged = {(each["file"], each["sha256"]) for each in told.get("file_judged", [])}
        known = {
            file["file"]
            for file in self.rows("delivery_file", delivery["delivery_id"])
            if not file["rows_set_aside"] or (file["file"], file["sha256"]) in judged
        }
        return [row for row in told.get("row_set_aside", []) if row["file"] in known], known


def insert(connection: Connection, table: str, rows: Iterable[Row]) -> None:
    """Put rows back, under the numbers that they had; those that are there stay as they are."""
    rows = list(rows)
    if not rows:
        return
    names = _names(connection, table, rows[0])
    statement = sql.SQL(_INSERT).format(
        table=sql.Identifier(table), columns=sql.SQL(", ").join(map(sql.Identifier, names))
    )
    connection.execute(statement, [Jsonb(rows)])


def put_back(connection: Connection, table: str, row: Row, key: tuple[str, ...], but: Iterable[str] = ()) -> None:
    """Make a row what it was.

    Args:
        connection: A transaction of the ledger's owner.
        table: The table.
        row: What it was.
        key: The columns that tell which one it is.
        but: Columns that stay as they are.
    """
    names = [name for name in _names(connection, table, row) if name not in (*key, *but)]
    statement = sql.SQL(_UPDATE).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        told=sql.SQL(", ").join(sql.Identifier("told", name) for name in names),
        key=sql.SQL(" and ").join(
            sql.SQL("present.{} = {}").format(sql.Identifier(name), sql.Literal(row[name])) for name in key
        ),
    )
    connection.execute(statement, {"row": Jsonb(row)})


def reserve_numbers(connection: Connection, recorded: Recorded) -> None:
    """Have nothing that comes get a number that is on record."""
    for table in NUMBERED:
        number = f"{table}_id"
        taken = [int(row[number]) for row in recorded.rows(table)]
        if taken:
            connection.execute(_RESERVE, [max(taken), f"rollcall.{table}", number])


def remember_documents(connection: Connection, recorded: Recorded) -> None:
    """Have the ledger know which documents are written, so that none is written again as it is."""
    for document in recorded.documents:
        connection.execute(
            "insert into rollcall.decision_entry (district_id, name, version, digest)"
            " values (%s, %s, %s, md5(%s)::uuid) on conflict do nothing",
            [recorded.district_id, document.name, document.version, document.text],
        )


def _names(connection: Connection, table: str, row: Row) -> list[str]:
    """The columns of a row that the table has in this version, too."""
    known = values(
        connection,
        "select attname from pg_attribute where attrelid = ('rollcall.' || %s)::regclass and attnum > 0"
        " and not attisdropped order by attnum",
        [table],
    )
    return [name for name in known if name in row]
