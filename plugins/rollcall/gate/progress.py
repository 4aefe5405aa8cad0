"""How far the gate has come with what was landed: a delivery counts only when it is through."""

from rollcall.ledger import Delivery
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.warehouse import Connection


def record_gated_alone(
    connection: Connection, delivery_id: int, file: str, rule_book: str, before: Delivery | None
) -> None:
    """Write down that a file went through its own suite; what refers to it, or it refers to, is to be checked anew.

    Args:
        connection: A transaction in the ledger.
        delivery_id: The delivery.
        file: The file, by the standard's name.
        rule_book: The hash of the rules that it was judged by.
        before: The delivery of which judgements were taken over; None where every row was judged.
    """
    connection.execute(
        "update rollcall.delivery_file set gated = 'alone', rule_book = %s, judged_since = %s"
        " where delivery_id = %s and file = %s",
        (rule_book, before and before.delivery_id, delivery_id, file),
    )


def record_gated_together(connection: Connection, delivery_id: int) -> None:
    """Write down that a delivery went through the gate, but for files that did not go through their own suite."""
    connection.execute(
        "update rollcall.delivery_file set gated = 'together' where delivery_id = %s and gated = 'alone'",
        (delivery_id,),
    )


def files_not_gated(connection: Connection, delivery_id: int) -> list[str]:
    """The files of a delivery that the gate has not finished with, those included that it is at work on.

    Whoever lands or gates one of the others waits until this transaction ends.

    Returns:
        Their names as in the standard (``users.csv``), in its order.
    """
    sent = connection.execute(
        "select file from rollcall.delivery_file where delivery_id = %s and mode <> 'absent'", (delivery_id,)
    ).fetchall()
    finished = connection.execute(
        "select file from rollcall.delivery_file where delivery_id = %s and gated = 'together' for update skip locked",
        (delivery_id,),
    ).fetchall()
    return [f"{name}.csv" for name in LANDED_FILE_NAMES if (name,) in sent and (name,) not in finished]
