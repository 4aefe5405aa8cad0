"""``rollcall approve`` and ``discard``."""

from typing import Annotated, Literal

import typer

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
    """Settle the ledger's row, and say what follows."""
    from rollcall.decision.holds import Answer
    from rollcall.decision.sequel import follow_up, is_overtaken, settle_by_hand
    from rollcall.who import person

    who = person(by)
    answer = Answer(settlement, who.name, why, "cli", who.login)
    ruling = settle_by_hand(delivery_id, answer, tell=_say)
    overtaken = is_overtaken(answer, ruling)
    if overtaken:
        console.print("Somebody was faster; their decision stands, and yours is kept as overtaken.", style="yellow")
    for sentence in follow_up(delivery_id, ruling):
        _say(sentence)
    if overtaken:
        raise typer.Exit(1)


def _say(sentence: str) -> None:
    console.print(one_line(sentence), soft_wrap=True)
