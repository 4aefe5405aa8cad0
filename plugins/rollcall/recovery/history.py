"""Whether history holds, sequence by sequence, what the ledger says was published, and the pointer agrees with both."""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from rollcall.conform.history import HISTORY_TABLES, RECORD_TABLES
from rollcall.oneroster import FILES
from rollcall.progress import tell
from rollcall.published import publication_of
from rollcall.recovery.differences import FORGOTTEN, Difference
from rollcall.warehouse import Connection, is_there, value

_POINTER = """
    select publication.sequence, delivery.state, delivery.accepted_sequence, told.sequence, told.effective_date,
        publication.effective_date
    from rollcall.publication
    inner join rollcall.delivery using (delivery_id)
    left join lateral (
        select sequence, effective_date from rollcall.publication_event as event
        where event.district_id = publication.district_id
        order by publication_event_id desc limit 1
    ) as told on true
    where publication.district_id = %s
"""

_UNTOLD = """
    select delivery_id, accepted_sequence from rollcall.delivery
    where district_id = %(district)s and state = 'published' and not exists (
        select from rollcall.publication_event as event
        where event.district_id = %(district)s and event.sequence = delivery.accepted_sequence
    )
    order by accepted_sequence
"""

_HALF_WRITTEN = """
    select count(*) from {table}
    where district_id = {district} and (valid_from_seq > {sequence} or valid_to_seq > {sequence})
"""

_TWICE = "select count(*) - count(distinct ({key})) from ({published}) as version"

# Each publication began the versions that it added or changed, and ended those that it changed or removed.
_COUNTED_OTHERWISE = """
    with told as (
        select delivery_id, accepted_sequence as sequence, added + changed as began, changed + removed as ended
        from rollcall.change_count
        inner join rollcall.delivery using (delivery_id)
        where district_id = {district} and state = 'published' and entity = {file}
    ),
    found as (
        select sequence, sum(began) as began, sum(ended) as ended
        from (
            select valid_from_seq as sequence, 1 as began, 0 as ended from {table} where district_id = {district}
            union all
            select valid_to_seq, 0, 1 from {table} where district_id = {district} and valid_to_seq is not null
        ) as bound
        where sequence <= {published}
        group by sequence
    ),
    compared as (
        select
            delivery_id, sequence,
            coalesce(told.began, 0) as began, coalesce(told.ended, 0) as ended,
            coalesce(found.began, 0) as found_began, coalesce(found.ended, 0) as found_ended
        from told
        full join found using (sequence)
    )
    select * from compared where (began, ended) is distinct from (found_began, found_ended) order by sequence
"""

_FORGOTTEN = """
    select place, sum(removed)::bigint
    from rollcall.forgotten
    inner join rollcall.forgetting using (forgetting_id)
    where district_id = %s
    group by place
"""


@dataclass(frozen=True)
class _Miscounted:
    """A sequence of which a file has more or fewer versions than the ledger counted.

    Attributes:
        began: How many versions begin with it, as counted when it was published.
        ended: How many end with it.
        found_began: How many begin now.
        found_ended: How many end now.
    """

    delivery_id: int | None
    sequence: int
    began: int
    ended: int
    found_began: int
    found_ended: int

    @property
    def has_more(self) -> bool:
        """Whether there are versions that nobody counted."""
        return self.found_began > self.began or self.found_ended > self.ended


def differences_of_history(connection: Connection, district_id: str) -> Iterator[Difference]:
    """Compare a district's pointer, history and ledger with each other.

    Args:
        connection: A transaction that sees one moment; it may read history.
        district_id: The district.
    """
    yield from _wrong_pointer(connection, district_id)
    sequence = publication_of(connection, district_id).sequence or 0
    if not _is_being_built(connection, district_id):
        yield from _half_written(connection, district_id, sequence)
    if sequence:
        yield from _wrong_versions(connection, district_id, sequence)


