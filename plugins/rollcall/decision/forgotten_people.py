"""Deliveries that name a person who was forgotten: they are held, whatever else they change."""

from collections.abc import Collection

from psycopg import sql

from rollcall.codes import message_of
from rollcall.decision.reasons import Reason
from rollcall.findings import MOST_ROWS_PER_CODE, Finding, Place, replace_findings
from rollcall.forgotten import known_again
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME
from rollcall.published import publication_of
from rollcall.warehouse import Connection

CODE = "hold_forgotten"
NAMED_IN = (
    ("users", "btrim(sourced_id)"),
    ("users", "btrim(unnest(string_to_array(agent_sourced_ids, ',')))"),
    ("enrollments", "btrim(user_sourced_id)"),
    ("demographics", "btrim(sourced_id)"),
    ("roles", "btrim(user_sourced_id)"),
)
"""Where a delivery names people: the file, and the expression on its raw rows."""


def of_forgotten(connection: Connection, delivery: Delivery) -> list[Reason]:
    """Whether a delivery names people who were forgotten, and are not published again since a person let them through.

    Where somebody was forgotten, every id of a person that is not published is hashed: the ledger knows no ids.

    Args:
        connection: A transaction in the ledger.
        delivery: The delivery, landed.
    """
    hashes, key = known_again(connection, delivery.district_id)
    if not hashes:
        return []
    if key is None:
        advice = "The key that tells them is not the one of then: see docs/security.md, then clear `decide`."
        return [Reason(CODE, f"Whether the delivery names people who were forgotten cannot be told. {advice}")]
    found = {each for each in _new_ids(connection, delivery) if key.hashed(delivery.district_id, each) in hashes}
    findings = [finding for name in dict(NAMED_IN) if (finding := _finding(connection, delivery, name, found))]
    replace_findings(connection, delivery.delivery_id, [CODE], findings)
    if not found:
        return []
    told = f"It names {len(found):,} of them" if len(found) > 1 else "It names one"
    return [Reason(CODE, f"{message_of(CODE)} {told}; the receipt says in which rows.", count=len(found))]


def _new_ids(connection: Connection, delivery: Delivery) -> Collection[str]:
    """The ids of people that a delivery names and that are not published."""
    named = sql.SQL(" union ").join(
        sql.SQL("select {} as id from {}").format(sql.SQL(expression), _landed(delivery, file))
        for file, expression in NAMED_IN
    )
    published = publication_of(connection, delivery.district_id).records(FILE_BY_NAME["users"])
    statement = sql.SQL("select id from ({}) as named where id <> '' and id not in (select id from ({}) as known)")
    return [each for (each,) in connection.execute(statement.format(named, published)).fetchall()]


def _finding(connection: Connection, delivery: Delivery, file: str, ids: Collection[str]) -> Finding | None:
    """The rows of a file that name some people."""
    if not ids:
        return None
    rows = connection.execute(
        sql.SQL("select distinct _row, btrim(sourced_id) from ({}) as named where id = any(%s) order by 1").format(
            sql.SQL(" union all ").join(
                sql.SQL("select _row, sourced_id, {} as id from {}").format(
                    sql.SQL(expression), _landed(delivery, file)
                )
                for name, expression in NAMED_IN
                if name == file
            )
        ),
        [list(ids)],
    ).fetchall()
    places = tuple(Place(row=row, sourced_id=source_id) for row, source_id in rows[:MOST_ROWS_PER_CODE])
    return Finding(CODE, file, places=places, rows=len(rows)) if rows else None


def _landed(delivery: Delivery, file: str) -> sql.Identifier:
    return sql.Identifier(delivery.landing_schema, FILE_BY_NAME[file].table_name)
