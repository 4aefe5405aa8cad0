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
from rollcall.landing.typed import NOTHING, accepted_rows, make_missing_typed
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME, FILES, Column, File
from rollcall.published import Publication
from rollcall.suites import DELIVERY_SUITE
from rollcall.warehouse import Connection

LOOKED_UP: Mapping[str, Mapping[str, str]] = {
    "orgs": {"type": "lower({record}.type)"},
    "academicSessions": {
        "type": "lower({record}.type)",
        "start_date": "{record}.start_date",
        "end_date": "{record}.end_date",
        "school_year": "{record}.school_year",
    },
    "users": {"role": "lower({record}.role)", "org_ids": "array_to_string({record}.org_source_ids, ',')"},
    "classes": {
        "school_id": "{record}.school_source_id",
        "term_ids": "array_to_string({record}.term_source_ids, ',')",
    },
    "enrollments": {
        "class_id": "{record}.class_source_id",
        "user_id": "{record}.user_source_id",
        "role": "lower({record}.role)",
        "is_primary": "{record}.is_primary",
        "begin_date": "{record}.begin_date",
        "end_date": "{record}.end_date",
    },
}
"""What is known of a file's records besides their id, of delivered ones as of published ones. All becomes text, so that
no comparison can fail on a cell; days of the calendar are in order as text too."""

TEACHING = "known_teaching"
"""The table of a delivery's schema with those known enrollments that are a teacher's: several rules ask for them."""

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


def create_known_views(
    connection: Connection, delivery: Delivery, publication: Publication, landed: Mapping[str, LandedFile]
) -> None:
    """Make a view ``known_<table>`` for each of the seven files: the records that a reference may name.

    They are the delivered ones that were not set aside, and where the delivery does not hold the whole file, the
    published ones that it does not hold. What the delivery deletes may not be named.

    Args:
        connection: A connection whose search path is the delivery's schema.
        delivery: The delivery.
        publication: What the district's readers see.
        landed: The files that have a table, by name.
    """
    make_missing_typed(connection, delivery)
    for file in FILES:
        delivered = landed.get(file.name)
        if delivered is None:
            query = _published(publication, file)
        elif delivered.is_complete:
            query = _accepted(delivery, file, STAYS)
        else:
            query = sql.SQL(
                "{staying} union all select * from ({published}) as published"
                " where not exists (select from ({accepted}) as accepted where accepted.id = published.id)"
            ).format(
                staying=_accepted(delivery, file, STAYS),
                accepted=_accepted(delivery, file),
                published=_published(publication, file),
            )
        connection.execute(sql.SQL("create or replace view {} as {}").format(known_view(file), query))
    for file in named_files():
        for table in (sql.Identifier(kept_table(file)), moved_table(file)):
            connection.execute(sql.SQL("drop table if exists {}").format(table))
    connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(TEACHING)))


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
            if _ask_for(rules, f"known_{file.table_name}"):
                self._keep(file)
        if _ask_for(rules, TEACHING) and TEACHING not in self._kept:
            self._kept.add(TEACHING)
            self._connection.execute(
                sql.SQL(
                    "create unlogged table {0} as select * from known_enrollments where role = 'teacher'; analyze {0}"
                ).format(sql.Identifier(TEACHING))
            )

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


def _ask_for(rules: Sequence[Rule], known: str) -> bool:
    """Whether one of some rules looks something up in a relation."""
    return any(f"{known} " in str(rule.own_query) for rule in rules)


STAYS = sql.SQL("and not delivered.is_to_be_deleted")


def _accepted(delivery: Delivery, file: File, condition: sql.Composable = NOTHING) -> sql.Composed:
    """A query for the delivered records that are not set aside, and fulfil a further condition."""
    return sql.SQL("select delivered.source_id as id{columns} {accepted} {condition}").format(
        columns=sql.SQL("").join(
            sql.SQL(", ({})::text as {}").format(sql.SQL(expression), sql.Identifier(name))
            for name, expression in _looked_up(file, "delivered").items()
        ),
        accepted=accepted_rows(delivery, file, set_aside=SET_ASIDE_SO_FAR),
        condition=condition,
    )


def _published(publication: Publication, file: File) -> sql.Composed:
    """A query for a file's published records."""
    return publication.records(file, **_looked_up(file, "version"))


def _looked_up(file: File, record: str) -> dict[str, str]:
    """What is known of a file's records, by the alias of one."""
    return {name: expression.format(record=record) for name, expression in LOOKED_UP.get(file.name, {}).items()}
