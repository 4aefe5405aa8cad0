"""The safeguards: what a delivery would remove, per file and per school, against what is published."""

from psycopg import sql

from rollcall import ledger
from rollcall.codes import message_of
from rollcall.decision.reasons import Reason
from rollcall.districts import Limit, Limits
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection

SCHOOL_OF: dict[str, str] = {
    "classes": "school_source_id",
    "enrollments": "school_source_id",
    "users": "org_source_ids[1]",
}
"""For each file whose records belong to a school: where the history says which."""


def _over_limit(code: str, verb: str, file: str, school_id: str | None, count: int, of: int, limit: Limit) -> Reason:
    """A reason with counts."""
    where = f" of school {school_id}" if school_id else ""
    share = 100 * count / of if of else 100.0
    sentence = f"{file}{where}: {count:,} of {of:,} records {verb} ({share:.1f} %, the limit is {limit.percent:g} %)."
    return Reason(code, sentence, file, school_id, count, of, limit.percent)


def set_aside_over_limit(files: list[DeliveryFile], limits: Limits) -> list[Reason]:
    """The files that the gate wants held; files whose rows are all fine are not among them."""
    return [
        _over_limit(
            "hold_set_aside",
            "were set aside",
            file.file,
            None,
            file.rows_set_aside or 0,
            file.rows_landed or 0,
            limits.of("set_aside", file.file),
        )
        for file in files
        if file.verdict == "hold"
    ]


def of_two_nights(connection: Connection, delivery: Delivery) -> list[Reason]:
    """The files that arrival found to be so much older than the newest that they may be of another night."""
    rows = connection.execute(
        "select file from rollcall.check_result where delivery_id = %s and code = 'files_of_two_nights' order by file",
        (delivery.delivery_id,),
    ).fetchall()
    if not rows:
        return []
    names = ", ".join(f"{file}.csv" for (file,) in rows)
    return [Reason("hold_two_nights", f"{message_of('hold_two_nights')} Old: {names}.")]


def removals_over_limit(
    connection: Connection, delivery: Delivery, files: list[DeliveryFile], limits: Limits
) -> list[Reason]:
    """Where the delivery no longer names more of the published records than is ordinary.

    Every published record counts that the file marks for deletion, or that a bulk file does not name, whether or not
    its absence would be believed. A file that was not sent, or holds a header only, names nothing and removes nothing.
    """
    reasons: list[Reason] = []
    if ledger.published_delivery(connection, delivery.district_id) is None:
        return reasons
    for file in files:
        if file.file in FILE_BY_NAME and file.rows_landed:
            reasons += _removed_from(connection, delivery, file, limits.removed)
    return reasons


def _removed_from(connection: Connection, delivery: Delivery, sent: DeliveryFile, limit: Limit) -> list[Reason]:
    """The district as a whole first; schools only where the district as a whole is within its limit."""
    file = sent.file
    table = FILE_BY_NAME[file].table_name
    school = sql.SQL(SCHOOL_OF.get(file, "null"))
    rows = connection.execute(
        sql.SQL(
            """
            select published.school_source_id, count(*),
                count(*) filter (where coalesce(delivered.is_to_be_deleted, %s))
            from (
                select hist.source_id, {school}::text as school_source_id
                from history.{history} as hist
                inner join rollcall.publication
                    on publication.district_id = hist.district_id
                    and hist.valid_from_seq <= publication.sequence
                    and (hist.valid_to_seq is null or hist.valid_to_seq > publication.sequence)
                where hist.district_id = %s
            ) as published
            left join (
                select btrim(sourced_id) as source_id,
                    bool_and(coalesce(lower(btrim(status)) in ('tobedeleted', 'inactive'), false)) as is_to_be_deleted
                from {delivered} group by 1
            ) as delivered on delivered.source_id = published.source_id
            group by published.school_source_id
            """
        ).format(
            school=school,
            history=sql.Identifier(f"hist_{table}"),
            delivered=sql.Identifier(delivery.landing_schema, table),
        ),
        (sent.mode == "bulk", delivery.district_id),
    ).fetchall()
    counts = [(str(key) if key is not None else None, int(str(of)), int(str(gone))) for key, of, gone in rows]
    total, gone = sum(of for _, of, _ in counts), sum(gone for _, _, gone in counts)
    if limit.exceeded(gone, total):
        return [_over_limit("hold_removed", "would be removed", file, None, gone, total, limit)]
    return [
        _over_limit("hold_removed", "would be removed", file, school_id, gone, of, limit)
        for school_id, of, gone in sorted(counts, key=lambda row: row[0] or "")
        if school_id is not None and limit.exceeded(gone, of)
    ]
