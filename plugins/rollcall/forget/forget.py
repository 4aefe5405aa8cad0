"""Forgetting one person of a district: in the archive, in the ledger, in history; killed anywhere, it is said again.

First a row in the ledger: from then on, a delivery that sends the person again is held. Then what was found about
them, the archive file by file, raw rows; in one transaction history and former ids, by which the person is found again
if it is interrupted before; last what the archive tells of the ledger, whose older versions name former ids.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from psycopg import sql

from rollcall.archive.decisions import remove_older_versions, write_decisions, write_decisions_if_possible
from rollcall.archive.lock import only_one
from rollcall.archive.store import Archive
from rollcall.conform.session import conforming
from rollcall.forget.archived import rewrite_archive
from rollcall.forget.history import enrollments_of, remove_from_history
from rollcall.forget.papers import remove_findings, remove_papers
from rollcall.forget.record import Act, Places, Records, begin, count, counts, finish, unfinished
from rollcall.forgotten import forget_key, require_key
from rollcall.ledger import deliveries_in_state, landing_schema, lock_acceptance
from rollcall.names import shown
from rollcall.progress import tell
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, value, values
from rollcall.who import Person

Kind = Literal["student", "staff", "guardian", "unknown"]
IN_THE_WAY = (DeliveryState.RECEIVED, DeliveryState.HELD, DeliveryState.ACCEPTED)
"""States of a delivery whose raw rows somebody works on, or waits to."""
RAW_ROWS = "schemas of raw rows"

# An id that a person gave a record, or that it had before; and so on, from each to the next.
_KNOWN_AS = """
    with recursive known as (
        select %(id)s::text as id
        union
        select case when renamed.old_id = known.id then renamed.new_id else renamed.old_id end
        from known
        inner join rollcall.rekeyed_record as renamed
            on renamed.file = 'users' and known.id in (renamed.old_id, renamed.new_id)
        inner join rollcall.delivery using (delivery_id)
        where delivery.district_id = %(district)s
    )
    select id from known
"""

# A rekeying that nobody went back from, after which a record began under the id that was given up.
_IDS_OF_ANOTHER = """
    select distinct renamed.old_id
    from history.hist_former_ids as former
    inner join rollcall.rekeying
        on former.district_id = rekeying.district_id and former.valid_from_seq = rekeying.sequence
    inner join rollcall.rekeyed_record as renamed
        on rekeying.delivery_id = renamed.delivery_id
        and former.file = renamed.file and former.source_id = renamed.new_id
    inner join history.hist_users as version
        on former.district_id = version.district_id
        and renamed.old_id = version.source_id and former.valid_from_seq < version.valid_from_seq
    where former.district_id = %s and former.file = 'users' and former.source_id = any(%s)
        and former.end_reason is distinct from 'rolled_back'
"""

_KIND = """
    select case
        when role = 'student' then 'student'
        when role in ('guardian', 'parent', 'relative') then 'guardian'
        else 'staff'
    end
    from history.hist_users
    where district_id = %s and source_id = any(%s) order by valid_from_seq desc limit 1
"""


class CannotForgetError(Exception):
    """Nobody can be forgotten now, or nobody of that id is known; the message says why, and nothing was done."""


@dataclass(frozen=True)
class Forgetting:
    """What a forgetting did, or would do.

    Attributes:
        kind: What the person was.
        ids: The ids that the person was known by.
        removed: How much went from each place.
        forgetting_id: The ledger's row; 0 of a dry run.
        exports: How often the district's roster was taken out of the warehouse: these files are with whoever took them.
    """

    district_id: str
    kind: Kind
    ids: tuple[str, ...]
    removed: dict[str, int] = field(default_factory=dict)
    forgetting_id: int = 0
    exports: int = 0


def forget(district_id: str, source_id: str, *, by: Person, why: str, dry_run: bool = False) -> Forgetting:
    """Forget a person of a district, for good; nothing else of it changes. Waits while a build or a receipt is at work.

    Args:
        district_id: The district.
        source_id: The person's sourcedId, of now or of before.
        by: Who says so.
        why: Why; without the person's name.
        dry_run: Whether it is only counted.

    Raises:
        CannotForgetError: a delivery waits or is in work, or nothing names the id.
        NoForgetKeyError: the key of earlier forgettings is not at hand.
        ArchiveError: the archive refused.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    with only_one(district_id):
        with connect() as connection:
            _require_rest(connection, district_id)
            known, kind = _whom(connection, district_id, source_id)
            key = (forget_key() if dry_run else None) or require_key(connection)
            act = Act(0, district_id, known, key)
            records = _records_of(connection, act)
            is_known = kind != "unknown" or unfinished(connection, act) is not None
            exports = int(
                value(connection, "select count(*) from rollcall.export where district_id = %s", [district_id])
            )
        places = _work(act, records) if dry_run or not is_known else Places()
        if not is_known and not places.removed:
            raise CannotForgetError(f"Nothing of {district_id} names the id. Nothing was done.")
        if not dry_run:
            with connect() as connection:
                act = replace(act, forgetting_id=begin(connection, act, kind, by, why))
            places = _work(act, records)
    return Forgetting(
        district_id, kind, tuple(sorted(known)), dict(sorted(places.removed.items())), act.forgetting_id, exports
    )


