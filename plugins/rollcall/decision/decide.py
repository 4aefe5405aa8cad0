"""The step ``decide``: findings and safeguards become a verdict."""

from dataclasses import dataclass
from typing import Literal

from rollcall import ledger
from rollcall.archive.store import Archive
from rollcall.decision.calendar import school_years
from rollcall.decision.change_list import write_change_list
from rollcall.decision.cut_files import of_cut_files
from rollcall.decision.figures import record_figures, record_students
from rollcall.decision.forecast import Forecast, forecast, record_forecast
from rollcall.decision.forgotten_people import of_forgotten
from rollcall.decision.holds import (
    Hold,
    discard_open_hold,
    hold_of,
    open_hold,
    supersede_holds,
    supersede_if_overtaken,
)
from rollcall.decision.reasons import Reason, reasons_to_reject
from rollcall.decision.rollbacks import of_rolled_back
from rollcall.decision.safeguards import Safeguards, folded_files_over_limit, of_two_nights
from rollcall.decision.welcome import welcome
from rollcall.districts import District
from rollcall.gate.progress import files_not_gated
from rollcall.ledger import Delivery
from rollcall.states import DeliveryState
from rollcall.warehouse import Connection, connect

Verdict = Literal["accept", "hold", "reject", "superseded", "discarded", "done"]

ORDINARY_NOW = "Judged again, nothing of it is out of the ordinary any more. It still waits for a person."


@dataclass(frozen=True)
class Decision:
    """A verdict and why.

    Attributes:
        reasons: Why the delivery is held or rejected, each with its code.
        note: What else an operator is to read: who settled it, what overtook it.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    note: str | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it, as an operator reads it."""
        return (*(reason.sentence for reason in self.reasons), *([self.note] if self.note else []))


class GateUnfinishedError(Exception):
    """What was landed has not gone through the whole gate; the message says what to clear."""


def decide(district: District, delivery_id: int) -> Decision:
    """Accept, hold or reject a gated delivery, and write the decision into the ledger.

    Deciding again gives the same answer; a hold that was settled stays settled.

    Raises:
        GateUnfinishedError: the gate has not finished with a file; nothing is decided.
    """
    with connect() as connection:
        delivery = ledger.delivery(connection, delivery_id, lock=True)
        if not delivery.state.is_in_work:
            return Decision("done", note=f"Delivery {delivery_id} is {delivery.state}.")
        overtaken = supersede_if_overtaken(connection, delivery)
        if overtaken:
            return Decision("superseded", note=overtaken)
        hold = hold_of(connection, delivery_id)
        if hold is not None and not hold.is_open:
            if hold.settlement == "approved":  # also when its build failed since: the approval stands
                ledger.set_state(connection, delivery_id, DeliveryState.RECEIVED, decided=True)
            return _as_settled(hold)
        _must_be_gated(connection, delivery)
        decision, found = _judge(connection, district, delivery)
        if hold is not None and decision.verdict == "accept":
            decision = Decision("hold", hold.reasons, ORDINARY_NOW)  # once held, a person releases it
        _record(connection, delivery, decision, found)
    return decision


def _must_be_gated(connection: Connection, delivery: Delivery) -> None:
    unfinished = files_not_gated(connection, delivery.delivery_id)
    if unfinished:
        raise GateUnfinishedError(
            f"Delivery {delivery.delivery_id} is not decided on: the gate has not finished with "
            f"{', '.join(unfinished)}. Clear `check` of these files and what follows; to mark a task as success checks "
            "nothing."
        )


def _as_settled(hold: Hold) -> Decision:
    note = f"{hold.settlement} by {hold.settled_by}: {hold.settled_why}"
    if hold.settlement == "approved":
        return Decision("accept", note=note)
    return Decision("discarded" if hold.settlement == "discarded" else "superseded", note=note)


def _judge(connection: Connection, district: District, delivery: Delivery) -> tuple[Decision, Forecast | None]:
    """The verdict on a delivery that nobody has settled yet, and what it would change: nothing when it is rejected."""
    rejected = reasons_to_reject(connection, delivery)
    if rejected:
        return Decision("reject", tuple(rejected)), None
    found = forecast(connection, delivery)
    sessions = next((each.sent for each in found.files if each.sent.file == "academicSessions"), None)
    years = school_years(connection, found.comparison, district.roll_over_days, sessions)
    safeguards = Safeguards(district.limits, years, delivery.service_date)
    reasons = of_rolled_back(connection, delivery)
    reasons += of_forgotten(connection, delivery)
    reasons += of_two_nights(connection, delivery)
    reasons += of_cut_files(connection, found, safeguards, Archive.of(delivery.district_id))
    reasons += safeguards.reasons(found)
    reasons += folded_files_over_limit(connection, delivery, district.limits)
    if district.first_delivery == "hold" and found.comparison.sequence is None:
        reasons += welcome(connection, delivery, found)
    return Decision("hold" if reasons else "accept", tuple(reasons)), found


def _record(connection: Connection, delivery: Delivery, decision: Decision, found: Forecast | None) -> None:
    """Write the verdict down: the delivery's state, the hold, the older holds that it makes pointless."""
    text = " ".join(decision.sentences)
    record_figures(connection, delivery)
    if found is None:
        discard_open_hold(connection, delivery, text)
        ledger.set_state(connection, delivery.delivery_id, DeliveryState.REJECTED, text)
        return
    record_students(connection, delivery)
    record_forecast(connection, found, approved=decision.verdict == "hold")
    supersede_holds(connection, delivery)
    if decision.verdict == "accept":
        ledger.set_state(connection, delivery.delivery_id, DeliveryState.RECEIVED, decided=True)
        return
    change_list = write_change_list(connection, found) if found.comparison.sequence else None
    open_hold(connection, delivery, decision.reasons, text, change_list)
