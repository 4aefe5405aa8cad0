"""Going back: a new publication with the content of an earlier one, because a person says so (law 10)."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

from psycopg import sql

from rollcall.archive.decisions import write_decisions_if_possible
from rollcall.conform.history import FORMER_IDS, RECORD_TABLES, WORKED_OUT_TABLES
from rollcall.conform.night_correction import move_night, night_before, nights_to_come
from rollcall.conform.session import conforming
from rollcall.ledger import ROLLBACK, deliveries_in_state, lock_acceptance
from rollcall.nights import come_everywhere, has_come
from rollcall.oneroster import FILES
from rollcall.pointer import publish
from rollcall.progress import tell
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, value, values
from rollcall.who import Person

BOUNDS = ("valid_from_seq", "valid_to_seq", "end_reason", "ended_on")
"""What a history table says of a version; all its other columns are of the record."""

KEY = ("file", "source_id", "school_year", "enrollment_end_date", "counts_from", "double_source_id")
"""What tells a district's records apart, as far as the table has it (law 9)."""

WORK_MEMORY = "96MB"

_PRESENT = """
    select district.district_id, publication.sequence, publication.effective_date
    from rollcall.district
    left join rollcall.publication on district.district_id = publication.district_id
    where district.district_id = %s
"""

_PUBLISHED_BEFORE = """
    select distinct sequence from rollcall.publication_event
    where district_id = %s and sequence < %s order by sequence desc
"""

_RECORD = """
    with opened as (
        insert into rollcall.delivery (
            district_id, service_date, run_id, source, state, state_reason, content_hash, same_as_delivery_id,
            decided_at, accepted_at, accepted_sequence
        )
        select
            former.district_id, %(night)s, 'rollback__' || gen_random_uuid(), %(source)s, 'accepted', %(reason)s,
            former.content_hash, former.delivery_id, now(), now(), %(sequence)s
        from rollcall.delivery as former
        where former.district_id = %(district)s and former.accepted_sequence = %(to)s
        returning delivery_id
    )
    insert into rollcall.rollback (
        district_id, delivery_id, sequence, from_sequence, to_sequence, rolled_back_by, login, why
    )
    select %(district)s, opened.delivery_id, %(sequence)s, %(from)s, %(to)s, %(by)s, %(login)s, %(why)s
    from opened
    returning delivery_id
"""

_COMPARE = """
    create temporary table restoration on commit drop as
    select former.ctid as former_version, later.ctid as later_version
    from (
        select ctid, {key}, row_hash from {table}
        where district_id = {district} and valid_from_seq <= {to} and valid_to_seq > {to}
    ) as former
    full join (
        select ctid, {key}, row_hash from {table}
        where district_id = {district} and valid_from_seq > {to} and valid_to_seq is null
    ) as later using ({key})
    where former.row_hash is distinct from later.row_hash;
    analyze restoration
"""

_CLOSE = """
    update {table} as version
    set valid_to_seq = {sequence}, end_reason = 'rolled_back', ended_on = {night}
    from restoration where version.ctid = restoration.later_version
"""

_INSERT = """
    insert into {table} (valid_from_seq, {columns})
    select {sequence}, {columns}
    from {table} as version inner join restoration on version.ctid = restoration.former_version
"""


class CannotRollBackError(Exception):
    """There is nothing to go back to, or not now; the message says why."""


@dataclass(frozen=True)
class Restored:
    """How many records of one file a rollback gave back, changed back, and took away."""

    added: int
    changed: int
    removed: int


@dataclass(frozen=True)
class Rollback:
    """What a rollback did.

    Attributes:
        delivery_id: The ledger's row for the new publication.
        sequence: What readers see now.
        from_sequence: What they saw before.
        to_sequence: Whose content it is.
        effective_date: The night that the publication stands for: as before, or, where that had not come, the last
            one that had.
        given_up: The night that had not come.
        changes: By the standard's file names, those that differ.
    """

    district_id: str
    delivery_id: int
    sequence: int
    from_sequence: int
    to_sequence: int
    effective_date: date
    given_up: date | None
    changes: dict[str, Restored]


