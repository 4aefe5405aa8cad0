"""What people do to districts, on record: a row each in ``rollcall.district_act`` (law 8)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

from psycopg.rows import class_row

from rollcall.warehouse import Connection, connect
from rollcall.who import Person

Action = Literal["added", "paused", "resumed", "rotated", "removed"]


@dataclass(frozen=True)
class Act:
    """What somebody does to a district.

    Attributes:
        first_night: Of a pause, the first night without a delivery; of its end, the first one that is expected again.
        last_night: Of a pause, the last night without a delivery.
    """

    district_id: str
    action: Action
    why: str = ""
    first_night: date | None = None
    last_night: date | None = None


@dataclass(frozen=True)
class ActOnRecord:
    """An act with who did it and when: a row of ``rollcall.district_act``."""

    action: Action
    first_night: date | None
    last_night: date | None
    done_by: str
    why: str
    done_at: datetime


# Brought in again, or paused for the same nights again, a district is as it was: that is no act of its own.
_RECORD = """
    insert into rollcall.district_act (district_id, action, first_night, last_night, done_by, login, why)
    select %(district_id)s, %(action)s, %(first_night)s, %(last_night)s, %(by)s, %(login)s, %(why)s
    where %(action)s = 'rotated' or not exists (
        select from (
            select * from rollcall.district_act
            where district_id = %(district_id)s and action = any(%(alike)s)
            order by district_act_id desc limit 1
        ) as latest
        where action = %(action)s and why = %(why)s
            and (first_night, last_night) is not distinct from (%(first_night)s::date, %(last_night)s::date)
    )
"""
_ALIKE: tuple[tuple[Action, ...], ...] = (("added", "removed"), ("paused", "resumed"), ("rotated",))
"""Acts that undo each other."""


@contextmanager
def on_record(act: Act, by: Person) -> Iterator[None]:
    """Do something to a district and have it on record: without a ledger to write it into, nothing is done.

    Who comes while somebody else is at it waits, and then finds what they did.

    Args:
        act: What is done.
        by: Who does it.

    Raises:
        WarehouseError: the ledger cannot be reached.
    """
    with connect() as connection:
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended('rollcall.district_act.' || %s, 0))", (act.district_id,)
        )
        _record(connection, act, by)
        yield


def _record(connection: Connection, act: Act, by: Person) -> None:
    alike = next(acts for acts in _ALIKE if act.action in acts)
    connection.execute(_RECORD, asdict(act) | {"by": by.name, "login": by.login, "alike": list(alike)})


def acts_of(connection: Connection, district_id: str) -> list[ActOnRecord]:
    """What was done to a district, the latest first."""
    with connection.cursor(row_factory=class_row(ActOnRecord)) as cursor:
        cursor.execute(
            "select action, first_night, last_night, done_by, why, done_at from rollcall.district_act"
            " where district_id = %s order by district_act_id desc",
            (district_id,),
        )
        return cursor.fetchall()