def _wrong_pointer(connection: Connection, district_id: str) -> Iterator[Difference]:
    """What the publication says otherwise than its delivery, or than the record of its moves."""
    row = connection.execute(_POINTER, [district_id]).fetchone()
    if row is not None:
        sequence, state, accepted, told, told_night, night = row
        if state != "published" or accepted != sequence:
            what = f"Readers see sequence {sequence}; its delivery is {state}, with sequence {accepted}."
            yield Difference(district_id, "pointer_differs", what)
        if (told, told_night) != (sequence, night):
            what = f"Readers see sequence {sequence} for {night}; its last move on record is {told} for {told_night}."
            yield Difference(district_id, "pointer_differs", what)
    for delivery_id, accepted in connection.execute(_UNTOLD, {"district": district_id}).fetchall():
        what = f"Sequence {accepted} is published, and no move of the pointer is on record."
        yield Difference(district_id, "publication_untold", what, delivery_id)


def _is_being_built(connection: Connection, district_id: str) -> bool:
    return bool(
        value(connection, "select exists (select from rollcall.current_build where district_id = %s)", [district_id])
    )


def _half_written(connection: Connection, district_id: str, sequence: int) -> Iterator[Difference]:
    """Versions that begin or end after the published sequence, though nothing is being built."""
    for table in HISTORY_TABLES:
        name = sql.Identifier(*table.split("."))
        if not is_there(connection, name):
            continue
        statement = sql.SQL(_HALF_WRITTEN).format(
            table=name, district=sql.Literal(district_id), sequence=sql.Literal(sequence)
        )
        left = value(connection, statement)
        if left:
            what = f"{table} has {left:,} versions of a sequence after {sequence}, which readers see."
            yield Difference(district_id, "half_written", what)


def _wrong_versions(connection: Connection, district_id: str, sequence: int) -> Iterator[Difference]:
    """Versions that are more or fewer than the ledger counted, and records that readers see twice."""
    publication = publication_of(connection, district_id)
    removed: dict[str, int] = dict(connection.execute(_FORGOTTEN, [district_id]).fetchall())
    forgotten: dict[str, int] = {}
    for number, (file, table) in enumerate(zip(FILES, RECORD_TABLES, strict=True)):
        tell(f"history of {district_id}", number, len(FILES))
        key = sql.SQL(", ").join(map(sql.Identifier, file.key))
        published = publication.select(file, **{column: f"version.{column}" for column in file.key})
        twice = value(connection, sql.SQL(_TWICE).format(key=key, published=published))
        if twice:
            yield Difference(district_id, "shown_twice", f"Readers see {twice:,} records of {file.name} twice.")
        counted = sql.SQL(_COUNTED_OTHERWISE).format(
            district=sql.Literal(district_id),
            file=sql.Literal(file.name),
            table=sql.Identifier(*table.split(".")),
            published=sql.Literal(sequence),
        )
        with connection.cursor(row_factory=class_row(_Miscounted)) as cursor:
            miscounted = cursor.execute(counted).fetchall()
        gone = removed.get(table, 0)
        if not any(each.has_more for each in miscounted) and sum(e.began - e.found_began for e in miscounted) == gone:
            forgotten |= {file.name: gone} if gone else {}
        else:
            yield from _told(district_id, file.name, miscounted, gone)
    if forgotten:
        what = ", ".join(f"{gone:,} of {name}" for name, gone in forgotten.items())
        yield Difference(district_id, FORGOTTEN, f"Versions that went with people who were forgotten: {what}.")


def _told(district_id: str, file: str, miscounted: list[_Miscounted], forgotten: int) -> Iterator[Difference]:
    """The same, in words: sequence by sequence, and what cannot be because of whom was forgotten."""
    for each in miscounted:
        what = (
            f"{file}, sequence {each.sequence}: {each.found_began:,} versions begin and {each.found_ended:,} end; the "
            f"ledger counted {each.began:,} and {each.ended:,}."
        )
        yield Difference(district_id, "history_differs", what, each.delivery_id)
    if forgotten:
        what = f"{file}: of all sequences, {forgotten:,} versions went with people who were forgotten, and no more."
        yield Difference(district_id, "history_differs", what)