def _whom(connection: Connection, district_id: str, source_id: str) -> tuple[frozenset[str], Kind]:
    """Every id that a person is or was known by, and what the person is to the district.

    Raises:
        CannotForgetError: one of the ids is another person's since.
    """
    ids = frozenset(values(connection, _KNOWN_AS, {"id": source_id.strip(), "district": district_id}))
    shared = values(connection, _IDS_OF_ANOTHER, (district_id, sorted(ids)))
    if shared:
        raise CannotForgetError(
            f"The id {shown(shared[0])} was this person's before a rekeying, and is another person's since: in the "
            "archive nobody can tell whose records are whose. Nothing was done."
        )
    return ids, value(connection, _KIND, (district_id, sorted(ids))) or "unknown"


def _require_rest(connection: Connection, district_id: str) -> None:
    """Nobody is at work on the district's raw rows, nor waits to be.

    Raises:
        CannotForgetError: somebody is.
    """
    if not value(connection, "select exists (select from rollcall.district where district_id = %s)", [district_id]):
        raise CannotForgetError(f"The ledger knows no district {district_id!r}; `rollcall status` lists them.")
    waiting = deliveries_in_state(connection, district_id, IN_THE_WAY)
    if waiting:
        raise CannotForgetError(
            f"Delivery {waiting[0].delivery_id} of {district_id} is {waiting[0].state}. Approve or discard it if it is "
            "held, else wait for its end or clear its run; then say it again. Nothing was done."
        )


def _records_of(connection: Connection, act: Act) -> Records:
    """All ids of the person's records that history still tells."""
    of_person = dict.fromkeys(("users", "demographics"), act.ids)
    return Records.of(of_person | {"enrollments": enrollments_of(connection, act.district_id, act.ids)})


def _work(act: Act, records: Records) -> Places:
    """All places, one after the other; of a dry run what would go."""
    tell("findings, receipts, change lists")
    places = _remove_findings(act, records)
    places += remove_papers(act, Archive.of(act.district_id), records)
    places += rewrite_archive(act)
    places += _drop_raw_rows(act)
    tell("history")
    with conforming() as session, session.transaction(force_rollback=act.is_dry_run):
        lock_acceptance(session, act.district_id)
        removed = remove_from_history(session, act, records)
        if act.is_dry_run:
            return places + removed
        count(session, act, removed)
    tell("what was decided, in the archive")
    write_decisions(act.district_id)
    remove_older_versions(Archive.of(act.district_id))
    with connect() as connection:
        finish(connection, act)
        places = counts(connection, act.forgetting_id)
    write_decisions_if_possible([act.district_id])
    return places


def _remove_findings(act: Act, records: Records) -> Places:
    with connect() as connection:
        deliveries = values(
            connection, "select delivery_id from rollcall.delivery where district_id = %s", [act.district_id]
        )
        removed = remove_findings(connection, deliveries, records)
        if act.is_dry_run:
            connection.rollback()
        else:
            files, ids = records.pairs
            connection.execute(
                "update rollcall.delivery_file as sent set last_sourced_id = null"
                " from unnest(%s::text[], %s::text[]) as record (file, id)"
                " where sent.delivery_id = any(%s) and sent.removed_at is not null"
                " and sent.file = record.file and sent.last_sourced_id = record.id",
                (files, ids, deliveries),
            )
            count(connection, act, removed)
    return removed


def _drop_raw_rows(act: Act) -> Places:
    """Drop the raw rows of all the district's deliveries: the next one is judged in full."""
    places = Places()
    with connect() as connection:
        numbers = values(
            connection,
            "select delivery_id from rollcall.delivery inner join pg_namespace on nspname = 'delivery_' || delivery_id"
            " where district_id = %s order by 1",
            [act.district_id],
        )
        places.add(RAW_ROWS, len(numbers))
        if act.is_dry_run:
            return places
        for number in numbers:
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(landing_schema(number))))
        count(connection, act, places)
    return places
