"""How a delivery stands, said to the district's data manager."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from rollcall.ledger import Delivery
from rollcall.states import DeliveryState

Mood = Literal["good", "wait", "bad"]


@dataclass(frozen=True)
class Wording:
    """A delivery's state in sentences.

    Attributes:
        mood: Whether all is well, somebody decides, or something has to be done.
        headline: How it stands, in one sentence.
        next: What happens now, and what readers see meanwhile.
        you: What the district has to do.
    """

    mood: Mood
    headline: str
    next: str
    you: str


SEND_AGAIN = "Fix what is marked critical, from the top, and send the whole set again (in Aeries: Run Now and Upload)."
NOTHING = "Nothing."
WORDING: dict[DeliveryState, Wording] = {
    DeliveryState.ACCEPTED: Wording(
        "good",
        "Accepted: this delivery is about to be published.",
        "It is published within minutes. {meanwhile}",
        NOTHING,
    ),
    DeliveryState.UNCHANGED: Wording(
        "good",
        "Unchanged: this is the roster that is published already.",
        "The published roster counts for this night too.",
        NOTHING,
    ),
    DeliveryState.HELD: Wording(
        "wait",
        "On hold: a person looks at this delivery before it counts.",
        "One of our operators approves or discards it. Until then nothing changes. {meanwhile} A newer delivery takes "
        "this one's place by itself.",
        "Read the reasons. If the change is meant, tell us so, and there is nothing else to do. If something is "
        "missing, fix the export and send the whole set again (in Aeries: Run Now and Upload).",
    ),
    DeliveryState.SAME_AS_HELD: Wording(
        "wait",
        "On hold: these are the same files as those of delivery {same_as}, which waits for a decision.",
        "One of our operators approves or discards delivery {same_as}; its receipt has the reasons. {meanwhile}",
        "Nothing, unless you find a mistake in that receipt. Sending the same files again changes nothing.",
    ),
    DeliveryState.REJECTED: Wording(
        "bad", "Not accepted: this delivery has to be sent again.", "Nothing of it counts. {meanwhile}", SEND_AGAIN
    ),
    DeliveryState.DISCARDED: Wording(
        "bad",
        "Discarded: one of our operators decided that this delivery does not count.",
        "Nothing of it counts. {meanwhile}",
        "If you did not hear from us, ask. The same files sent again are discarded again; the next night's are judged "
        "anew.",
    ),
    DeliveryState.SUPERSEDED: Wording(
        "good", "Overtaken: a newer delivery took this one's place.", "Nothing of it counts. {meanwhile}", NOTHING
    ),
    DeliveryState.AUDIT_FAILED: Wording(
        "bad",
        "Not published: our own last check found something that should not be.",
        "Our operators are told, and look into it. {meanwhile}",
        "Nothing for now; the next night's files are judged anew.",
    ),
    DeliveryState.CONFORM_FAILED: Wording(
        "bad",
        "Not published: something went wrong on our side.",
        "Our operators are told, and look into it. {meanwhile}",
        "Nothing for now; the next night's files are judged anew.",
    ),
    DeliveryState.RECEIVED: Wording(
        "bad",
        "Not finished: something broke off on our side.",
        "Our operators are told; the files are safe with us. {meanwhile}",
        NOTHING,
    ),
}
WORDING[DeliveryState.RECEIVING] = WORDING[DeliveryState.RECEIVED]


def wording_of(delivery: Delivery, *, last_good: date | None, read: int, set_aside: int) -> Wording:
    """How a delivery stands.

    Args:
        delivery: The delivery.
        last_good: The night whose roster readers see; None when nothing was ever published.
        read: How many records it holds.
        set_aside: How many of them do not count.
    """
    if delivery.state is DeliveryState.PUBLISHED:
        return _published(read, set_aside)
    meanwhile = f"Readers keep the roster of {last_good}." if last_good else "Nothing is published yet."
    words = WORDING[delivery.state]
    filled = {"meanwhile": meanwhile, "same_as": delivery.same_as_delivery_id}
    return Wording(words.mood, words.headline.format(**filled), words.next.format(**filled), words.you.format(**filled))


def _published(read: int, set_aside: int) -> Wording:
    if not set_aside:
        return Wording(
            "good", f"Published: all {read:,} records are in the roster.", "Readers see this delivery.", NOTHING
        )
    return Wording(
        "good",
        f"Published: {read - set_aside:,} of {read:,} records are in the roster, {set_aside:,} were set aside.",
        "Readers see this delivery. Of each record set aside they see the last good version, if there is one.",
        "Fix what is marked critical, from the top; the next night's files bring it.",
    )
