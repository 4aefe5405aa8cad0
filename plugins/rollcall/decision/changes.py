"""What a delivery changes, computed once: a relation ``change_<file>`` per file in the delivery's own schema.

The forecast counts it, the safeguards judge it, and conform applies it. It holds against one published sequence; where
another one was published since, it is computed anew (`stand`).
"""

from psycopg import sql

from rollcall import ledger
from rollcall.decision import differing
from rollcall.decision.comparison import Comparison
from rollcall.decision.school_years import own_sessions, school_year_of, write_class_years
from rollcall.decision.touched import UNNAMED, Former, former_delivery, write_touched
from rollcall.landing.schema import drop_relation
from rollcall.landing.typed import COMPARED, make_missing_typed
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import FILES, File
from rollcall.published import publication_of
from rollcall.warehouse import Connection, is_there, value

PLANNING = "set local work_mem = '96MB'; set local enable_nestloop = off; set local jit = off"
"""Deliveries are looked through whole: a nested loop is always a misjudgment. Undone by `AS_EVER`."""
IN_PARALLEL = "set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0"
"""For what reads every cell of a file: PostgreSQL takes reading for cheaper than handing the rows to another process.
Undone by `AS_EVER`."""
AS_EVER = "reset work_mem; reset enable_nestloop; reset jit; reset parallel_setup_cost; reset parallel_tuple_cost"


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
        connection.execute(differing.all_is_new(comparison, file))
        return 0
    if sent is None:
        connection.execute(differing.nothing_changes(comparison, file))
        return count_published(connection, comparison, file)
    if former:
        _write_touched(connection, comparison, file, former)
        connection.execute("set local enable_nestloop = on")
    records = differing.touched_records(comparison, file) if former else differing.all_records(comparison, file)
    connection.execute(differing.differing_records(comparison, file, records, is_bulk=sent.mode == "bulk"))
    connection.execute(sql.SQL("analyze {}; set local enable_nestloop = on").format(comparison.differing))
    connection.execute(differing.filled_in(comparison, file))
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
        else differing.unnamed(comparison, file),
    )


def _write_touched(connection: Connection, comparison: Comparison, file: File, former: Former) -> None:
    """Look for the records that can be otherwise, and for the rows that name them."""
    write_touched(connection, comparison.delivery, former, comparison.publication, file)
    connection.execute(
        sql.SQL(
            "create unlogged table {named} as"
            " {delivered} and delivered.source_id in (select source_id from {touched}); analyze {named}"
        ).format(
            named=comparison.named, delivered=differing.delivered_hashes(comparison, file), touched=comparison.touched
        )
    )


def count_published(connection: Connection, comparison: Comparison, file: File) -> int:
    """How many versions of a file are published."""
    return _count(connection, sql.SQL("select count(*) {}").format(comparison.published(file)))


def _count(connection: Connection, query: sql.Composed) -> int:
    return int(value(connection, query))
