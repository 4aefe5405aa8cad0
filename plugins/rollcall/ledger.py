"""The ledger's rows of one delivery and one night: how they are written and read."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from psycopg.rows import class_row

from rollcall.districts import District
from rollcall.nights import ImpossibleNightError, impossible_because
from rollcall.oneroster import MANIFEST
from rollcall.states import DeliveryState, NightOutcome
from rollcall.warehouse import Connection, value, values

ROLLBACK: Final = "rollback"
"""The source of a delivery that nobody sent: the ledger's row of a publication that went back."""
REKEY: Final = "rekey"
"""The same of one that gave its records other ids."""
NOBODY_SENT = (ROLLBACK, REKEY)
SETTLED: Final = [state for state in DeliveryState if state.is_settled]

OLD: Final = """
    select delivery_id from rollcall.delivery
    where state = any(%(settled)s)
        and greatest(arrived_at, decided_at, accepted_at, delivery.published_at) < %(before)s
        and delivery_id not in (select publication.delivery_id from rollcall.publication)
"""
"""The deliveries of which something may go: settled before a moment, and not what readers see."""


@dataclass(frozen=True)
class Delivery:
    """One row of ``rollcall.delivery``."""

    delivery_id: int
    district_id: str
    service_date: date
    run_id: str
    source: str
    state: DeliveryState
    state_reason: str | None
    content_hash: str | None
    packaging: str | None
    arrived_at: datetime
    accepted_sequence: int | None
    same_as_delivery_id: int | None
    decided_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", DeliveryState(self.state))  # the driver gives its text

    @property
    def landing_schema(self) -> str:
        """The schema of the delivery's raw rows."""
        return landing_schema(self.delivery_id)

    @property
    def was_left(self) -> bool:
        """Whether it was refused for its size: nothing of it was archived, and it was left in the inbox."""
        return self.state is DeliveryState.REJECTED and self.content_hash is None

    @property
    def age(self) -> tuple[date, datetime]:
        """What orders the deliveries of a district: by night, then by arrival."""
        return (self.service_date, self.arrived_at)


@dataclass(frozen=True)
class DeliveryFile:
    """One row of ``rollcall.delivery_file``."""

    delivery_id: int
    file: str
    sent_name: str
    archive_path: str
    sha256: str
    size_bytes: int
    sent_at: datetime | None = None
    mode: str = "bulk"
    encoding: str | None = None
    format: str | None = None
    rows_landed: int | None = None
    rows_ragged: int | None = None
    rows_set_aside: int | None = None
    verdict: str | None = None
    verdict_reason: str | None = None
    absence_is_evidence: bool = False
    ends_with_line_end: bool | None = None
    torn_row: int | None = None
    last_sourced_id: str | None = None
    judged_since: int | None = None
    removed_at: datetime | None = None


_DELIVERY = f"select {', '.join(Delivery.__dataclass_fields__)} from rollcall.delivery "
_DELIVERY_FILE = f"select {', '.join(DeliveryFile.__dataclass_fields__)} from rollcall.delivery_file "


class UnknownDeliveryError(LookupError):
    """There is no such delivery in the ledger."""


def landing_schema(delivery_id: int) -> str:
    """The schema of a delivery's raw rows."""
    return f"delivery_{delivery_id}"


def record_district(connection: Connection, district: District) -> None:
    """Write down what a district's file says, for the models that read it."""
    connection.execute(
        """
        insert into rollcall.district as d (district_id, name, enrollment_end_date) values (%s, %s, %s)
        on conflict (district_id) do update
        set name = excluded.name, enrollment_end_date = excluded.enrollment_end_date, updated_at = now()
        where (d.name, d.enrollment_end_date) is distinct from (excluded.name, excluded.enrollment_end_date)
        """,
        (district.district_id, district.name, district.enrollment_end_date),
    )


def district_ids(connection: Connection) -> list[str]:
    """Every district that was ever brought in, in the order of their ids."""
    return values(connection, "select district_id from rollcall.district order by district_id")


def open_delivery(
    connection: Connection, district: District, service_date: date, run_id: str, source: str = "inbox"
) -> Delivery:
    """The delivery of a run, made when the run has none yet; one that it has keeps its own night.

    Raises:
        ImpossibleNightError: the district cannot have a delivery of this night.
    """
    opened = delivery_of_run(connection, district.district_id, run_id)
    if opened is not None:
        return opened
    impossible = impossible_because(connection, district, service_date)
    if impossible is not None:
        raise ImpossibleNightError(impossible)
    connection.execute(
        """
        insert into rollcall.delivery (district_id, service_date, run_id, source) values (%s, %s, %s, %s)
        on conflict (district_id, run_id) do nothing
        """,
        (district.district_id, service_date, run_id, source),
    )
    opened = delivery_of_run(connection, district.district_id, run_id)
    if opened is None:
        raise UnknownDeliveryError(f"The delivery of run {run_id} of {district.district_id} vanished from the ledger.")
    return opened


def old_deliveries(connection: Connection, district_id: str, before: datetime) -> set[int]:
    """A district's deliveries of which something may go: settled before a moment, and not what readers see."""
    known = {"settled": SETTLED, "before": before, "district": district_id}
    return set(values(connection, f"{OLD} and district_id = %(district)s", known))


def lock_acceptance(connection: Connection, district_id: str) -> None:
    """Let nobody else accept, compare or take back deliveries of a district until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('rollcall.accept.' || %s, 0))", (district_id,))


def delivery_of_run(connection: Connection, district_id: str, run_id: str) -> Delivery | None:
    """The delivery that a run received, if it received one."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(_DELIVERY + "where district_id = %s and run_id = %s", (district_id, run_id))
        return cursor.fetchone()


