"""Each state in words: what it means, who acts next, and what they press."""

from dataclasses import dataclass
from typing import Literal

from rollcall.report.status import DistrictState
from rollcall.settings import settings

Mood = Literal["bad", "wait", "good", "quiet"]
"""What color it has: something is wrong, somebody waits, all is well, or nothing was to come."""


@dataclass(frozen=True)
class NextStep:
    """What follows from a state.

    Attributes:
        words: The state, in a word or two.
        mood: Its color.
        who: Who acts next.
        what: What they do; blank where nobody has to do anything.
        runbook: Where docs/operate/ says it in full; blank where there is no more to say.
    """

    words: str
    mood: Mood
    who: Literal["You", "The district", "An engineer", "Rollcall", "Nobody"] = "Nobody"
    what: str = ""
    runbook: str = ""

    @property
    def runbook_url(self) -> str:
        """Where its runbook is read; blank without one, or where Airflow's address is not known."""
        airflow = settings().address_for_people
        return f"{airflow}/rollcall/operate/{self.runbook}" if airflow and self.runbook else ""


NEXT_STEPS = {
    "held": NextStep("On hold", "wait", "You", "Read why, then press Approve or Discard.", runbook="held"),
    "same_as_held": NextStep(
        "Same as a held one", "wait", "You", "Decide on the hold: these are the same files.", runbook="held"
    ),
    "conform_failed": NextStep(
        "Build failed", "bad", "An engineer", "Looks at the row that could not be built.", runbook="build"
    ),
    "audit_failed": NextStep(
        "Held back by an audit", "bad", "An engineer", "Looks at what the audit found.", runbook="build"
    ),
    "failed": NextStep(
        "A step broke",
        "bad",
        "You",
        "Read the log of the task that it names, then clear that task.",
        runbook="reference#clearing",
    ),
    "wrong_night": NextStep(
        "Wrong night", "bad", "You", "Give the publication the right night.", runbook="wrong-roster#a-wrong-night"
    ),
    "misconfigured": NextStep(
        "Misconfigured",
        "bad",
        "You",
        "Fix the district's file as the message says.",
        runbook="reference#a-mistake-in-a-districts-file",
    ),
    "refused": NextStep(
        "Login refused",
        "bad",
        "You",
        "Fix the SFTP connection, then start the night again.",
        runbook="missing#the-inbox-cannot-be-reached",
    ),
    "unreachable": NextStep(
        "Inbox unreachable",
        "bad",
        "You",
        "Fix the SFTP service, then start the night again.",
        runbook="missing#the-inbox-cannot-be-reached",
    ),
    "rejected": NextStep(
        "Rejected", "bad", "The district", "Fixes what its receipt says, sends the whole set again.", runbook="rejected"
    ),
    "incomplete": NextStep(
        "Incomplete", "bad", "The district", "Sends the whole set again. Ask it to.", runbook="missing"
    ),
    "missing": NextStep(
        "Missing", "bad", "You", "Ask the district for its files, or look why no run has started.", runbook="missing"
    ),
    "late": NextStep("Late", "wait", "The district", "Has until its deadline."),
    "in_progress": NextStep("In progress", "wait", "Rollcall", runbook="build#in-progress-for-long"),
    "rolled_back": NextStep("Rolled back", "wait", "The district", "Sends its next night."),
    "published": NextStep("Published", "good"),
    "unchanged": NextStep("Unchanged", "good"),
    "discarded": NextStep("Discarded", "quiet"),
    "superseded": NextStep("Superseded", "quiet"),
    "not_expected": NextStep("Not expected", "quiet"),
    "paused": NextStep("Paused", "quiet"),
    "removed": NextStep("Removed", "quiet"),
    "new": NextStep("No night yet", "quiet"),
}
"""Every state that a district can have, what needs somebody soonest first: the order of the page."""

ORDER = {state: place for place, state in enumerate(NEXT_STEPS)}


def next_step(state: DistrictState) -> NextStep:
    """What follows from a district's state."""
    return NEXT_STEPS[state.state]


def urgency(state: DistrictState) -> tuple[bool, int, int, str]:
    """What sorts districts by how soon a person has to look: those that need one, then by state, the longest first."""
    return (not state.needs_a_person, ORDER[state.state], -state.nights_since, state.district)
