"""How a delivery stands, and how a night does: every word of the two in the ledger, and what each means for whom."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """``rollcall.delivery.state``."""

    RECEIVING = "receiving"
    RECEIVED = "received"
    HELD = "held"
    ACCEPTED = "accepted"
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    SAME_AS_HELD = "same_as_held"
    REJECTED = "rejected"
    DISCARDED = "discarded"
    SUPERSEDED = "superseded"
    CONFORM_FAILED = "conform_failed"
    AUDIT_FAILED = "audit_failed"

    @property
    def is_judged(self) -> bool:
        """Whether there is a verdict; a person's may still be due."""
        return self not in (DeliveryState.RECEIVING, DeliveryState.RECEIVED)

    @property
    def is_in_work(self) -> bool:
        """Whether it is landed, gated and decided on: the first time, or again after a clear."""
        return self in (
            DeliveryState.RECEIVED,
            DeliveryState.HELD,
            DeliveryState.REJECTED,
            DeliveryState.CONFORM_FAILED,
            DeliveryState.AUDIT_FAILED,
        )

    @property
    def may_be_accepted(self) -> bool:
        """Whether a decision can let it through: it is decided on, or held and approved."""
        return self in (DeliveryState.RECEIVED, DeliveryState.HELD)

    @property
    def has_sequence(self) -> bool:
        """Whether it was accepted: it waits for its build, or that has ended."""
        return self in (
            DeliveryState.ACCEPTED,
            DeliveryState.PUBLISHED,
            DeliveryState.CONFORM_FAILED,
            DeliveryState.AUDIT_FAILED,
        )

    @property
    def is_settled(self) -> bool:
        """Whether nobody works on its landed rows any more."""
        return self.is_judged and self not in (DeliveryState.HELD, DeliveryState.ACCEPTED)

    @property
    def is_good_news(self) -> bool:
        """Whether readers see what it says, or are about to."""
        return self in (DeliveryState.ACCEPTED, DeliveryState.PUBLISHED, DeliveryState.UNCHANGED)

    @property
    def sentence(self) -> str:
        """What it means for its night, where the ledger gives no other reason."""
        return _SENTENCES[self]


_GOOD_STAYS = "the last good roster stays."
_SENTENCES = {
    DeliveryState.RECEIVING: "The delivery is being received.",
    DeliveryState.RECEIVED: "The delivery lies in the archive and has no verdict yet.",
    DeliveryState.PUBLISHED: "The roster is published.",
    DeliveryState.UNCHANGED: "Nothing changed since the last delivery; the published roster counts for this night too.",
    DeliveryState.SAME_AS_HELD: "The delivery equals one that waits for approval; that one stays.",
    DeliveryState.HELD: f"The delivery waits for approval; {_GOOD_STAYS}",
    DeliveryState.ACCEPTED: "The delivery is accepted and waits for its build.",
    DeliveryState.DISCARDED: f"The delivery was discarded; {_GOOD_STAYS}",
    DeliveryState.SUPERSEDED: "A newer delivery took its place.",
    DeliveryState.REJECTED: f"The delivery was rejected; {_GOOD_STAYS}",
    DeliveryState.CONFORM_FAILED: f"The delivery could not be conformed; {_GOOD_STAYS}",
    DeliveryState.AUDIT_FAILED: f"The delivery was held back by an audit; {_GOOD_STAYS}",
}


class NightOutcome(StrEnum):
    """``rollcall.night.outcome``: how a night stands or ended, with the state of its delivery once that is judged."""

    WAITING = "waiting"
    IN_PROGRESS = "in_progress"
    NOT_EXPECTED = "not_expected"
    MISSING = "missing"
    INCOMPLETE = "incomplete"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    FAILED = "failed"
    HELD = "held"
    ACCEPTED = "accepted"
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    SAME_AS_HELD = "same_as_held"
    REJECTED = "rejected"
    DISCARDED = "discarded"
    SUPERSEDED = "superseded"
    CONFORM_FAILED = "conform_failed"
    AUDIT_FAILED = "audit_failed"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens tonight by itself."""
        return self not in (NightOutcome.WAITING, NightOutcome.IN_PROGRESS, NightOutcome.ACCEPTED)

    @property
    def needs_an_operator(self) -> bool:
        """Whether operators have to look: something is wrong with the delivery, or on the way."""
        return self in (
            NightOutcome.MISSING,
            NightOutcome.INCOMPLETE,
            NightOutcome.UNREACHABLE,
            NightOutcome.REFUSED,
            NightOutcome.FAILED,
            NightOutcome.REJECTED,
            NightOutcome.CONFORM_FAILED,
            NightOutcome.AUDIT_FAILED,
        )

    @property
    def is_told_at_once(self) -> bool:
        """Whether operators are told before the night's roll-up: it is not a district's own silence."""
        return self.needs_an_operator and self not in (NightOutcome.MISSING, NightOutcome.INCOMPLETE)

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to do something, a decision on a hold included."""
        return self.needs_an_operator or self is NightOutcome.HELD
