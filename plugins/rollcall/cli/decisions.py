"""``rollcall approve`` and ``discard``."""

from typing import Annotated, Literal

import typer

from rollcall.airflow_api import AirflowUnreachableError
from rollcall.cli.output import By, make_console
from rollcall.escaping import one_line

console = make_console()
DeliveryNumber = Annotated[int, typer.Argument(metavar="DELIVERY", help="The delivery's number, as `status` shows it.")]
Why = Annotated[str, typer.Option("--why", help="Why; goes into the ledger.")]


def approve(delivery: DeliveryNumber, why: Why, by: By = "") -> None:
    """Publish a held delivery, whether its run lives or not."""
    _decide(delivery, "approved", by, why)


def discard(delivery: DeliveryNumber, why: Why, by: By = "") -> None:
    """Put a held delivery away; readers keep the last good roster."""
    _decide(delivery, "discarded", by, why)


def _decide(delivery_id: int, settlement: Literal["approved", "discarded"], by: str, why: str) -> None:
    """Hear who answered in Airflow before, settle the ledger's row, and say what follows."""
    from rollcall import ledger
    from rollcall.decision.holds import Answer
    from rollcall.decision.sequel import follow_up
    from rollcall.decision.settle import CannotSettleError, settle
    from rollcall.warehouse import connect
    from rollcall.who import person

    who = person(by)
    with connect() as connection:
        district_id = ledger.delivery(connection, delivery_id).district_id
    _hear_airflow_first(district_id)
    with connect() as connection:
        ruling = settle(connection, delivery_id, Answer(settlement, who.name, why, "cli", who.login))
    if ruling.outcome == "refused":
        raise CannotSettleError(ruling.reason)
    hold = ruling.hold
    _say(f"Delivery {delivery_id} of {district_id}: {hold.settlement} by {hold.settled_by}: {hold.settled_why}")
    is_overtaken = (hold.settlement, hold.settled_by) != (settlement, who.name)
    if is_overtaken:
        console.print("Somebody was faster; their decision stands, and yours is kept as overtaken.", style="yellow")
    for sentence in follow_up(delivery_id, ruling):
        _say(sentence)
    if is_overtaken:
        raise typer.Exit(1)


def _hear_airflow_first(district_id: str) -> None:
    """An answer that Airflow has, and no task has read yet, came before this command."""
    from rollcall.decision.requests import hear_answers

    try:
        hear_answers(district_id)
    except AirflowUnreachableError as error:
        console.print(f"{error}: the ledger alone says who was first.", style="yellow")


def _say(sentence: str) -> None:
    console.print(one_line(sentence), soft_wrap=True)
