"""What readers of a district see now, as queries on history: the one place that knows which versions are published."""

from dataclasses import dataclass
from datetime import date

from psycopg import sql
from psycopg.rows import class_row

from rollcall.oneroster import FILES, File
from rollcall.warehouse import Connection

NOTHING = sql.SQL("")


@dataclass(frozen=True)
class Publication:
    """A district's publication.

    Attributes:
        district_id: The district.
        sequence: The published sequence; None when nothing is published.
        night: The night that it stands for; None likewise.
        delivery_id: The delivery that it shows; None likewise, and where it was not asked for.
    """

    district_id: str
    sequence: int | None
    night: date | None
    delivery_id: int | None

    def versions(self, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
        """``from … where …`` for the published versions of a file, by the alias ``version``.

        Where nothing is published there may be no table to ask: look at `sequence` first, or use `select`.

        Args:
            file: The file.
            joined: Joins to put between the two.
        """
        return sql.SQL(
            "from {history} as version {joined} where version.district_id = {district}"
            " and version.valid_from_seq <= {sequence}"
            " and (version.valid_to_seq is null or version.valid_to_seq > {sequence})"
        ).format(
            history=history_table(file),
            joined=joined,
            district=sql.Literal(self.district_id),
            sequence=sql.Literal(self.sequence or 0),
        )

    def select(self, file: File, **columns: str) -> sql.Composed:
        """A query on the published versions of a file, which also works where nothing of it is ever published.

        Args:
            file: The file.
            columns: Each column's name, and its expression, by the alias ``version``: our own text, never a cell.
        """
        if self.sequence is None or file not in FILES:
            version = sql.SQL("from (select {}) as version where false").format(_nulls(file))
        else:
            version = self.versions(file)
        named = [sql.SQL("{} as {}").format(_own(each), sql.Identifier(name)) for name, each in columns.items()]
        return sql.SQL("select {} {}").format(sql.SQL(", ").join(named), version)

    def records(self, file: File, **columns: str) -> sql.Composed:
        """A query on a file's published records, each once: ``id``, and further columns as text.

        With some, an id that was used again in another school year may come several times.

        Args:
            file: The file.
            columns: Each further column's name, and its expression, as for `select`.
        """
        texts = {name: f"({each})::text" for name, each in columns.items()}
        query = self.select(file, id="version.source_id", **texts)
        return sql.SQL("select distinct * from ({}) as record").format(query)


def publication_of(connection: Connection, district_id: str) -> Publication:
    """What readers of a district see now.

    Args:
        connection: Any connection to the warehouse.
        district_id: The district.
    """
    with connection.cursor(row_factory=class_row(Publication)) as cursor:
        cursor.execute(
            "select district_id, sequence, effective_date as night, delivery_id from rollcall.publication"
            " where district_id = %s",
            (district_id,),
        )
        return cursor.fetchone() or Publication(district_id, None, None, None)


def history_table(file: File) -> sql.Identifier:
    """Where the versions of a file's records are."""
    return sql.Identifier("history", f"hist_{file.table_name}")


def _nulls(file: File) -> sql.Composed:
    """The columns of a version, without a row to read them from."""
    types = {"list": "text[]", "ids": "text[]", "date": "date", "boolean": "boolean", "datetime": "timestamptz"}
    columns = [(column.attribute, types.get(column.kind, "text")) for column in file.content]
    columns += [("source_id", "text"), ("school_year", "integer"), ("valid_from_seq", "integer"), ("row_hash", "uuid")]
    return sql.SQL(", ").join(
        sql.SQL("null::{} as {}").format(_own(kind), sql.Identifier(name)) for name, kind in columns
    )


def _own(text: str) -> sql.SQL:
    return sql.SQL(text)  # our own text, never a cell
