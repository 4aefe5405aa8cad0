"""The whole warehouse again, from the archive alone: its files, and what was decided about them.

Nothing is decided anew. The ledger's rows are put back as the archive tells them; then sequence after sequence is
landed, checked and built by the ordinary steps, of all districts at once, and published as it was: under its number,
for its night, with the settings and the moment of then. Where today's rules would set other rows aside than those of
then, the latter are set aside. What was counted then stands in the ledger again; `verify` compares history with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from psycopg import sql
from psycopg.types.json import Jsonb

from rollcall import ledger
from rollcall.archive.decisions import unwritten_documents
from rollcall.archive.store import archived_districts
from rollcall.conform import CannotRollBackError, LandedRowsLostError, conform
from rollcall.conform.rollback import publish_back, write_back
from rollcall.conform.session import conforming
from rollcall.ledger import Delivery
from rollcall.log import get_logger
from rollcall.progress import tell
from rollcall.recovery.differences import Difference
from rollcall.recovery.judged import judge_as_recorded
from rollcall.recovery.recorded import AT_ONCE, Recorded, Row, insert, put_back, remember_documents, reserve_numbers
from rollcall.recovery.verify import verify
from rollcall.settings import settings
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect, value, values

log = get_logger(__name__)

_FOUND_NOW = """
    delete from rollcall.check_result as present
    where delivery_id = %(delivery)s and (
        rows_failed > 0
        or (file, code) in (select file, code from jsonb_populate_recordset(null::rollcall.check_result, %(told)s))
    )
"""

LOST = "The archive does not hold its files any more."


class CannotRebuildError(Exception):
    """The warehouse cannot be rebuilt here; the message says why."""


@dataclass
class Rebuilt:
    """What became of a district.

    Attributes:
        sequences: How many publications were built again.
        differences: What is not as it was.
    """

    district_id: str
    sequences: int = 0
    differences: list[Difference] = field(default_factory=list)


def rebuild(district_id: str | None = None) -> list[Rebuilt]:
    """Build a district's part of the warehouse, or all of it, from the archive; ends by verifying it.

    The warehouse is deployed and knows nothing of the district. Killed, it is begun again in a fresh one.

    Args:
        district_id: The district; every one that the archive has, if not given.

    Raises:
        CannotRebuildError: the archive tells nothing of the district, or the ledger knows it already.
        BuildImpossibleError: dbt failed for a reason that is no district's.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    chosen = archived_districts(settings().archive_root) if district_id is None else [district_id]
    known = [recorded for recorded in map(Recorded.of, chosen) if recorded.rows("delivery")]
    if not known:
        raise CannotRebuildError(f"The archive tells no decision about {district_id or 'any district'}.")
    for recorded in known:
        _begin(recorded)
    replays = [_Replay(recorded) for recorded in known]
    rounds = max(len(recorded.published) for recorded in known)
    for number in range(rounds):
        tell("building sequence after sequence", number, rounds)
        _replay([replay for replay in replays if number < len(replay.recorded.published)], number)
    for replay in replays:
        replay.end()
        replay.result.differences += verify(replay.recorded.district_id)
    return [replay.result for replay in replays]


def _begin(recorded: Recorded) -> None:
    """Put back what does not hang on a build; what waited for one waits until the end."""
    with connect(role=None) as connection:
        if value(connection, "select exists (select from rollcall.delivery where district_id = %s)",
                 [recorded.district_id]):  # fmt: skip
            raise CannotRebuildError(
                f"The ledger knows deliveries of {recorded.district_id}. Rebuild in a warehouse that does not: a fresh "
                "database, after `rollcall deploy`."
            )
        numbers = [row["delivery_id"] for row in recorded.rows("delivery")]
        taken = values(connection, "select delivery_id from rollcall.delivery where delivery_id = any(%s)", [numbers])
        if taken:
            raise CannotRebuildError(f"Deliveries of another district have numbers of {recorded.district_id}'s.")
        for table in AT_ONCE:
            insert(connection, table, recorded.rows(table))
        connection.execute(
            "update rollcall.delivery set state = 'received' where district_id = %s and state = 'accepted'",
            [recorded.district_id],
        )
        built = {row["delivery_id"] for row in recorded.published}
        for table in ("check_result", "change_count"):
            insert(connection, table, (row for row in recorded.rows(table) if row["delivery_id"] not in built))
        reserve_numbers(connection, recorded)


def _replay(replays: "Sequence[_Replay]", number: int) -> None:
    """Publish the next sequence of each district."""
    by_delivery = {}
    for replay in replays:
        delivery = replay.recorded.published[number]
        by_delivery[delivery["delivery_id"]] = replay
        replay.begin(delivery)

    def land(delivery_id: int) -> None:
        replay = by_delivery[delivery_id]
        replay.result.differences += judge_as_recorded(replay.recorded, replay.recorded.published[number])

    try:
        conform(reland=land)
    except LandedRowsLostError as error:
        log.warning("%s", error)
    for replay in replays:
        replay.publish_as_recorded(replay.recorded.published[number])


