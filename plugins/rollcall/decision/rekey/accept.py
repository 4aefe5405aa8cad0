"""Giving a district's records other ids, because a person says which: after a change of its system, say.

The new ids are a publication of their own, which `conform` builds from what is published
(`rollcall.decision.rekey.differences`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from rollcall.decision.rekey.id_map import KINDS, CannotRekeyError, NewId, findings, require_none
from rollcall.ledger import REKEY, deliveries_in_state, lock_acceptance
from rollcall.oneroster import FILE_BY_NAME
from rollcall.published import Publication, publication_of
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, values
from rollcall.who import Person


@dataclass(frozen=True)
class Rekeying:
    """What is accepted, and built next.

    Attributes:
        delivery_id: The ledger's row for the publication.
        sequence: Its sequence.
        from_sequence: The one that readers see until then.
        records: How many records of each file get another id.
        skipped: How many lines of the map were left out, for no published record has the old id.
    """

    district_id: str
    delivery_id: int
    sequence: int
    from_sequence: int
    records: dict[str, int]
    skipped: int


def rekey(district_id: str, new_ids: Sequence[NewId], *, by: Person, why: str, skip_unknown: bool = False) -> Rekeying:
    """Accept a publication in which records have other ids; killed, it leaves nothing.

    Args:
        district_id: The district.
        new_ids: Which records, and the ids that they get.
        by: Who says so.
        why: Why.
        skip_unknown: Whether ids that no published record has are left out, rather than refused.

    Raises:
        CannotRekeyError: nothing is published, an accepted delivery waits, or the ids contradict what is published.
    """
    with connect() as connection:
        lock_acceptance(connection, district_id)
        publication = _require_published(connection, district_id)
        _write_map(connection, new_ids)
        skipped = _leave_out_unknown(connection, publication) if skip_unknown else 0
        require_none(_contradictions(connection, publication))
        records = dict(connection.execute("select file, count(*) from new_id group by 1 order by 1").fetchall())
        if not records:
            raise CannotRekeyError("The map gives no published record another id.")
        delivery_id, sequence = _record(connection, publication, by, why)
    return Rekeying(district_id, delivery_id, sequence, publication.sequence or 0, records, skipped)


def _require_published(connection: Connection, district_id: str) -> Publication:
    publication = publication_of(connection, district_id)
    if publication.sequence is None:
        raise CannotRekeyError(f"Nothing of {district_id} is published: there is no id to change.")
    waiting = deliveries_in_state(connection, district_id, [DeliveryState.ACCEPTED])
    if waiting:
        raise CannotRekeyError(
            f"Delivery {waiting[0].delivery_id} of {district_id} is accepted and waits for its build. Wait until "
            "`rollcall status` says how that ended, then say it again."
        )
    return publication


def _write_map(connection: Connection, new_ids: Iterable[NewId]) -> None:
    """Bring the map to the warehouse, for this transaction."""
    connection.execute("create temporary table new_id (file text, old_id text, new_id text) on commit drop")
    with connection.cursor() as cursor, cursor.copy("copy new_id from stdin") as copy:
        for each in new_ids:
            copy.write_row((each.file, each.old_id, each.new_id))
    connection.execute("analyze new_id")


def _leave_out_unknown(connection: Connection, publication: Publication) -> int:
    """Leave out the lines whose old id no published record has; how many."""
    return sum(
        connection.execute(
            sql.SQL("delete from new_id where file = {} and old_id not in ({})").format(
                sql.Literal(file), _published_ids(publication, file)
            )
        ).rowcount
        for file in KINDS
    )


def _contradictions(connection: Connection, publication: Publication) -> Iterator[str]:
    """Old ids that no published record has, and new ones that another one has."""
    for file in KINDS:
        parts = (sql.Literal(file), _published_ids(publication, file))
        unknown = sql.SQL("select old_id from new_id where file = {} and old_id not in ({})").format(*parts)
        taken = sql.SQL("select new_id from new_id where file = {} and new_id in ({})").format(*parts)
        yield from findings(file, "old ids are not published", values(connection, unknown))
        yield from findings(file, "new ids are those of other published records", values(connection, taken))


def _published_ids(publication: Publication, file: str) -> sql.Composed:
    return publication.select(FILE_BY_NAME[file], source_id="version.source_id")


# It stands for the night of what it takes the place of, and is as old: no delivery that waits is overtaken by it.
_RECORD = """
    with accepted as (
        insert into rollcall.delivery (
            district_id, service_date, run_id, source, state, state_reason, arrived_at, same_as_delivery_id, decided_at,
            accepted_at, accepted_sequence
        )
        select
            former.district_id, %(night)s, 'rekey__' || gen_random_uuid(), %(source)s, 'accepted', %(reason)s,
            former.arrived_at, former.delivery_id, now(), now(),
            (select 1 + max(accepted_sequence) from rollcall.delivery where district_id = former.district_id)
        from rollcall.delivery as former
        where former.delivery_id = %(former)s
        returning delivery_id, district_id, accepted_sequence
    ),
    renamed as (
        insert into rollcall.rekeyed_record (delivery_id, file, old_id, new_id)
        select delivery_id, file, old_id, new_id from accepted cross join new_id
    )
    insert into rollcall.rekeying (delivery_id, district_id, sequence, from_sequence, rekeyed_by, login, why)
    select delivery_id, district_id, accepted_sequence, %(from)s, %(by)s, %(login)s, %(why)s from accepted
    returning delivery_id, sequence
"""


def _record(connection: Connection, publication: Publication, by: Person, why: str) -> tuple[int, int]:
    """The ledger's rows: a delivery that nobody sent, its map, and who did it and why; its number and sequence."""
    row = connection.execute(
        _RECORD,
        {
            "night": publication.night,
            "source": REKEY,
            "reason": f"Other ids, by {by.name}: {why}",
            "former": publication.delivery_id,
            "from": publication.sequence,
            "by": by.name,
            "login": by.login,
            "why": why,
        },
    ).fetchone()
    if row is None:
        raise CannotRekeyError(f"The ledger has no delivery {publication.delivery_id}, which is published.")
    return int(row[0]), int(row[1])
