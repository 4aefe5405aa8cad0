"""Which records differ between a delivery and what its district has published: the queries of `changes`."""

from dataclasses import dataclass

from psycopg import sql

from rollcall.decision.comparison import Comparison, attributes_of, has_ended, key_of, row_of, school_of, with_years
from rollcall.landing.typed import AT_ONCE, accepted_rows, all_typed
from rollcall.oneroster import File
from rollcall.published import history_table


def all_is_new(comparison: Comparison, file: File) -> sql.Composed:
    """A first delivery: all that counts is new. It is written whole: counting, history and audits read every row."""
    return sql.SQL(
        "create unlogged table {change} as select 'added' as kind, null::integer as valid_from_seq, {school} as school,"
        " false as has_ended, {row} {accepted} and not delivered.is_to_be_deleted"
    ).format(
        change=comparison.change(file),
        school=school_of(file, "delivered"),
        row=row_of(comparison, file),
        accepted=accepted_rows(
            comparison.delivery,
            file,
            with_years(comparison, file),
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
        row=row_of(comparison, file),
        typed=comparison.typed(file),
        years=with_years(comparison, file),
    )


@dataclass(frozen=True)
class Records:
    """What is compared of a file: queries for keys, places and hashes, and for the ids of what is to be deleted."""

    published: sql.Composed
    living: sql.Composed
    tombstones: sql.Composed


def all_records(comparison: Comparison, file: File) -> Records:
    """All that is published, and all rows."""
    return Records(
        _published_hashes(comparison, file),
        sql.SQL("{} and not delivered.is_to_be_deleted").format(delivered_hashes(comparison, file)),
        _tombstones(comparison, file),
    )


def touched_records(comparison: Comparison, file: File) -> Records:
    """Those that can be otherwise, once `rollcall.decision.changes` has looked for them."""
    return Records(
        sql.SQL("{} and version.source_id in (select source_id from {})").format(
            _published_hashes(comparison, file), comparison.touched
        ),
        sql.SQL("select * from {} where not is_to_be_deleted").format(comparison.named),
        sql.SQL("select source_id from {} where is_to_be_deleted").format(comparison.named),
    )


def _published_hashes(comparison: Comparison, file: File) -> sql.Composed:
    """A query for the published versions: the key, the beginning, the hash."""
    return sql.SQL("select {key}, version.valid_from_seq, version.row_hash {published}").format(
        key=sql.SQL(", ").join(sql.Identifier("version", name) for name in file.key),
        published=comparison.published(file),
    )


def delivered_hashes(comparison: Comparison, file: File) -> sql.Composed:
    """A query for the rows that count: the place, the key, the hash, and whether it is to be deleted."""
    return sql.SQL("select delivered._row, {key}, delivered.row_hash, delivered.is_to_be_deleted {accepted}").format(
        key=sql.SQL(", ").join(key_of(comparison, file)),
        accepted=comparison.accepted(file, with_years(comparison, file)),
    )


def differing_records(comparison: Comparison, file: File, records: Records, *, is_bulk: bool) -> sql.Composed:
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


def filled_in(comparison: Comparison, file: File) -> sql.Composed:
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
        attributes=sql.SQL(", ").join(sql.Identifier("delivered", name) for name in attributes_of(file)),
        typed=comparison.typed(file),
        at_once=sql.SQL(AT_ONCE),
        history=history_table(file),
        district=sql.Literal(comparison.delivery.district_id),
        same_key=sql.SQL(" and ").join(
            sql.SQL("version.{0} = differing.{0}").format(sql.Identifier(name)) for name in file.key
        ),
    )


def unnamed(comparison: Comparison, file: File) -> sql.Composed:
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
        key=sql.SQL(", ").join(key_of(comparison, file)),
        accepted=comparison.accepted(file, with_years(comparison, file)),
        same_key=sql.SQL(" and ").join(
            sql.SQL("named.{0} = version.{0}").format(sql.Identifier(name)) for name in file.key
        ),
    )


def _tombstones(comparison: Comparison, file: File) -> sql.Composed:
    """The ids of the records that the delivery says are to be deleted."""
    return sql.SQL("select delivered.source_id {} and delivered.is_to_be_deleted").format(comparison.accepted(file))
