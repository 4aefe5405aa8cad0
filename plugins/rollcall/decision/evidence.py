"""When a record that a file does not name is gone, and when it may only be unreadable (law 5)."""

from psycopg import sql

from rollcall import ledger
from rollcall.gate.landed import set_aside_counts
from rollcall.ledger import DeliveryFile, landing_schema
from rollcall.oneroster import FILE_BY_NAME
from rollcall.published import publication_of
from rollcall.warehouse import Connection, value


def names_all_it_has(sent: DeliveryFile) -> bool:
    """Whether a file claims to name every record there is: it is bulk and holds records."""
    return sent.mode == "bulk" and bool(sent.rows_landed)


def has_doubtful_rows(connection: Connection, sent: DeliveryFile) -> bool:
    """Whether rows of a file were set aside that cannot be told by their sourcedId.

    Such a row has no id, or one that readers do not see: the cells of a ragged record may have moved, and what stands
    where the id should be is something else. The record that it meant may be any of those that the file does not name.
    A copy of a row that was taken is not in doubt. Where a crash of the database took along which rows they are, all
    are in doubt.
    """
    if not sent.rows_set_aside:
        return False
    listed = set_aside_counts(connection, landing_schema(sent.delivery_id)) or {}
    if listed.get(sent.file) != sent.rows_set_aside:
        return True
    publication = publication_of(connection, ledger.delivery(connection, sent.delivery_id).district_id)
    doubtful = value(
        connection,
        sql.SQL(
            """
            select exists (
                select from {set_aside} as aside
                where aside.file = %(file)s and aside.code not like '%%\\_row\\_repeated'
                    and not exists (
                        select from ({published}) as published where published.id = btrim(aside.sourced_id)
                    )
            )
            """
        ).format(
            set_aside=sql.Identifier(landing_schema(sent.delivery_id), "row_set_aside"),
            published=publication.records(FILE_BY_NAME[sent.file]),
        ),
        {"file": sent.file},
    )
    return bool(doubtful)
