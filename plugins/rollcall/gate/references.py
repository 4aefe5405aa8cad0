"""What the cross-file rules look references up in: views ``known_<table>`` in the delivery's schema."""

from collections.abc import Mapping, Sequence

from psycopg import sql

from rollcall.gate.findings import SET_ASIDE
from rollcall.gate.landed import LandedFile
from rollcall.gate.published import published_ids, select_list
from rollcall.oneroster import FILES, File
from rollcall.warehouse import Connection

COMPARED: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "orgs": {"type": ("lower(btrim(landed.type))", "lower(version.type)")},
    "academicSessions": {
        "type": ("lower(btrim(landed.type))", "lower(version.type)"),
        "start_date": (
            "case when landed.start_date like '____-__-__' then landed.start_date end",
            "version.start_date",
        ),
        "end_date": ("case when landed.end_date like '____-__-__' then landed.end_date end", "version.end_date"),
        "school_year": ("btrim(landed.school_year)", "version.school_year"),
    },
    "users": {
        "role": ("lower(btrim(landed.role))", "lower(version.role)"),
        "org_ids": ("replace(landed.org_sourced_ids, ' ', '')", "array_to_string(version.org_source_ids, ',')"),
    },
    "classes": {
        "school_id": ("btrim(landed.school_sourced_id)", "version.school_source_id"),
        "term_ids": ("replace(landed.term_sourced_ids, ' ', '')", "array_to_string(version.term_source_ids, ',')"),
    },
    "enrollments": {
        "class_id": ("btrim(landed.class_sourced_id)", "version.class_source_id"),
        "user_id": ("btrim(landed.user_sourced_id)", "version.user_source_id"),
        "role": ("lower(btrim(landed.role))", "lower(version.role)"),
        "is_primary": ("lower(btrim(landed.is_primary)) in ('true', 't', 'yes', 'y', 'on', '1')", "version.is_primary"),
        "begin_date": (
            "case when landed.begin_date like '____-__-__' then landed.begin_date end",
            "version.begin_date",
        ),
        "end_date": ("case when landed.end_date like '____-__-__' then landed.end_date end", "version.end_date"),
    },
}
"""What the known records of a file can be compared by besides their id: each column as it is landed, and as it is
published. All are text, so that no comparison can fail on a cell; days of the calendar are in order as text too."""

SET_ASIDE_SO_FAR = sql.Identifier("set_aside_so_far")
"""What the delivery is gated with: each rule sees what the rules before it set aside."""


def collect_set_aside(connection: Connection, own_codes: Sequence[str]) -> None:
    """Make the table of what is set aside so far, holding what the gate on each file set aside.

    Args:
        connection: A connection whose search path is the delivery's schema.
        own_codes: Codes that are about to be found anew.
    """
    table = {"table": SET_ASIDE_SO_FAR, "set_aside": SET_ASIDE}
    connection.execute(sql.SQL("drop table if exists {table} cascade").format(**table))
    connection.execute(sql.SQL("create unlogged table {table} (like {set_aside})").format(**table))
    connection.execute(
        sql.SQL("insert into {table} select * from {set_aside} where not code = any(%s)").format(**table),
        (list(own_codes),),
    )
    connection.execute(sql.SQL("create index on {table} (file, row_number)").format(**table))


def keep_set_aside(connection: Connection, own_codes: Sequence[str]) -> None:
    """Take over what the cross-file rules set aside, and have those who read it next plan with its size.

    Args:
        connection: A transaction in the ledger, whose search path is the delivery's schema.
        own_codes: The codes of these rules.
    """
    table = {"table": SET_ASIDE_SO_FAR, "set_aside": SET_ASIDE}
    connection.execute(
        sql.SQL("insert into {set_aside} select * from {table} where code = any(%s)").format(**table),
        (list(own_codes),),
    )
    connection.execute(sql.SQL("analyze {set_aside}").format(**table))


def create_known_views(connection: Connection, delivery_id: int, landed: Mapping[str, LandedFile]) -> None:
    """Make a view ``known_<table>`` for each of the seven files: the records that a reference may name.

    They are the delivered ones that were not set aside, and where the delivery does not hold the whole file, the
    published ones that it does not hold. What the delivery deletes may not be named.

    Args:
        connection: A connection whose search path is the delivery's schema.
        delivery_id: The delivery.
        landed: The files that have a table, by name.
    """
    for file in FILES:
        delivered = landed.get(file.name)
        if delivered is None:
            query = _published(connection, delivery_id, file)
        elif delivered.is_complete:
            query = _accepted(file, STAYS)
        else:
            query = sql.SQL(
                "{staying} union all select * from ({published}) as published"
                " where not exists (select from ({accepted}) as accepted where accepted.id = published.id)"
            ).format(
                staying=_accepted(file, STAYS),
                accepted=_accepted(file),
                published=_published(connection, delivery_id, file),
            )
        view = sql.Identifier(f"known_{file.table_name}")
        connection.execute(sql.SQL("create or replace view {} as {}").format(view, query))


NO_MORE = sql.SQL("")
STAYS = sql.SQL("and coalesce(lower(btrim(landed.status)) not in ('tobedeleted', 'inactive'), true)")


def _accepted(file: File, condition: sql.Composable = NO_MORE) -> sql.Composed:
    """A query for the records in a file's table that are not set aside, and fulfil a further condition."""
    columns = {name: landed for name, (landed, _) in COMPARED.get(file.name, {}).items()}
    return sql.SQL(
        """
        select btrim(landed.sourced_id) as id{columns}
        from {table} as landed
        where landed.sourced_id is not null
            and not exists (
                select from {set_aside} as aside
                where aside.file = {file} and aside.row_number = landed._row
            )
            {condition}
        """
    ).format(
        condition=condition,
        columns=select_list(columns),
        table=sql.Identifier(file.table_name),
        set_aside=SET_ASIDE_SO_FAR,
        file=sql.Literal(file.name),
    )


def _published(connection: Connection, delivery_id: int, file: File) -> sql.Composed:
    """A query for a file's published records."""
    columns = {name: published for name, (_, published) in COMPARED.get(file.name, {}).items()}
    return published_ids(connection, delivery_id, file, columns)
