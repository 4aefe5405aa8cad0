"""What a delivery changes, computed once: a relation ``change_<file>`` per file in the delivery's own schema.

The forecast counts it, the safeguards judge it, and conform applies it. It holds against one published sequence; where
another one was published since, it is computed anew (`stand`).
"""

from dataclasses import dataclass

from psycopg import sql

from rollcall import ledger
from rollcall.decision.school_years import CLASS_YEARS, own_sessions, school_year_of, write_class_years
from rollcall.decision.touched import UNNAMED, Former, former_delivery, touched_table, write_touched
from rollcall.landing.schema import drop_relation
from rollcall.landing.typed import (
    AT_ONCE,
    COMPARED,
    NOTHING,
    accepted_rows,
    all_typed,
    make_missing_typed,
    typed_table,
)
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import FILE_BY_NAME, FILES, File
from rollcall.published import Publication, history_table, publication_of
from rollcall.warehouse import Connection, is_there, value

PLANNING = "set local work_mem = '96MB'; set local enable_nestloop = off; set local jit = off"
"""Deliveries are looked through whole: a nested loop is always a misjudgment. Undone by `AS_EVER`."""
IN_PARALLEL = "set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0"
"""For what reads every cell of a file: PostgreSQL takes reading for cheaper than handing the rows to another process.
Undone by `AS_EVER`."""
AS_EVER = "reset work_mem; reset enable_nestloop; reset jit; reset parallel_setup_cost; reset parallel_tuple_cost"


