"""What other ids change: the relations ``change_<file>`` of what `rollcall.decision.rekey.accept` records.

Nothing but ids changes, of records and in what names them: the build ends these versions and begins them anew.
"""

from psycopg import sql

from rollcall.decision.changes import AS_EVER, PLANNING, count_published, record_comparison
from rollcall.decision.comparison import Comparison, school_of
from rollcall.decision.differing import nothing_changes
from rollcall.decision.school_years import school_year_of, write_class_years
from rollcall.landing.schema import drop_relation, make_schema
from rollcall.landing.typed import make_missing_typed, row_hash
from rollcall.ledger import Delivery
from rollcall.oneroster import FILES, Column, File
from rollcall.published import publication_of
from rollcall.warehouse import Connection


def write_rekeyed(connection: Connection, delivery: Delivery) -> None:
    """Work out what the ids of ``rollcall.rekeyed_record`` change of what a district's readers see now.

    Leaves what `rollcall.decision.changes.write_changes` leaves. A record that gets another id has two rows:
    ``rekeyed`` ends its version, ``changed`` without a version begins the one under the new id.

    Args:
        connection: A transaction with the rights of landing.
        delivery: The ledger's row of the rekeying.
    """
    make_schema(connection, delivery)
    connection.execute(PLANNING)
    make_missing_typed(connection, delivery)
    publication = publication_of(connection, delivery.district_id)
    comparison = Comparison(delivery, publication, school_year_of(delivery.service_date, ()))
    write_class_years(connection, delivery, publication, comparison.default_year)
    published = {}
    for file in FILES:
        drop_relation(connection, comparison.change(file))
        connection.execute(nothing_changes(comparison, file))
        connection.execute(_under_new_ids(comparison, file))
        published[file.name] = count_published(connection, comparison, file)
    record_comparison(connection, comparison, published)
    connection.execute(AS_EVER)


def _under_new_ids(comparison: Comparison, file: File) -> sql.Composed:
    """Fill ``change_<file>``."""
    attributes = [*(column.attribute for column in file.content), "metadata"]
    further_key = [name for name in file.key if name != "source_id"]
    return sql.SQL(
        """
        insert into {change} (kind, valid_from_seq, school, has_ended, source_id, {columns}, row_hash)
        with renamed as (
            select version.valid_from_seq, version.source_id as former_id, version.row_hash as former_hash,
                {own_id} as source_id, {renamed}
            {published}
        ),
        hashed as (select *, {row_hash} as row_hash from renamed)
        select 'rekeyed', valid_from_seq, {school}, false, former_id, {key_alone}, null
        from hashed where source_id <> former_id
        union all
        select 'changed', case when source_id = former_id then valid_from_seq end, {school}, false, source_id,
            {columns}, row_hash
        from hashed where source_id <> former_id or row_hash <> former_hash
        """
    ).format(
        change=comparison.change(file),
        columns=sql.SQL(", ").join(map(sql.Identifier, [*further_key, *attributes])),
        own_id=_new_id(comparison, file.owner_of_ids, sql.SQL("version.source_id")),
        renamed=sql.SQL(", ").join(
            [
                *(sql.Identifier("version", name) for name in further_key),
                *(_renamed(comparison, file, column) for column in file.content),
                sql.SQL("version.metadata"),
            ]
        ),
        published=comparison.published(file),
        row_hash=row_hash(file),
        school=school_of(file, "hashed"),
        key_alone=sql.SQL(", ").join([*map(sql.Identifier, further_key), *[sql.SQL("null")] * len(attributes)]),
    )


def _renamed(comparison: Comparison, file: File, column: Column) -> sql.Composable:
    """An attribute of a version, with the new ids of the records that it names."""
    attribute, named = sql.Identifier("version", column.attribute), file.named_by(column)
    if named is None:
        return attribute
    if column.kind == "id":
        return sql.SQL("{} as {}").format(_new_id(comparison, named, attribute), sql.Identifier(column.attribute))
    return sql.SQL(
        "case when {ids} is not null then array("
        "select {new_id} from unnest({ids}) with ordinality as each (id, place) order by place) end as {name}"
    ).format(
        ids=attribute, new_id=_new_id(comparison, named, sql.SQL("each.id")), name=sql.Identifier(column.attribute)
    )


def _new_id(comparison: Comparison, file_name: str, source_id: sql.Composable) -> sql.Composed:
    """The id that a record has from now on."""
    return sql.SQL(
        "coalesce((select rekeyed.new_id from rollcall.rekeyed_record as rekeyed where rekeyed.delivery_id = {delivery}"
        " and rekeyed.file = {file} and rekeyed.old_id = {id}), {id})"
    ).format(delivery=sql.Literal(comparison.delivery.delivery_id), file=sql.Literal(file_name), id=source_id)
