"""Whether the rows of deliveries under way are those that the ledger counted."""

from collections.abc import Iterator

from psycopg import sql

from rollcall.ledger import landing_schema
from rollcall.oneroster import FILE_BY_NAME
from rollcall.recovery.differences import Difference
from rollcall.warehouse import Connection, is_there, value

_UNDER_WAY = """
    select delivery_id, file, rows_landed - coalesce(rows_ragged, 0)
    from rollcall.delivery_file
    inner join rollcall.delivery using (delivery_id)
    where district_id = %s and state in ('held', 'accepted') and mode <> 'absent' and rows_landed is not null
        and file = any(%s)
    order by delivery_id, file
"""


def differences_of_landed(connection: Connection, district_id: str) -> Iterator[Difference]:
    """Count the landed rows of what is held or waits for its build.

    A table that is empty or gone is no difference: it is landed again from the archive before anybody reads it.

    Args:
        connection: A connection that may read the deliveries' schemas.
        district_id: The district.
    """
    for delivery_id, file, counted in connection.execute(_UNDER_WAY, [district_id, list(FILE_BY_NAME)]).fetchall():
        table = sql.Identifier(landing_schema(delivery_id), FILE_BY_NAME[file].table_name)
        if not is_there(connection, table):
            continue
        found = value(connection, sql.SQL("select count(*) from {}").format(table))
        if found not in (0, counted):
            what = f"{file}: {found:,} rows are landed; the ledger counted {counted:,}."
            yield Difference(district_id, "landed_differs", what, delivery_id)