def delivery_of_night(connection: Connection, district_id: str, service_date: date) -> Delivery | None:
    """The newest delivery that any run received for a night, if one did."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(
            _DELIVERY + "where district_id = %s and service_date = %s and state <> 'receiving'"
            " and source <> all(%s) order by arrived_at desc limit 1",
            (district_id, service_date, list(NOBODY_SENT)),
        )
        return cursor.fetchone()


def delivery(connection: Connection, delivery_id: int, *, lock: bool = False) -> Delivery:
    """One delivery; with ``lock``, no one else changes it until the transaction ends.

    Raises:
        UnknownDeliveryError: there is none of that number.
    """
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(_DELIVERY + "where delivery_id = %s" + (" for update" if lock else ""), (delivery_id,))
        found = cursor.fetchone()
    if found is None:
        raise UnknownDeliveryError(f"There is no delivery {delivery_id} in the ledger; `rollcall status` lists them.")
    return found


def deliveries_in_state(connection: Connection, district_id: str, states: Iterable[DeliveryState]) -> list[Delivery]:
    """A district's deliveries in any of some states, the newest first."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(
            _DELIVERY + "where district_id = %s and state = any(%s) order by service_date desc, arrived_at desc",
            (district_id, list(states)),
        )
        return cursor.fetchall()


def published_delivery(connection: Connection, district_id: str) -> Delivery | None:
    """The delivery that readers of a district see."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(
            _DELIVERY + "where delivery_id = (select delivery_id from rollcall.publication where district_id = %s)",
            (district_id,),
        )
        return cursor.fetchone()


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


def has_broken_off(connection: Connection, district_id: str, run_id: str) -> bool:
    """Whether a run before this one opened a delivery and did not come to take it, and none was taken since."""
    return bool(
        value(
            connection,
            """
            select coalesce(max(delivery_id) filter (where state = 'receiving'), 0)
                > coalesce(max(delivery_id) filter (where state <> 'receiving'), 0)
            from rollcall.delivery where district_id = %s and source = 'inbox' and run_id <> %s
            """,
            (district_id, run_id),
        )
    )


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


def set_state(
    connection: Connection,
    delivery_id: int,
    state: DeliveryState,
    reason: str | None = None,
    *,
    same_as: int | None = None,
    decided: bool | None = None,
) -> None:
    """Move a delivery to a state, and say why.

    Args:
        decided: Whether this is a decision; by default every state with a verdict is one.
    """
    if decided is None:
        decided = state.is_judged
    connection.execute(
        """
        update rollcall.delivery
        set state = %s, state_reason = %s, same_as_delivery_id = coalesce(%s, same_as_delivery_id),
            decided_at = case when %s then now() else decided_at end
        where delivery_id = %s
        """,
        (state, reason, same_as, decided, delivery_id),
    )


def record_night(
    connection: Connection,
    district_id: str,
    service_date: date,
    outcome: str,
    *,
    message: str | None = None,
    missing_files: Sequence[str] = (),
    delivery_id: int | None = None,
    run_id: str | None = None,
) -> None:
    """Write down how a district's night stands or ended; the last word counts.

    Args:
        outcome: A `NightOutcome`, or its text.
    """
    connection.execute(
        """
        insert into rollcall.night
            (district_id, service_date, outcome, message, missing_files, delivery_id, run_id, updated_at)
        values (%s, %s, %s, %s, %s, %s, %s, now())
        on conflict (district_id, service_date) do update
        set outcome = excluded.outcome, message = excluded.message, missing_files = excluded.missing_files,
            delivery_id = coalesce(excluded.delivery_id, night.delivery_id), run_id = excluded.run_id,
            updated_at = excluded.updated_at
        """,
        (district_id, service_date, NightOutcome(outcome), message, list(missing_files), delivery_id, run_id),
    )


def record_night_unless_known(
    connection: Connection, district_id: str, service_date: date, outcome: str, message: str
) -> None:
    """Write down how a night ended of which nothing is written down yet."""
    connection.execute(
        """
        insert into rollcall.night (district_id, service_date, outcome, message, updated_at)
        values (%s, %s, %s, %s, now()) on conflict (district_id, service_date) do nothing
        """,
        (district_id, service_date, NightOutcome(outcome), message),
    )


def close_night(connection: Connection, delivery_id: int) -> None:
    """Have a night stand or end as the delivery does that serves it; where no run is left, nobody else would say so.

    Nothing happens while a run is at work on the delivery, nor when the night has another one.
    """
    connection.execute(
        """
        update rollcall.night
        set outcome = state, message = coalesce(state_reason, %s::jsonb ->> state), updated_at = now()
        from rollcall.delivery
        where delivery.delivery_id = %s and state not in ('receiving', 'received')
            and night.district_id = delivery.district_id and night.service_date = delivery.service_date
            and night.delivery_id = delivery.delivery_id
        """,
        (json.dumps({state: state.sentence for state in DeliveryState}), delivery_id),
    )


def record_taken_again(connection: Connection, delivery_id: int, run_id: str, by: str, why: str) -> None:
    """Write down who had a delivery taken again from the archive, and by which run."""
    connection.execute(
        "insert into rollcall.delivery_again (delivery_id, run_id, asked_by, why) values (%s, %s, %s, %s)",
        (delivery_id, run_id, by, why),
    )


def last_good_night(connection: Connection, district_id: str) -> date | None:
    """The service date that readers of a district see."""
    night: date | None = value(
        connection, "select effective_date from rollcall.publication where district_id = %s", (district_id,)
    )
    return night