class _Replay:
    """One district on its way through its publications."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.result = Rebuilt(recorded.district_id)

    def begin(self, delivery: Row) -> None:
        """Have a delivery wait for its build again; a rollback is made at once."""
        with connect(role=None) as connection:
            connection.execute(
                "update rollcall.delivery set state = 'accepted' where delivery_id = %s", [delivery["delivery_id"]]
            )
        if delivery["source"] == ledger.ROLLBACK:
            self._roll_back(delivery)

    def _roll_back(self, delivery: Row) -> None:
        (act,) = self.recorded.rows("rollback", delivery["delivery_id"])
        night = date.fromisoformat(delivery["service_date"])
        try:
            with conforming() as session, session.transaction():
                _, changes = write_back(
                    session, self.recorded.district_id, [act["to_sequence"]], delivery["accepted_sequence"], night
                )
                publish_back(session, delivery["delivery_id"], changes)
        except CannotRollBackError as error:
            log.warning("%s", error)

    def publish_as_recorded(self, delivery: Row) -> None:
        """Give a publication that was just built the number, the moment and the settings that it had."""
        delivery_id, sequence = delivery["delivery_id"], delivery["accepted_sequence"]
        with connect(role=None) as connection:
            rebuilt = ledger.delivery(connection, delivery_id)
            if rebuilt.state is not DeliveryState.PUBLISHED:
                self._give_up(connection, rebuilt, sequence)
                return
            put_back(connection, "delivery", delivery, ("delivery_id",))
            for file in self.recorded.rows("delivery_file", delivery_id):
                put_back(connection, "delivery_file", file, ("delivery_id", "file"))
            found_then = self.recorded.rows("check_result", delivery_id)
            connection.execute(_FOUND_NOW, {"told": Jsonb(found_then), "delivery": delivery_id})
            insert(connection, "check_result", found_then)
            for file in self.recorded.rows("change_count", delivery_id):
                put_back(connection, "change_count", file, ("delivery_id", "entity"))
            self._move_pointer(connection, sequence)
        self.result.sequences += 1
        self._drop_landed_before(delivery_id)

    def _give_up(self, connection: Connection, rebuilt: Delivery, sequence: int) -> None:
        """A sequence that does not come about any more: the next ones are built on what there is."""
        why = LOST if rebuilt.state is DeliveryState.ACCEPTED else rebuilt.state_reason
        ledger.set_state(connection, rebuilt.delivery_id, DeliveryState.CONFORM_FAILED, why)
        what = f"Sequence {sequence} could not be built again. {why}"
        self._differs("not_rebuilt", what, rebuilt.delivery_id)

    def _differs(self, code: str, what: str, delivery_id: int) -> None:
        self.result.differences.append(Difference(self.recorded.district_id, code, what, delivery_id))

    def _move_pointer(self, connection: Connection, sequence: int) -> None:
        """Put back every move of the pointer at this sequence, the unchanged nights after it included."""
        district_id = self.recorded.district_id
        events = [row for row in self.recorded.rows("publication_event") if row["sequence"] == sequence]
        connection.execute(
            "delete from rollcall.publication_event where district_id = %s and sequence = %s", [district_id, sequence]
        )
        insert(connection, "publication_event", events)
        last = max(events, key=lambda event: int(event["publication_event_id"]))
        kept = {name: last[name] for name in ("district_id", "effective_date", "published_at", "district_name",
                                              "enrollment_end_date")}  # fmt: skip
        put_back(connection, "publication", kept, ("district_id",))

    def _drop_landed_before(self, delivery_id: int) -> None:
        """Of what is built and published, the next sequence is compared with the last only."""
        older = [row["delivery_id"] for row in self.recorded.published if row["delivery_id"] != delivery_id]
        with connect() as connection:
            for each in older:
                schema = sql.Identifier(ledger.landing_schema(each))
                connection.execute(sql.SQL("drop schema if exists {} cascade").format(schema))

    def end(self) -> None:
        """What waited for a build waits for it again; nights are what they were."""
        with connect(role=None) as connection:
            for delivery in self.recorded.rows("delivery"):
                if delivery["state"] == "accepted":
                    put_back(connection, "delivery", delivery, ("delivery_id",))
            insert(connection, "night", self.recorded.rows("night"))
            remember_documents(connection, self.recorded)
        for name in unwritten_documents(self.recorded.district_id):
            what = f"{name}: the ledger is not what the archive tells."
            self.result.differences.append(Difference(self.recorded.district_id, "ledger_differs", what))
