"""Which records of a file can be otherwise than readers see them, where the file was judged by what changed.

All others were compared when the former delivery was, and lie as they lay then. The gate left which rows are new and
which of the former are gone (`rollcall.gate.rest`); the former delivery's schema has kept the rest.
"""

from dataclasses import dataclass

from psycopg import sql

from rollcall import ledger
from rollcall.decision.school_years import CLASS_YEARS
from rollcall.ledger import Delivery, DeliveryFile, landing_schema
from rollcall.oneroster import File
from rollcall.published import Publication
from rollcall.warehouse import Connection, is_there

UNNAMED = "unnamed_record"
"""The table of a delivery's schema with the published records, by file and sourcedId, that no row of it names."""

NEEDED = ("row_set_aside", CLASS_YEARS, UNNAMED)
"""What must be there of the former delivery."""


@dataclass(frozen=True)
class Former:
    """The delivery that readers see, and the files by whose difference from it a delivery can be compared.

    Attributes:
        schema: Its schema.
        files: The files, by the standard's names.
    """

    schema: str
    files: frozenset[str]


def former_delivery(connection: Connection, delivery: Delivery, publication: Publication) -> Former | None:
    """What a delivery can be compared by; None where all its rows are to be compared with all that is published.

    Both nights' files are bulk and hold records. Sessions are few, and their school year may hang on the night: they
    are always compared whole.

    Args:
        connection: A transaction in the ledger.
        delivery: The delivery, gated.
        publication: What its district's readers see.
    """
    if publication.delivery_id is None:
        return None
    schema = landing_schema(publication.delivery_id)
    if not all(is_there(connection, sql.Identifier(schema, name)) for name in NEEDED):
        return None
    whole = {sent.file for sent in ledger.files_of(connection, publication.delivery_id) if _names_all(sent)}
    files = [
        sent.file
        for sent in ledger.files_of(connection, delivery.delivery_id)
        if sent.judged_since == publication.delivery_id and sent.file in whole and sent.file != "academicSessions"
    ]
    return Former(schema, frozenset(files))


def _names_all(sent: DeliveryFile) -> bool:
    return sent.mode == "bulk" and bool(sent.rows_landed)


def touched_table(delivery: Delivery) -> sql.Identifier:
    """The table with the sourcedIds of the records that can be otherwise.

    No temporary one: PostgreSQL reads those in one process only.
    """
    return sql.Identifier(delivery.landing_schema, "touched_record")


def write_touched(
    connection: Connection, delivery: Delivery, former: Former, publication: Publication, file: File
) -> None:
    """Make the table `touched_table` for a file.

    Args:
        connection: A transaction with the rights of landing.
        delivery: The delivery, its classes' school years written.
        former: The delivery that readers see.
        publication: The same, in history.
        file: One of the former's files.
    """
    now, before = delivery.landing_schema, former.schema
    of_file = sql.SQL("where file = {}").format(sql.Literal(file.name))
    queries = [
        sql.SQL("select btrim(sourced_id) from {}").format(sql.Identifier(now, f"new_{file.table_name}")),
        sql.SQL("select source_id from {}").format(sql.Identifier(now, f"gone_{file.table_name}")),
        sql.SQL("select btrim(sourced_id) from {} {}").format(sql.Identifier(now, "row_set_aside"), of_file),
        sql.SQL("select btrim(sourced_id) from {} {}").format(sql.Identifier(before, "row_set_aside"), of_file),
        sql.SQL("select source_id from {} {}").format(sql.Identifier(before, UNNAMED), of_file),
        *_of_another_year(now, before, publication, file),
    ]
    connection.execute(
        sql.SQL(
            "create unlogged table {touched} as"
            " select source_id from ({queries}) as record (source_id) where source_id is not null; analyze {touched}"
        ).format(touched=touched_table(delivery), queries=sql.SQL(" union ").join(queries))
    )


def _of_another_year(now: str, before: str, publication: Publication, file: File) -> list[sql.Composed]:
    """The classes whose school year moved, or the enrollments that they take along."""
    moved = sql.SQL(
        "select source_id from {now} as now full join {before} as before using (source_id)"
        " where now.school_year is distinct from before.school_year"
    ).format(now=sql.Identifier(now, CLASS_YEARS), before=sql.Identifier(before, CLASS_YEARS))
    if file.name == "classes":
        return [moved]
    if file.name == "enrollments":
        return [
            sql.SQL("select version.source_id {published} and version.class_source_id in ({moved})").format(
                published=publication.versions(file), moved=moved
            )
        ]
    return []
