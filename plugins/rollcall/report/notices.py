"""What is told at once, and how often: nobody hears of the same thing twice, and no storm comes of one trouble."""

from datetime import date

from rollcall.report.next_steps import NEXT_STEPS
from rollcall.report.notify import Message, notify
from rollcall.states import NightOutcome
from rollcall.warehouse import Connection, connect, value

MOST_A_NIGHT = 10
"""How many messages of one kind a night has; the roll-up names the rest."""
OF_ALL = (NightOutcome.FAILED, NightOutcome.REFUSED, NightOutcome.UNREACHABLE)
"""Outcomes that come of something that all districts need, most often: one message a night."""
LAST_OF_ALL = "If other districts end the same way tonight, the roll-up names them; no other message comes."
LAST_OF_MANY = f"This is the {MOST_A_NIGHT}th of its kind tonight; the roll-up names those that follow."


def tell_at_once(night: date, topic: str, about: str, message: Message) -> None:
    """Tell the operators of something that cannot wait for the roll-up, unless they know, or hear of it too often.

    Args:
        night: The night that it belongs to.
        topic: What it is: an outcome, or ``held``.
        about: The district or the delivery.
        message: The message.
    """
    most = 1 if topic in OF_ALL else MOST_A_NIGHT
    with connect() as connection:
        place = claim(connection, night, topic, about)
    if place is None or place > most:
        return
    last = (LAST_OF_ALL if topic in OF_ALL else LAST_OF_MANY,) if place == most else ()
    runbook = NEXT_STEPS[topic].runbook_url
    what_to_do = (f"What to do: {runbook}",) if runbook else ()
    notify(Message(message.subject, (*message.lines, *what_to_do, *last), message.attachments))


def claim(connection: Connection, night: date, topic: str, about: str) -> int | None:
    """Write down that a message goes out, before it does; of two who want to send the same, one may.

    Args:
        connection: A connection to the ledger.
        night: The night that it belongs to.
        topic: What it tells.
        about: The district or the delivery; blank for what concerns all.

    Returns:
        The how-manyeth of its topic it is on that night; None when it was told already.
    """
    connection.execute("select pg_advisory_xact_lock(hashtext('rollcall.notice'))")
    place: int | None = value(
        connection,
        """
        insert into rollcall.notice (service_date, topic, about) values (%s, %s, %s)
        on conflict do nothing
        returning (
            select count(*) + 1 from rollcall.notice as told
            where told.service_date = notice.service_date and told.topic = notice.topic
        )
        """,
        (night, topic, about),
    )
    return place
