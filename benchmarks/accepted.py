"""Accepted deliveries without the judging: archived and landed as always, then accepted by a stroke of the pen."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import psycopg

from benchmarks.stack import BenchStack
from rollcall.districts import District
from rollcall.oneroster import FILE_BY_NAME, LANDED_FILES

NAMED_BY_NOBODY = ("enrollments", "demographics")
"""Files whose records can be set aside and leave no other without what it names."""


def accept_folder(
    stack: BenchStack, district: District, folder: Path, service_date: date, *, every_aside: int = 0
) -> int:
    """Put a folder in by hand, as ``rollcall inject`` does, land it, and accept it ungated.

    Args:
        stack: The stack.
        district: Whose files they are.
        folder: The files.
        service_date: Their night.
        every_aside: Every such record that no other names is set aside; 0 for none.

    Returns:
        The delivery.
    """
    from rollcall.archive.injected import SOURCE, keep_injected
    from rollcall.archive.store import Archive
    from rollcall.decision.acceptance import accept
    from rollcall.landing import land_files
    from rollcall.steps import receive
    from rollcall.who import person

    source = SOURCE + keep_injected(Archive.of(district.district_id), folder, district.upload, by=person("benchmark"))
    receipt = receive(
        district,
        stack.account(district.district_id),
        service_date=service_date,
        run_id=f"bench__{service_date}",
        source=source,
    )
    delivery_id = receipt.delivery.delivery_id
    land_files(delivery_id, receipt.files)
    with psycopg.connect(stack.url) as connection:
        connection.execute(
            "update rollcall.delivery_file set verdict = 'accept', rows_set_aside = 0, gated = 'together'"
            " where delivery_id = %s",
            (delivery_id,),
        )
        for name in NAMED_BY_NOBODY if every_aside else ():
            _set_aside(connection, delivery_id, name, every_aside)
        connection.execute("update rollcall.delivery set decided_at = now() where delivery_id = %s", (delivery_id,))
    _compare(stack, delivery_id)
    accept(delivery_id)
    return delivery_id


def _set_aside(
    connection: "psycopg.Connection[tuple[object, ...]]", delivery_id: int, name: str, every_aside: int
) -> None:
    """Set every such record of a file aside, as the gate would."""
    schema, table = f"delivery_{delivery_id}", FILE_BY_NAME[name].table_name
    connection.execute("set local role rollcall_loader")
    aside = connection.execute(
        f"insert into {schema}.row_set_aside (file, code, row_number, sourced_id)"
        f" select %s, 'benchmark', _row, sourced_id from {schema}.{table} where _row %% %s = 0",
        (name, every_aside),
    )
    connection.execute(
        "update rollcall.delivery_file set rows_set_aside = %s where delivery_id = %s and file = %s",
        (aside.rowcount, delivery_id, name),
    )
    connection.execute("reset role")


def copy_accepted(stack: BenchStack, delivery_id: int, district_ids: Sequence[str]) -> None:
    """Give districts an accepted delivery equal to one that there is: its rows in the ledger, its landed tables."""
    with psycopg.connect(stack.url) as connection:
        connection.execute("set role rollcall_loader")
        copies = [_copy(connection, delivery_id, district_id) for district_id in district_ids]
    for copy in copies:
        _compare(stack, copy)


def _compare(stack: BenchStack, delivery_id: int) -> None:
    """Compute what a delivery changes, as ``decide`` does before anything is accepted."""
    from rollcall import ledger
    from rollcall.decision.changes import write_changes
    from rollcall.warehouse import connect

    with connect(stack.url) as connection:
        write_changes(connection, ledger.delivery(connection, delivery_id))


def _copy(connection: "psycopg.Connection[tuple[object, ...]]", delivery_id: int, district_id: str) -> int:
    connection.execute(
        "insert into rollcall.district (district_id, name) values (%s, %s) on conflict do nothing",
        (district_id, f"District {district_id}"),
    )
    row = connection.execute(
        """
        insert into rollcall.delivery (district_id, service_date, run_id, state, content_hash, packaging, decided_at,
            accepted_at, accepted_sequence)
        select %s, service_date, run_id, 'accepted', content_hash, packaging, now(), now(), accepted_sequence
        from rollcall.delivery where delivery_id = %s
        returning delivery_id
        """,
        (district_id, delivery_id),
    ).fetchone()
    assert row is not None
    connection.execute(
        """
        insert into rollcall.delivery_file (delivery_id, file, sent_name, archive_path, sha256, size_bytes, mode,
            encoding, rows_landed, rows_ragged, rows_set_aside, verdict, absence_is_evidence, gated)
        select %s, file, sent_name, archive_path, sha256, size_bytes, mode, encoding, rows_landed, rows_ragged,
            rows_set_aside, verdict, absence_is_evidence, gated
        from rollcall.delivery_file where delivery_id = %s
        """,
        (row[0], delivery_id),
    )
    schema, original = f"delivery_{row[0]}", f"delivery_{delivery_id}"
    connection.execute(f"create schema {schema}")
    for table in ("ragged_row", "row_set_aside", *(file.table_name for file in LANDED_FILES)):
        connection.execute(f"create unlogged table {schema}.{table} (like {original}.{table})")
        connection.execute(f"insert into {schema}.{table} select * from {original}.{table}")
    return int(str(row[0]))