def roll_back(district_id: str, *, to: int | None, by: Person, why: str) -> Rollback:
    """Publish a new sequence with the content of an earlier one, in one transaction.

    Costs what was touched since, not what there is. Waits while a build is at work. Killed, it leaves nothing.

    Args:
        district_id: The district.
        to: The published sequence whose content is wanted; when not given, the last one of another content.
        by: Who goes back.
        why: Why.

    Raises:
        CannotRollBackError: there is no such district or publication, or an accepted delivery waits to be built.
        WarehouseError: the warehouse cannot be reached or went away.
    """
    with connect(role="rollcall_dbt") as session:
        seen, _ = _present(session, district_id)
        _candidates(session, district_id, seen, to)
    with conforming() as session, session.transaction():
        lock_acceptance(session, district_id)
        present, night = _present(session, district_id)
        if present != seen:
            raise CannotRollBackError(
                f"Sequence {present} of {district_id} was published meanwhile. Look at it first, then say from where."
            )
        done = _publish_again(session, district_id, (present, night), to, by, why)
    write_decisions_if_possible([district_id])
    return done


def _publish_again(
    session: Connection, district_id: str, present: tuple[int, date], to: int | None, by: Person, why: str
) -> Rollback:
    """Write the content, the ledger's rows and the pointer."""
    left, stood_for = present
    night = _night_that_came(session, district_id, stood_for, by, why)
    sequence = _next_sequence(session, district_id)
    candidates = _candidates(session, district_id, left, to)
    target, changes = write_back(session, district_id, candidates, sequence, night)
    delivery_id = _record(
        session,
        {
            "district": district_id,
            "night": night,
            "sequence": sequence,
            "from": left,
            "to": target,
            "by": by.name,
            "login": by.login,
            "why": why,
            "source": ROLLBACK,
            "reason": f"Rolled back from sequence {left} to {target} by {by.name}: {why}",
        },
    )
    publish_back(session, delivery_id, changes)
    told = {file: restored for file, restored in changes.items() if any(asdict(restored).values())}
    given_up = stood_for if stood_for != night else None
    return Rollback(district_id, delivery_id, sequence, left, target, night, given_up, told)


def _present(session: Connection, district_id: str) -> tuple[int, date]:
    """The sequence that readers see, and the night that it stands for."""
    row = session.execute(_PRESENT, [district_id]).fetchone()
    if row is None:
        raise CannotRollBackError(f"The ledger knows no district {district_id!r}; `rollcall status` lists them.")
    if row[1] is None:
        raise CannotRollBackError(f"Nothing of {district_id} was ever published: there is nothing to go back to.")
    return row[1], row[2]


def _night_that_came(session: Connection, district_id: str, night: date, by: Person, why: str) -> date:
    """The publication's night; one that has not come is given up, with all like it, for the last that readers saw."""
    if has_come(night):
        return night
    last = night_before(session, district_id, night) or come_everywhere()
    for wrong in {night, *nights_to_come(session, district_id)}:
        move_night(session, district_id, wrong, last, by=by, why=why)
    return last


def _candidates(session: Connection, district_id: str, present: int, to: int | None) -> list[int]:
    """The sequences to try, in order."""
    waiting = deliveries_in_state(session, district_id, [DeliveryState.ACCEPTED])
    if waiting:
        raise CannotRollBackError(
            f"Delivery {waiting[0].delivery_id} of {district_id} is accepted and waits for its build. Wait until "
            "`rollcall status` says how it ended, then go back."
        )
    published = values(session, _PUBLISHED_BEFORE, [district_id, present])
    if to is None or to in published:
        return published if to is None else [to]
    if to >= present:
        raise CannotRollBackError(f"Sequence {to} is not older than sequence {present}, which readers see.")
    those = ", ".join(map(str, published)) or "none"
    raise CannotRollBackError(f"Sequence {to} of {district_id} was never published. Before {present} were: {those}.")