@dataclass(frozen=True)
class Comparison:
    """What is compared: a delivery with what its district's readers see.

    Attributes:
        default_year: The school year of what does not say of which it is: that in which the sessions put the night.
    """

    delivery: Delivery
    publication: Publication
    default_year: int

    @property
    def sequence(self) -> int | None:
        """The published sequence; None when nothing is published."""
        return self.publication.sequence

    def typed(self, file: File) -> sql.Identifier:
        """The delivery's typed relation of a file."""
        return typed_table(self.delivery, file)

    def change(self, file: File) -> sql.Identifier:
        """What changes of a file."""
        return self.table(f"change_{file.table_name}")

    def rekeyed(self, file: File) -> sql.Identifier:
        """Which records of a file seem to come back under a new id."""
        return self.table(f"rekeyed_{file.table_name}")

    @property
    def touched(self) -> sql.Identifier:
        """The ids of the records that can be otherwise, of the file that is compared at the moment."""
        return touched_table(self.delivery)

    @property
    def named(self) -> sql.Identifier:
        """The rows that name them."""
        return self.table("named_by_touched")

    @property
    def differing(self) -> sql.Identifier:
        """Which of its records differ."""
        return self.table("differing_record")

    def table(self, name: str) -> sql.Identifier:
        """A table of the delivery's schema."""
        return sql.Identifier(self.delivery.landing_schema, name)

    def published(self, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
        """``from … where …`` for the published versions of a file, by the alias ``version``."""
        return self.publication.versions(file, joined)

    def accepted(self, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
        """``from … where …`` for the rows of a file that count, by the alias ``delivered``."""
        return accepted_rows(self.delivery, file, joined)

    def ids_set_aside(self, file: File) -> sql.Composed:
        """The ids under which rows of a file are set aside."""
        return sql.SQL(
            "select btrim(sourced_id) as source_id from {} where file = {} and sourced_id is not null"
        ).format(self.table("row_set_aside"), sql.Literal(file.name))


def write_changes(connection: Connection, delivery: Delivery) -> Comparison:
    """Compare a gated delivery with what its district has published, and keep what differs.

    Leaves ``change_<file>`` for each file: a row per record that begins a version or may end one. Its columns are
    ``kind`` (``added``, ``changed``, ``tobedeleted``; ``absent``: not named by a bulk file; ``aside``: named by a row
    that is set aside only), ``valid_from_seq`` of the published version, ``school``, ``has_ended``, ``_row`` of the
    delivered one, and what a version takes over from it. A table ``compared`` says against what, and
    ``unnamed_record`` lists what is absent or aside, for the next night's comparison.

    Where a file was judged by what changed since what readers see, only the records that can be otherwise are compared.

    Args:
        connection: A transaction with the rights of landing.
        delivery: The delivery, landed and gated.
    """
    sent = {each.file: each for each in ledger.files_of(connection, delivery.delivery_id) if says_something(each)}
    publication = publication_of(connection, delivery.district_id)
    connection.execute(PLANNING)
    make_missing_typed(connection, delivery)
    default_year = school_year_of(delivery.service_date, own_sessions(connection, delivery))
    comparison = Comparison(delivery, publication, default_year)
    write_class_years(connection, delivery, publication, comparison.default_year)
    former = former_delivery(connection, delivery, publication)
    compared = {}
    for file in FILES:
        by_change = former if former and file.name in former.files else None
        compared[file.name] = _write_file(connection, comparison, file, sent.get(file.name), by_change)
    record_comparison(connection, comparison, compared)
    connection.execute(AS_EVER)
    return comparison


def says_something(sent: DeliveryFile) -> bool:
    """Whether a file holds records; one that does not counts as not sent."""
    return sent.mode != "absent" and bool(sent.rows_landed)


def record_comparison(connection: Connection, comparison: Comparison, unnamed: dict[str, int]) -> None:
    """Note what the comparison is against, and which published versions each file does not name, and how many."""
    table = comparison.table(COMPARED)
    connection.execute(
        sql.SQL("drop table if exists {0}; create unlogged table {0} as {1}").format(
            comparison.table(UNNAMED),
            sql.SQL(" union all ").join(
                sql.SQL("select {}::text as file, source_id from {} where kind in ('absent', 'aside')").format(
                    sql.Literal(file.name), comparison.change(file)
                )
                for file in FILES
            ),
        )
    )
    connection.execute(
        sql.SQL(
            "drop table if exists {0}; create unlogged table {0} (file text, against_sequence integer, unnamed bigint)"
        ).format(table)
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("insert into {} values (%s, %s, %s)").format(table),
            [(file, comparison.sequence, count) for file, count in unnamed.items()],
        )


def was_compared(connection: Connection, delivery: Delivery) -> bool:
    """Whether a delivery's changes were computed, against whatever readers saw then."""
    return is_there(connection, sql.Identifier(delivery.landing_schema, COMPARED))


def stand(connection: Connection, delivery: Delivery) -> bool:
    """Whether what was computed of a delivery's changes is all there, and against what readers see now."""
    compared_with_it = value(
        connection,
        sql.SQL("select count(*) filter (where against_sequence is not distinct from %s) from {}").format(
            sql.Identifier(delivery.landing_schema, COMPARED)
        ),
        (publication_of(connection, delivery.district_id).sequence,),
    )
    return bool(compared_with_it == len(FILES))


def says_what_is_published(connection: Connection, delivery: Delivery) -> bool:
    """Whether a compared delivery adds, changes, removes and leaves out nothing: every row counts, and is published."""
    if not (was_compared(connection, delivery) and stand(connection, delivery)):
        return False
    if any(sent.rows_set_aside or sent.rows_ragged for sent in ledger.files_of(connection, delivery.delivery_id)):
        return False
    changes = (sql.Identifier(delivery.landing_schema, f"change_{file.table_name}") for file in FILES)
    differs = sql.SQL("select {}").format(
        sql.SQL(" or ").join(sql.SQL("exists (select from {})").format(each) for each in changes)
    )
    return not value(connection, differs)


def _write_file(
    connection: Connection, comparison: Comparison, file: File, sent: DeliveryFile | None, former: Former | None
) -> int:
    """What changes of a file; answers how many published versions no row of the delivery names.

    With the former delivery, it is compared by the difference from that.
    """
    drop_relation(connection, comparison.change(file))
    if comparison.sequence is None:
        connection.execute(IN_PARALLEL)
        connection.execute(_all_is_new(comparison, file))
        return 0
    if sent is None:
        connection.execute(nothing_changes(comparison, file))
        return count_published(connection, comparison, file)
    if former:
        _write_touched(connection, comparison, file, former)
        connection.execute("set local enable_nestloop = on")
    records = _touched_records(comparison, file) if former else _all_records(comparison, file)
    connection.execute(_differing(comparison, file, records, is_bulk=sent.mode == "bulk"))
    connection.execute(sql.SQL("analyze {}; set local enable_nestloop = on").format(comparison.differing))
    connection.execute(_filled_in(comparison, file))
    connection.execute(
        sql.SQL("drop table if exists {}, {}, {}; set local enable_nestloop = off").format(
            comparison.differing, comparison.named, comparison.touched
        )
    )
    connection.execute(sql.SQL("analyze {}").format(comparison.change(file)))
    return _count(
        connection,
        sql.SQL("select count(*) from {} where kind in ('absent', 'aside')").format(comparison.change(file))
        if sent.mode == "bulk"
        else _unnamed(comparison, file),
    )


def count_published(connection: Connection, comparison: Comparison, file: File) -> int:
    """How many versions of a file are published."""
    return _count(connection, sql.SQL("select count(*) {}").format(comparison.published(file)))


def _count(connection: Connection, query: sql.Composed) -> int:
    return int(value(connection, query))


def _all_is_new(comparison: Comparison, file: File) -> sql.Composed:
    """A first delivery: all that counts is new. It is written whole: counting, history and audits read every row."""
    return sql.SQL(
        "create unlogged table {change} as select 'added' as kind, null::integer as valid_from_seq, {school} as school,"
        " false as has_ended, {row} {accepted} and not delivered.is_to_be_deleted"
    ).format(
        change=comparison.change(file),
        school=school_of(file, "delivered"),
        row=_row(comparison, file),
        accepted=accepted_rows(
            comparison.delivery,
            file,
            _with_years(comparison, file),
            typed=all_typed(comparison.delivery, file),
        ),
    )


def nothing_changes(comparison: Comparison, file: File) -> sql.Composed:
    """A file that was not sent, or says nothing."""
    return sql.SQL(
        "create unlogged table {change} as select null::text as kind, null::integer as valid_from_seq,"
        " null::text as school, false as has_ended, {row} from {typed} as delivered {years} where false"
    ).format(
        change=comparison.change(file),
        row=_row(comparison, file),
        typed=comparison.typed(file),
        years=_with_years(comparison, file),
    )


@dataclass(frozen=True)
class _Records:
    """What is compared of a file: queries for keys, places and hashes, and for the ids of what is to be deleted."""

    published: sql.Composed
    living: sql.Composed
    tombstones: sql.Composed


def _all_records(comparison: Comparison, file: File) -> _Records:
    """All that is published, and all rows."""
    return _Records(
        _published_hashes(comparison, file),
        sql.SQL("{} and not delivered.is_to_be_deleted").format(_delivered_hashes(comparison, file)),
        _tombstones(comparison, file),
    )


def _touched_records(comparison: Comparison, file: File) -> _Records:
    """Those that can be otherwise, once `_write_touched` has looked for them."""
    return _Records(
        sql.SQL("{} and version.source_id in (select source_id from {})").format(
            _published_hashes(comparison, file), comparison.touched
        ),
        sql.SQL("select * from {} where not is_to_be_deleted").format(comparison.named),
        sql.SQL("select source_id from {} where is_to_be_deleted").format(comparison.named),
    )


def _write_touched(connection: Connection, comparison: Comparison, file: File, former: Former) -> None:
    """Look for the records that can be otherwise, and for the rows that name them."""
    write_touched(connection, comparison.delivery, former, comparison.publication, file)
    connection.execute(
        sql.SQL(
            "create unlogged table {named} as"
            " {delivered} and delivered.source_id in (select source_id from {touched}); analyze {named}"
        ).format(named=comparison.named, delivered=_delivered_hashes(comparison, file), touched=comparison.touched)
    )


def _published_hashes(comparison: Comparison, file: File) -> sql.Composed:
    """A query for the published versions: the key, the beginning, the hash."""
    return sql.SQL("select {key}, version.valid_from_seq, version.row_hash {published}").format(
        key=sql.SQL(", ").join(sql.Identifier("version", name) for name in file.key),
        published=comparison.published(file),
    )


def _delivered_hashes(comparison: Comparison, file: File) -> sql.Composed:
    """A query for the rows that count: the place, the key, the hash, and whether it is to be deleted."""
    return sql.SQL("select delivered._row, {key}, delivered.row_hash, delivered.is_to_be_deleted {accepted}").format(
        key=sql.SQL(", ").join(_key(comparison, file)),
        accepted=comparison.accepted(file, _with_years(comparison, file)),
    )


def _differing(comparison: Comparison, file: File, records: _Records, *, is_bulk: bool) -> sql.Composed:
    """Which records differ: no more than their keys, places and hashes goes through the join.

    A row that says that its record is to be deleted ends what is published under its id, of whatever school year.
    """
    return sql.SQL(
        """
        create unlogged table {differing} as
        select {key}, living._row, published.valid_from_seq,
            case
                when published.row_hash is null then 'added'
                when living.row_hash is not null then 'changed'
                when source_id in ({tombstones}) then 'tobedeleted'
                when source_id in ({ids_set_aside}) then 'aside'
                else 'absent'
            end as kind
        from ({published}) as published
        full join ({living}) as living using ({key})
        where published.row_hash is distinct from living.row_hash
            and ({is_bulk} or living.row_hash is not null or source_id in ({tombstones}))
        """
    ).format(
        differing=comparison.differing,
        key=sql.SQL(", ").join(map(sql.Identifier, file.key)),
        published=records.published,
        living=records.living,
        tombstones=records.tombstones,
        ids_set_aside=comparison.ids_set_aside(file),
        is_bulk=sql.Literal(is_bulk),
    )


def _filled_in(comparison: Comparison, file: File) -> sql.Composed:
    """What differs, with what the versions and the rows say."""
    return sql.SQL(
        """
        create unlogged table {change} as
        select differing.kind, differing.valid_from_seq,
            case when differing.valid_from_seq is null then {delivered_school} else {version_school} end as school,
            coalesce({has_ended}, false) as has_ended,
            {place_and_key}, {attributes}
        from {differing} as differing
        left join (
            select * from {typed} where _row in (select _row from {differing}) {at_once}
        ) as delivered on delivered._row = differing._row
        left join {history} as version
            on version.district_id = {district} and version.valid_from_seq = differing.valid_from_seq and {same_key}
        """
    ).format(
        change=comparison.change(file),
        differing=comparison.differing,
        delivered_school=school_of(file, "delivered"),
        version_school=school_of(file, "version"),
        has_ended=has_ended(comparison, file),
        place_and_key=sql.SQL(", ").join(sql.Identifier("differing", name) for name in ("_row", *file.key)),
        attributes=sql.SQL(", ").join(sql.Identifier("delivered", name) for name in _attributes(file)),
        typed=comparison.typed(file),
        at_once=sql.SQL(AT_ONCE),
        history=history_table(file),
        district=sql.Literal(comparison.delivery.district_id),
        same_key=sql.SQL(" and ").join(
            sql.SQL("version.{0} = differing.{0}").format(sql.Identifier(name)) for name in file.key
        ),
    )


def _unnamed(comparison: Comparison, file: File) -> sql.Composed:
    """How many published versions no row of a delta names, but for rows that are set aside."""
    return sql.SQL(
        """
        select count(*) {published}
            and version.source_id not in ({tombstones})
            and not exists (
                select from (select {key} {accepted} and not delivered.is_to_be_deleted) as named where {same_key}
            )
        """
    ).format(
        published=comparison.published(file),
        tombstones=_tombstones(comparison, file),
        key=sql.SQL(", ").join(_key(comparison, file)),
        accepted=comparison.accepted(file, _with_years(comparison, file)),
        same_key=sql.SQL(" and ").join(
            sql.SQL("named.{0} = version.{0}").format(sql.Identifier(name)) for name in file.key
        ),
    )


def _tombstones(comparison: Comparison, file: File) -> sql.Composed:
    """The ids of the records that the delivery says are to be deleted."""
    return sql.SQL("select delivered.source_id {} and delivered.is_to_be_deleted").format(comparison.accepted(file))


def has_ended(comparison: Comparison, file: File) -> sql.Composable:
    """Whether a version's time was over before the night: all of a class's sessions, or an enrollment's own dates.

    Such records drop out of an export when a term ends, and nobody is to be asked about it.
    """
    night = sql.Literal(comparison.delivery.service_date)
    if file.name == "classes":
        return sql.SQL(
            "coalesce(version.term_source_ids <> '{{}}' and version.term_source_ids <@ ({ended}), false)"
        ).format(ended=_ended_sessions(comparison))
    if file.name == "enrollments":
        classes = FILE_BY_NAME["classes"]
        return sql.SQL(
            "coalesce(version.end_date < {night}, false)"
            " or version.class_source_id in (select version.source_id {classes} and {class_has_ended})"
        ).format(night=night, classes=comparison.published(classes), class_has_ended=has_ended(comparison, classes))
    return sql.SQL("false")


def _ended_sessions(comparison: Comparison) -> sql.Composed:
    """The published sessions whose last day lies before the night, as an array."""
    return sql.SQL(
        "select array_agg(ended.source_id) from ("
        "select version.source_id {sessions} group by 1 having max(version.end_date) < {night}) as ended"
    ).format(
        sessions=comparison.published(FILE_BY_NAME["academicSessions"]),
        night=sql.Literal(comparison.delivery.service_date),
    )


def _with_years(comparison: Comparison, file: File) -> sql.Composable:
    """The join that tells a delivered row's school year, where the file needs one."""
    if file.name == "classes":
        on = "source_id"
    elif file.name == "enrollments":
        on = "class_source_id"
    else:
        return NOTHING
    return sql.SQL("left join {years} as class_year on class_year.source_id = {id}").format(
        years=comparison.table(CLASS_YEARS), id=sql.Identifier("delivered", on)
    )


def _year(comparison: Comparison, file: File) -> sql.Composable:
    """A delivered row's school year, with the join of `_with_years`.

    The subquery runs only for enrollments whose class nobody knows: they keep the year that they were first seen with.
    """
    if file.name == "academicSessions":
        return sql.SQL("delivered.school_year")
    default = sql.Literal(comparison.default_year)
    if comparison.sequence is None or file.name == "classes":
        return sql.SQL("coalesce(class_year.school_year, {})").format(default)
    return sql.SQL(
        "coalesce(class_year.school_year,"
        " (select max(version.school_year) {published} and version.source_id = delivered.source_id), {default})"
    ).format(published=comparison.published(file), default=default)


def _key(comparison: Comparison, file: File) -> list[sql.Composable]:
    """The key of a delivered row."""
    year = sql.SQL("{} as school_year")
    return [
        year.format(_year(comparison, file)) if name == "school_year" else sql.Identifier("delivered", name)
        for name in file.key
    ]


def _row(comparison: Comparison, file: File) -> sql.Composed:
    """A delivered row's place, key and attributes."""
    attributes = (sql.Identifier("delivered", name) for name in _attributes(file))
    return sql.SQL(", ").join([sql.Identifier("delivered", "_row"), *_key(comparison, file), *attributes])


def _attributes(file: File) -> tuple[str, ...]:
    """What a version takes over from a row, besides its key."""
    return (*(column.attribute for column in file.content), "metadata", "row_hash")


def school_of(file: File, alias: str) -> sql.Composable:
    """The school of a record, as an expression by the alias of its version or row."""
    return sql.SQL(f"{alias}.{file.school}" if file.school else "null::text")
