"""What the cross-file rules look references up in: views ``known_<table>`` in the delivery's schema.

The records that rows name are kept once they are certain (``kept_<table>``): the next night's are compared with them,
so that only those rows are asked again which name a record of which something has moved (``moved_<table>``).
"""

from collections.abc import Mapping, Sequence
from functools import cache

from psycopg import sql

from rollcall.gate.landed import LandedFile
from rollcall.gate.recording import SET_ASIDE
from rollcall.gate.rules import Rule, suite_rules
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME, FILES, Column, File
from rollcall.published import Publication
from rollcall.suites import DELIVERY_SUITE
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


def create_known_views(connection: Connection, publication: Publication, landed: Mapping[str, LandedFile]) -> None:
    """Make a view ``known_<table>`` for each of the seven files: the records that a reference may name.

    They are the delivered ones that were not set aside, and where the delivery does not hold the whole file, the
    published ones that it does not hold. What the delivery deletes may not be named.

    Args:
        connection: A connection whose search path is the delivery's schema.
        publication: What the district's readers see.
        landed: The files that have a table, by name.
    """
    for file in FILES:
        delivered = landed.get(file.name)
        if delivered is None:
            query = _published(publication, file)
        elif delivered.is_complete:
            query = _accepted(file, STAYS)
        else:
            query = sql.SQL(
                "{staying} union all select * from ({published}) as published"
                " where not exists (select from ({accepted}) as accepted where accepted.id = published.id)"
            ).format(
                staying=_accepted(file, STAYS),
                accepted=_accepted(file),
                published=_published(publication, file),
            )
        connection.execute(sql.SQL("create or replace view {} as {}").format(known_view(file), query))
    for file in named_files():
        for table in (sql.Identifier(kept_table(file)), moved_table(file)):
            connection.execute(sql.SQL("drop table if exists {}").format(table))


def known_view(file: File) -> sql.Identifier:
    """The view of a delivery's schema with the records of a file that a reference may name."""
    return sql.Identifier(f"known_{file.table_name}")


@cache
def names_of(file: File) -> tuple[tuple[Column, File], ...]:
    """The columns of a file that name records of one, which a rule asks for, each with that file."""
    return tuple(
        (next(column for column in file.columns if column.name == rule.column), FILE_BY_NAME[rule.names])
        for rule in suite_rules(DELIVERY_SUITE)
        if rule.file == file.name and rule.names
    )


@cache
def named_files() -> tuple[File, ...]:
    """The files whose records others name."""
    named = {rule.names for rule in suite_rules(DELIVERY_SUITE)}
    return tuple(file for file in FILES if file.name in named)


def kept_table(file: File) -> str:
    """The table of a delivery's schema with those records of a file that a reference could name."""
    return f"kept_{file.table_name}"


def moved_table(file: File) -> sql.Identifier:
    """The table of a delivery's schema with the ids of the records of which something is otherwise than before."""
    return sql.Identifier(f"moved_{file.table_name}")


class Known:
    """The records that references may name, kept as soon as no rule can set one of them aside any more.

    Args:
        connection: A connection that commits each statement, whose search path is the delivery's schema.
        before: The delivery that judgements are taken over from, if some are.
    """

    def __init__(self, connection: Connection, before: Delivery | None) -> None:
        self._connection = connection
        self._before = before
        self._kept: set[str] = set()

    def keep_for(self, rules: Sequence[Rule]) -> None:
        """Keep what some rules look up."""
        for file in named_files():
            if any(f"known_{file.table_name} " in str(rule.own_query) for rule in rules):
                self._keep(file)

    def keep_all(self) -> None:
        """Keep what the next night is compared with."""
        for file in named_files():
            self._keep(file)

    def find_moved(self, file: File) -> None:
        """Write down which of the records that a file's rows name are otherwise than before."""
        for _, named in names_of(file):
            self._keep(named)

    def _keep(self, file: File) -> None:
        if file.name in self._kept:
            return
        self._kept.add(file.name)
        self._connection.execute(
            sql.SQL(
                "create unlogged table {kept} as select * from {view}; create index on {kept} (id); analyze {kept};"
                "create or replace view {view} as select * from {kept}"
            ).format(kept=sql.Identifier(kept_table(file)), view=known_view(file))
        )
        if self._before is not None:
            self._write_moved(file, self._before)

    def _write_moved(self, file: File, before: Delivery) -> None:
        """A class has moved also where one of its terms has."""
        moved = sql.SQL(
            "create unlogged table {moved} as select id from ("
            "(select * from {kept} except select * from {before}) union all"
            " (select * from {before} except select * from {kept})) as otherwise group by id"
        ).format(
            moved=moved_table(file),
            kept=sql.Identifier(kept_table(file)),
            before=sql.Identifier(before.landing_schema, kept_table(file)),
        )
        self._connection.execute(moved)
        if file.name == "classes":
            sessions = FILE_BY_NAME["academicSessions"]
            self._keep(sessions)
            self._connection.execute(
                sql.SQL(
                    "insert into {moved} select id from {kept}"
                    " where string_to_array(term_ids, ',') && (select array_agg(id) from {moved_sessions})"
                ).format(
                    moved=moved_table(file),
                    kept=sql.Identifier(kept_table(file)),
                    moved_sessions=moved_table(sessions),
                )
            )
        self._connection.execute(sql.SQL("analyze {}").format(moved_table(file)))


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
        columns=sql.SQL("").join(
            sql.SQL(", ({})::text as {}").format(sql.SQL(expression), sql.Identifier(name))
            for name, expression in columns.items()
        ),
        table=sql.Identifier(file.table_name),
        set_aside=SET_ASIDE_SO_FAR,
        file=sql.Literal(file.name),
    )


def _published(publication: Publication, file: File) -> sql.Composed:
    """A query for a file's published records."""
    return publication.records(
        file, **{name: published for name, (_, published) in COMPARED.get(file.name, {}).items()}
    )