def _next_sequence(session: Connection, district_id: str) -> int:
    return int(
        value(session, "select 1 + max(accepted_sequence) from rollcall.delivery where district_id = %s", [district_id])
    )


def write_back(
    session: Connection, district_id: str, candidates: Iterable[int], sequence: int, night: date
) -> tuple[int, dict[str, Restored]]:
    """Write the content of the first candidate that differs from what readers see; nothing is written for others.

    Args:
        session: A transaction of the session that holds the conform lock.
        district_id: The district.
        candidates: Published sequences.
        sequence: The one that gets the content.
        night: The night that it stands for.

    Returns:
        The candidate, and what differs.

    Raises:
        CannotRollBackError: none differs.
    """
    session.execute(f"set local work_mem = '{WORK_MEMORY}'; set local jit = off")
    tried = []
    for to in candidates:
        changes = {}
        for number, (file, table) in enumerate(zip(FILES, RECORD_TABLES, strict=True)):
            tell(f"going back to sequence {to}: {file.name}", number, len(FILES))
            changes[file.name] = _restore_table(session, table, district_id, to, sequence, night)
        if any(any(asdict(restored).values()) for restored in changes.values()):
            for table in (*WORKED_OUT_TABLES, FORMER_IDS):
                _restore_table(session, table, district_id, to, sequence, night)
            return to, changes
        tried.append(to)
    if len(tried) == 1:
        raise CannotRollBackError(f"Sequence {tried[0]} of {district_id} has the content that readers see already.")
    raise CannotRollBackError(f"Nothing of another content was published of {district_id} before.")


def _restore_table(session: Connection, table: str, district_id: str, to: int, sequence: int, night: date) -> Restored:
    """End the versions that began after ``to``, and begin again those that were valid then and ended since.

    What is open and equal to what was valid then stays as it is.
    """
    columns = _columns(session, table)
    parts = {
        "table": sql.Identifier(*table.split(".")),
        "district": sql.Literal(district_id),
        "to": sql.Literal(to),
        "sequence": sql.Literal(sequence),
        "night": sql.Literal(night),
        "key": sql.SQL(", ").join(sql.Identifier(column) for column in KEY if column in columns),
        "columns": sql.SQL(", ").join(sql.Identifier(column) for column in columns),
    }
    session.execute(sql.SQL(_COMPARE).format(**parts))
    row = session.execute(
        "select count(*) filter (where later_version is null),"
        " count(*) filter (where former_version is not null and later_version is not null),"
        " count(*) filter (where former_version is null) from restoration"
    ).fetchone()
    session.execute(sql.SQL(_CLOSE).format(**parts))
    session.execute(sql.SQL(_INSERT).format(**parts))
    session.execute("drop table restoration")
    return Restored(*(row or (0, 0, 0)))


def _columns(session: Connection, table: str) -> list[str]:
    """The columns of a history table that are of the record."""
    return values(
        session,
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
        " and attname <> all(%s) order by attnum",
        [table, list(BOUNDS)],
    )


def _record(session: Connection, act: dict[str, object]) -> int:
    """The ledger's rows: a delivery that nobody sent, as yet accepted, and who went back and why."""
    return int(value(session, _RECORD, act))


def publish_back(session: Connection, delivery_id: int, changes: dict[str, Restored]) -> None:
    """Count what `write_back` wrote, and point readers at it.

    Args:
        session: The same transaction.
        delivery_id: The ledger's row of the rollback, accepted.
        changes: What `write_back` said.
    """
    with session.cursor() as cursor:
        cursor.executemany(
            "insert into rollcall.change_count (delivery_id, entity, added, changed, removed, kept)"
            " values (%s, %s, %s, %s, %s, 0)",
            [(delivery_id, file, each.added, each.changed, each.removed) for file, each in changes.items()],
        )
    publish(session, delivery_id, None)
