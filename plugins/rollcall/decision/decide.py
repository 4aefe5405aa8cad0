"""The steps ``decide`` and ``accept``: findings and safeguards become a verdict, the verdict a sequence."""

import json
from dataclasses import dataclass
from typing import Literal

from rollcall import ledger
from rollcall.archive.store import Archive
from rollcall.codes import message_of
from rollcall.decision.calendar import school_years
from rollcall.decision.change_list import write_change_list
from rollcall.decision.cut_files import of_cut_files
from rollcall.decision.evidence import has_doubtful_rows, names_all_it_has
from rollcall.decision.forecast import Forecast, forecast, record_forecast
from rollcall.decision.reasons import Reason, reasons_to_reject
from rollcall.decision.rollbacks import of_rolled_back
from rollcall.decision.safeguards import Safeguards, folded_files_over_limit, of_two_nights
from rollcall.decision.settle import Hold, discard_open_hold, hold_of, newest_accepted, supersede, supersede_holds
from rollcall.districts import District
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_NAMES
from rollcall.settings import settings
from rollcall.warehouse import Connection, connect

ACCEPTABLE: frozenset[ledger.DeliveryState] = frozenset({"received", "held"})
"""States in which a decision lets a delivery through: decided on, or held and approved."""
Verdict = Literal["accept", "hold", "reject", "superseded", "discarded", "done"]


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


@dataclass(frozen=True)
class Acceptance:
    """What became of an attempt to accept.

    Attributes:
        sequence: The district's count of accepted deliveries, this one included; None when it was not accepted.
        reason: Why not.
    """

    sequence: int | None
    reason: str = ""


def decide(district: District, delivery_id: int) -> Decision:
    """Accept, hold or reject a gated delivery, and write the decision into the ledger.

    Deciding again gives the same answer; a hold that was settled stays settled.
    """
    with connect() as connection:
        delivery = ledger.delivery(connection, delivery_id, lock=True)
        if delivery.state not in ledger.IN_WORK:
            return Decision("done", note=f"Delivery {delivery_id} is {delivery.state}.")
        overtaken = _overtaken(connection, delivery)
        if overtaken:
            return Decision("superseded", note=overtaken)
        hold = hold_of(connection, delivery_id)
        if hold is not None and not hold.is_open:
            if hold.settlement == "approved":  # also when its build failed since: the approval stands
                ledger.set_state(connection, delivery_id, "received", decided=True)
            return _as_settled(hold)
        decision, found = _judge(connection, district, delivery)
        if hold is not None and decision.verdict == "accept":
            return Decision("hold", hold.reasons)  # once held, a person releases it
        _record(connection, delivery, decision, found)
    return decision


def accept(delivery_id: int) -> Acceptance:
    """Give a delivery its sequence, if the ledger lets it through.

    Accepting again changes nothing. Sequences follow the service date, then the arrival: an older delivery than one
    accepted already is superseded.
    """
    with connect() as connection:
        delivery = ledger.delivery(connection, delivery_id)
        ledger.lock_acceptance(connection, delivery.district_id)
        delivery = ledger.delivery(connection, delivery_id, lock=True)
        if delivery.state == "accepted":
            return Acceptance(delivery.accepted_sequence)
        if delivery.state not in ACCEPTABLE:
            return Acceptance(
                None, f"Delivery {delivery_id} is {delivery.state}. {delivery.state_reason or ''}".strip()
            )
        hold = hold_of(connection, delivery_id)
        if hold is not None and hold.settlement != "approved":
            return Acceptance(None, f"Delivery {delivery_id} is held and was not approved.")
        if hold is None and delivery.decided_at is None:
            return Acceptance(None, f"Delivery {delivery_id} was not decided on.")
        overtaken = _overtaken(connection, delivery)
        if overtaken:
            return Acceptance(None, overtaken)
        taken_back = of_rolled_back(connection, delivery) if hold is None else []
        if taken_back:  # since the decision
            decision = Decision("hold", tuple(taken_back))
            _hold(connection, delivery, decision, None)
            return Acceptance(None, f"Delivery {delivery_id} is held. {' '.join(decision.sentences)}")
        _judge_absences(connection, delivery, approved=hold is not None)
        return Acceptance(_next_sequence(connection, delivery))


def _overtaken(connection: Connection, delivery: Delivery) -> str | None:
    """Supersede a delivery that an accepted one has overtaken, and say so (law 10)."""
    newer = newest_accepted(connection, delivery)
    if newer is None or newer.age < delivery.age:
        return None
    return supersede(connection, delivery, newer)


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
    reasons += of_two_nights(connection, delivery)
    reasons += of_cut_files(connection, found, safeguards, Archive(settings().archive_root, delivery.district_id))
    reasons += safeguards.reasons(found)
    reasons += folded_files_over_limit(connection, delivery, district.limits)
    if district.first_delivery == "hold" and found.comparison.sequence is None:
        reasons.append(Reason("hold_first_delivery", message_of("hold_first_delivery")))
    return Decision("hold" if reasons else "accept", tuple(reasons)), found


def _record(connection: Connection, delivery: Delivery, decision: Decision, found: Forecast | None) -> None:
    """Write the verdict down: the delivery's state, the hold, the older holds that it makes pointless."""
    text = " ".join(decision.sentences)
    if found is None:
        discard_open_hold(connection, delivery, text)
        ledger.set_state(connection, delivery.delivery_id, "rejected", text)
        return
    record_forecast(connection, found, approved=decision.verdict == "hold")
    supersede_holds(connection, delivery)
    if decision.verdict == "accept":
        ledger.set_state(connection, delivery.delivery_id, "received", decided=True)
        return
    _hold(connection, delivery, decision, write_change_list(connection, found) if found.comparison.sequence else None)


def _hold(connection: Connection, delivery: Delivery, decision: Decision, change_list: str | None) -> None:
    """Have the delivery wait for a person."""
    ledger.set_state(connection, delivery.delivery_id, "held", " ".join(decision.sentences))
    connection.execute(
        """
        insert into rollcall.hold (delivery_id, reasons, change_list) values (%s, %s, %s)
        on conflict (delivery_id) do update set reasons = excluded.reasons, change_list = excluded.change_list
        where hold.settlement is null
        """,
        (delivery.delivery_id, json.dumps([reason.as_row() for reason in decision.reasons]), change_list),
    )


def _judge_absences(connection: Connection, delivery: Delivery, *, approved: bool) -> None:
    """Say for each file whether what it does not name is to be removed (law 5).

    Only a bulk file with records is evidence, and while it holds rows that may be anybody's, only if a person approved
    the delivery.
    """
    for sent in ledger.files_of(connection, delivery.delivery_id):
        if sent.file in FILE_NAMES:
            believed = names_all_it_has(sent) and (approved or not has_doubtful_rows(connection, sent))
            connection.execute(
                "update rollcall.delivery_file set absence_is_evidence = %s where delivery_id = %s and file = %s",
                (believed, delivery.delivery_id, sent.file),
            )


def _next_sequence(connection: Connection, delivery: Delivery) -> int:
    row = connection.execute(
        """
        update rollcall.delivery
        set state = 'accepted', state_reason = null, accepted_at = now(), decided_at = now(),
            accepted_sequence = 1 + coalesce(
                (select max(accepted_sequence) from rollcall.delivery where district_id = %s), 0
            )
        where delivery_id = %s
        returning accepted_sequence
        """,
        (delivery.district_id, delivery.delivery_id),
    ).fetchone()
    return int(str(row[0])) if row else 0
