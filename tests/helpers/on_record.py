"""Nights as the ledger has them, written straight into it: for what only reads them."""

from datetime import date

from helpers.inbox import district

from rollcall import ledger
from rollcall.ledger import REKEY, DeliveryFile
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, value


def delivered(
    connection: Connection,
    name: str,
    night: date,
    state: str,
    *,
    rows: int = 9,
    students: int | None = None,
    set_aside: int = 0,
    why: str = "Because.",
) -> int:
    """Write a night of a district and the delivery that serves it into the ledger; the delivery's id.

    Args:
        connection: A transaction in the ledger, with the owner's rights.
        name: The district.
        night: The night.
        state: The delivery's state.
        rows, students, set_aside: How many it has.
        why: The reason for its state.
    """
    ledger.record_district(connection, district(name))
    opened = ledger.open_delivery(connection, district(name), night, f"run_{night}")
    ledger.record_files(
        connection, opened.delivery_id, [DeliveryFile(opened.delivery_id, "users", "users.csv", "a/b", "", 0)]
    )
    connection.execute(
        "update rollcall.delivery set records = %s, set_aside = %s, students = %s where delivery_id = %s",
        (rows, set_aside, students, opened.delivery_id),
    )
    ledger.set_state(connection, opened.delivery_id, DeliveryState(state), why)
    outcome = "in_progress" if state == "received" else state
    ledger.record_night(connection, name, night, outcome, delivery_id=opened.delivery_id)
    if state == "published":
        for statement in (
            "delete from rollcall.publication where district_id = %(name)s",
            *(
                f"insert into rollcall.{table} (district_id, sequence, delivery_id, effective_date, published_at)"
                " values (%(name)s, %(number)s, %(number)s, %(night)s, now())"
                for table in ("publication", "publication_event")
            ),
        ):
            connection.execute(statement, {"name": name, "number": opened.delivery_id, "night": night})
    return opened.delivery_id


def rekeyed(connection: Connection, name: str, night: date, sequence: int, state: str, why: str) -> int:
    """Write into the ledger that a person gave a district's records other ids; the delivery's id.

    Args:
        connection: A transaction in the ledger, with the owner's rights.
        name: The district.
        night: The night of what readers see.
        sequence: The sequence that the ids have.
        state: How their build stands.
        why: The reason for that.
    """
    delivery_id: int = value(
        connection,
        """
        with given as (
            insert into rollcall.delivery
                (district_id, service_date, run_id, source, state, state_reason, arrived_at, accepted_sequence)
            values (%s, %s, 'rekey__' || gen_random_uuid(), %s, %s, %s, now(), %s)
            returning delivery_id, district_id, accepted_sequence
        )
        insert into rollcall.rekeying (delivery_id, district_id, sequence, from_sequence, rekeyed_by, login, why)
        select delivery_id, district_id, accepted_sequence, accepted_sequence - 1, 'Ada', 'ada', 'new SIS' from given
        returning delivery_id
        """,
        (name, night, REKEY, state, why, sequence),
    )
    return delivery_id
