"""What readers of the delivery's district see now: the ids of an entity, and what a reference is compared with."""

from collections.abc import Mapping

from psycopg import sql

from rollcall.oneroster import File
from rollcall.warehouse import Connection


def published_ids(
    connection: Connection, delivery_id: int, file: File, columns: Mapping[str, str] | None = None
) -> sql.Composed:
    """A query for the ids of a file's records as its district has them published, each once.

    Args:
        connection: Any connection to the warehouse.
        delivery_id: A delivery of the district.
        file: The file.
        columns: Further columns, as text: the name, and an expression on ``version``. With some, an id that was used
            again in another school year may come several times.
    """
    columns = columns or {}
    history = f"hist_{file.table_name}"
    row = connection.execute("select to_regclass(%s) is not null", (f"history.{history}",)).fetchone()
    if not (row and row[0]):
        nothing = sql.SQL(", ").join(
            sql.SQL("null::text as {}").format(sql.Identifier(name)) for name in ("id", *columns)
        )
        return sql.SQL("select {} where false").format(nothing)
    return sql.SQL(
        """
        select distinct version.source_id as id{columns}
        from history.{history} as version
        inner join rollcall.delivery on delivery.district_id = version.district_id
        inner join rollcall.publication on publication.district_id = version.district_id
        where delivery.delivery_id = {delivery_id}
            and version.valid_from_seq <= publication.sequence
            and (version.valid_to_seq is null or version.valid_to_seq > publication.sequence)
        """
    ).format(history=sql.Identifier(history), delivery_id=sql.Literal(delivery_id), columns=select_list(columns))


def select_list(columns: Mapping[str, str]) -> sql.Composed:
    """Further columns of a query that selects an ``id`` first.

    Args:
        columns: The name of each, and its expression: our own text, never a cell.
    """
    return sql.Composed(
        sql.SQL(", ({})::text as {}").format(sql.SQL(expression), sql.Identifier(name))  # type: ignore[arg-type]  # see above
        for name, expression in columns.items()
    )


def published_people(connection: Connection, delivery_id: int) -> sql.Composed:
    """A query for the people whom readers of a delivery's district see: id, role and organizations.

    Args:
        connection: Any connection to the warehouse.
        delivery_id: A delivery of the district.
    """
    row = connection.execute("select to_regclass('history.hist_users') is not null").fetchone()
    if not (row and row[0]):
        return sql.SQL(
            "select null::text as id, null::text as role, null::text[] as org_source_ids where false"
        ).format()
    return sql.SQL(
        """
        select version.source_id as id, version.role, version.org_source_ids
        from history.hist_users as version
        inner join rollcall.delivery on delivery.district_id = version.district_id
        inner join rollcall.publication on publication.district_id = version.district_id
        where delivery.delivery_id = {delivery_id}
            and version.valid_from_seq <= publication.sequence
            and (version.valid_to_seq is null or version.valid_to_seq > publication.sequence)
        """
    ).format(delivery_id=sql.Literal(delivery_id))
