"""What was judged already: in which delivery, by which rules, and whether its rows are still there to compare with."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from rollcall import ledger
from rollcall.gate.landed import LandedFile
from rollcall.gate.references import LOOKED_UP
from rollcall.landing.typed import fingerprint, fingerprint_table, reading
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME, FILES, File
from rollcall.suites import DELIVERY_SUITE, suite_path
from rollcall.warehouse import Connection, is_there, value


@dataclass(frozen=True)
class Before:
    """What judgements are taken over from.

    Attributes:
        delivery: The delivery.
        files: The files of which they are, by the standard's names.
    """

    delivery: Delivery
    files: frozenset[str]


def rule_book(file: File) -> str:
    """A hash of what decides what is said of a file's rows: its rules, those among files, how cells are read."""
    said = hashlib.sha256()
    for suite in (file.name, DELIVERY_SUITE):
        said.update(suite_path(suite).read_bytes())
    said.update(reading(file).as_string(None).encode())
    said.update(fingerprint(file).as_string(None).encode())
    said.update(repr(LOOKED_UP).encode())
    return said.hexdigest()


def judged_before(connection: Connection, delivery: Delivery, landed: LandedFile) -> Delivery | None:
    """The delivery of which a file's judgements can be taken over: the one that readers see.

    None where everything is to be judged: on a first delivery, where rules or readings are others now, where the file
    was sent in another way or holds nothing, after a rollback, and where its rows are gone.

    Args:
        connection: A transaction in the ledger.
        delivery: The delivery that is judged now.
        landed: Its file.
    """
    if landed.file not in FILES or not landed.rows:
        return None
    found = value(
        connection,
        """
        select file.delivery_id
        from rollcall.publication
        inner join rollcall.delivery_file as file using (delivery_id)
        where publication.district_id = %(district)s and delivery_id <> %(delivery)s
            and file.file = %(file)s and file.mode = %(mode)s
            and file.gated = 'together' and file.verdict <> 'reject' and file.rule_book = %(rule_book)s
            and not exists (
                select from rollcall.delivery as later
                where later.district_id = publication.district_id and later.delivery_id <> %(delivery)s
                    and later.accepted_sequence > publication.sequence
            )
        """,
        {
            "district": delivery.district_id,
            "delivery": delivery.delivery_id,
            "file": landed.file.name,
            "mode": landed.mode,
            "rule_book": rule_book(landed.file),
        },
    )
    before = ledger.delivery(connection, found) if found else None
    return before if before and _are_there(connection, (before, delivery), landed.file) else None


def judged_since(connection: Connection, delivery: Delivery) -> Before | None:
    """What judgements were taken over from, and still can be; None where everything is to be judged.

    It is one delivery for all files. Where one was judged again after another publication, the older does not count.

    Args:
        connection: A transaction in the ledger.
        delivery: The delivery that is judged now, each of its files alone already.
    """
    rows = connection.execute(
        "select file, judged_since from rollcall.delivery_file where delivery_id = %s and judged_since is not null",
        (delivery.delivery_id,),
    ).fetchall()
    if not rows:
        return None
    latest = ledger.delivery(connection, max(since for _, since in rows))
    names = [name for name, since in rows if since == latest.delivery_id]
    there = [name for name in names if _are_there(connection, (latest, delivery), FILE_BY_NAME[name])]
    return Before(latest, frozenset(there)) if there else None


def _are_there(connection: Connection, deliveries: Iterable[Delivery], file: File) -> bool:
    """Whether the rows of deliveries' file, as they were read, are all there still."""
    return all(_is_there(connection, each, file) for each in deliveries)


def _is_there(connection: Connection, delivery: Delivery, file: File) -> bool:
    """Whether a delivery's rows of a file, as they were read, are all there still."""
    fingerprints = fingerprint_table(delivery, file)
    if not is_there(connection, fingerprints):
        return False
    expected = value(
        connection,
        "select rows_landed - coalesce(rows_ragged, 0) from rollcall.delivery_file"
        " where delivery_id = %s and file = %s",
        (delivery.delivery_id, file.name),
    )
    return bool(value(connection, sql.SQL("select count(*) from {}").format(fingerprints)) == expected)
