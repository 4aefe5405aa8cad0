"""Files of deliveries in the ledger."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from psycopg.rows import class_row

from rollcall.ledger.rows import ROLLBACK, DeliveryFile
from rollcall.oneroster import MANIFEST
from rollcall.warehouse import Connection

_DELIVERY_FILE = f"select {', '.join(DeliveryFile.__dataclass_fields__)} from rollcall.delivery_file "

# A rollback has no files of its own: what it shows is made of those behind the delivery whose content it has.
_FILES_BEHIND_PUBLICATION = f"""
    with recursive behind as (
        select delivery_id, accepted_sequence, source, same_as_delivery_id
        from rollcall.delivery
        where delivery_id = (select delivery_id from rollcall.publication where district_id = %(district_id)s)
        union all
        select older.delivery_id, older.accepted_sequence, older.source, older.same_as_delivery_id
        from behind
        cross join lateral (
            select * from rollcall.delivery
            where district_id = %(district_id)s and state = 'published'
                and accepted_sequence < behind.accepted_sequence
                and (behind.source <> '{ROLLBACK}' or delivery_id = behind.same_as_delivery_id)
            order by accepted_sequence desc limit 1
        ) as older
    )
    select distinct on (file) {", ".join(f"delivery_file.{name}" for name in DeliveryFile.__dataclass_fields__)}
    from behind
    inner join rollcall.delivery_file using (delivery_id)
    where mode = any(%(modes)s) and rows_landed > 0
    order by file, accepted_sequence desc
"""


def files_behind_publication(
    connection: Connection, district_id: str, modes: Sequence[str] = ("bulk", "delta")
) -> dict[str, DeliveryFile]:
    """Per file, the newest one with records of which what readers of a district see is made.

    Args:
        connection: A connection to the ledger.
        district_id: The district.
        modes: How it must have been sent.
    """
    with connection.cursor(row_factory=class_row(DeliveryFile)) as cursor:
        cursor.execute(_FILES_BEHIND_PUBLICATION, {"district_id": district_id, "modes": list(modes)})
        return {file.file: file for file in cursor.fetchall()}


def files_of(connection: Connection, delivery_id: int) -> list[DeliveryFile]:
    """The files of a delivery."""
    with connection.cursor(row_factory=class_row(DeliveryFile)) as cursor:
        cursor.execute(_DELIVERY_FILE + "where delivery_id = %s order by file", (delivery_id,))
        return cursor.fetchall()


def files_read(connection: Connection, district_id: str, sent_names: Sequence[str]) -> set[tuple[str, int, int]]:
    """Name, size in bytes and time (seconds since 1970) of a district's files of some names that were ever archived."""
    rows = connection.execute(
        """
        select distinct sent_name, size_bytes, extract(epoch from sent_at)::bigint
        from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)
        where district_id = %s and sent_name = any(%s) and sent_at is not null
        """,
        (district_id, list(sent_names)),
    ).fetchall()
    return set(rows)


def files_of_deliveries(
    connection: Connection, district_id: str, delivery_ids: Collection[int]
) -> set[tuple[int, str, int, int]]:
    """Delivery, name, size in bytes and time (seconds since 1970) of the files of some deliveries of a district."""
    rows = connection.execute(
        """
        select delivery_id, sent_name, size_bytes, extract(epoch from sent_at)::bigint
        from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)
        where district_id = %s and delivery_id = any(%s) and sent_at is not null
        """,
        (district_id, list(delivery_ids)),
    ).fetchall()
    return set(rows)


def last_manifest(connection: Connection, district_id: str) -> tuple[int, int] | None:
    """Size in bytes and time (seconds since 1970) of the manifest that came last with a delivery from the inbox."""
    return connection.execute(
        """
        select size_bytes, extract(epoch from sent_at)::bigint
        from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)
        where district_id = %s and source = 'inbox' and file = %s and sent_at is not null
        order by delivery_id desc limit 1
        """,
        (district_id, MANIFEST),
    ).fetchone()


def record_files(connection: Connection, delivery_id: int, files: Sequence[DeliveryFile]) -> None:
    """Write down the files of a delivery, in place of what was there."""
    connection.execute("delete from rollcall.delivery_file where delivery_id = %s", (delivery_id,))
    add_files(connection, [replace(file, delivery_id=delivery_id) for file in files])


def add_files(connection: Connection, files: Sequence[DeliveryFile]) -> None:
    """Write down files of a delivery beside those that are there."""
    for file in files:
        connection.execute(
            """
            insert into rollcall.delivery_file
                (delivery_id, file, sent_name, archive_path, sha256, size_bytes, sent_at, mode)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                file.delivery_id,
                file.file,
                file.sent_name,
                file.archive_path,
                file.sha256,
                file.size_bytes,
                file.sent_at,
                file.mode,
            ),
        )
