"""``rollcall approve`` and ``discard``."""

import json
from typing import Annotated, Literal

import typer

from rollcall.cli.output import AsJson, By, make_console
from rollcall.escaping import one_line

console = make_console()
DeliveryNumber = Annotated[int, typer.Argument(metavar="DELIVERY", help="The delivery's number, as `status` shows it.")]
Why = Annotated[str, typer.Option("--why", help="Why; goes into the ledger.")]


def approve(delivery: DeliveryNumber, why: Why, by: By = "", as_json: AsJson = False) -> None:
    """Publish a held delivery, whether its run lives or not.

    For example:

    rollcall approve 12 --why "they closed a school"
    """
    _decide(delivery, "approved", by, why, as_json=as_json)


def discard(delivery: DeliveryNumber, why: Why, by: By = "", as_json: AsJson = False) -> None:
    """Put a held delivery away; readers keep the last good roster.

    For example:

    rollcall discard 12 --why "half of it is missing"
    """
    _decide(delivery, "discarded", by, why, as_json=as_json)


def _decide(
    delivery_id: int, settlement: Literal["approved", "discarded"], by: str, why: str, *, as_json: bool
) -> None:
    """Settle the ledger's row, and say what follows: at once to a person, at the end to a program."""
    from rollcall.decision.holds import Answer
    from rollcall.decision.sequel import follow_up, is_overtaken, settle_by_hand
    from rollcall.who import person

    who, said = person(by), list[str]()
    answer = Answer(settlement, who.name, why, "cli", who.login)
    tell = said.append if as_json else _say
    ruling = settle_by_hand(delivery_id, answer, tell=tell)
    overtaken = is_overtaken(answer, ruling)
    if overtaken:
        tell("Somebody was faster; their decision stands, and yours is kept as overtaken.")
    for sentence in follow_up(delivery_id, ruling):
        tell(sentence)
    if as_json:
        stands = {"settlement": ruling.hold.settlement, "by": ruling.hold.settled_by, "is_overtaken": overtaken}
        typer.echo(json.dumps({"delivery": delivery_id, **stands, "what_follows": said}, indent=2))
    if overtaken:
        raise typer.Exit(1)


def _say(sentence: str) -> None:
    console.print(one_line(sentence), soft_wrap=True)
