"""The task ``hold``: Airflow's human-in-the-loop request, with the ledger's row as the truth behind it."""

from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from rollcall import ledger
from rollcall.airflow.answers import hear_people_first
from rollcall.decision.acceptance import accept
from rollcall.decision.change_list import largest_changes, where_it_lies
from rollcall.decision.holds import Answer, Hold, hold_of
from rollcall.decision.requests import APPROVE, DISCARD, answer_of, is_echo
from rollcall.decision.settle import Ruling, settle
from rollcall.districts import load_district
from rollcall.escaping import markdown
from rollcall.ledger import Delivery
from rollcall.report.notices import tell_at_once
from rollcall.report.notify import Message, notify
from rollcall.settings import settings
from rollcall.sftp import airflow_account
from rollcall.states import DeliveryState
from rollcall.warehouse import connect

WHY = Param("", source="task", type="string", title="Why?", description="Goes into the ledger with your name.")


class HoldOperator(HITLOperator):
    """Asks a person whether a held delivery counts; succeeds when it is accepted, and is skipped when it is not.

    The task parks without a worker. Whoever settles the hold first, here, by the CLI or by a newer delivery, is
    obeyed: what counts is the ledger, not the answer that this task was given.

    Args:
        district_id: Whose delivery.
    """

    def __init__(self, *, district_id: str, **kwargs: Any) -> None:
        kwargs["params"] = {"why": WHY}  # not the run's parameters too: the form would ask for them
        super().__init__(
            subject=f"{district_id}: a delivery waits for your decision", options=[APPROVE, DISCARD], **kwargs
        )
        self.district_id = district_id

    def execute(self, context: Any) -> Any:
        """Park until someone decides, unless they have: to ask anew, after a kill, wipes out what they answered."""
        hear_people_first(self.district_id)
        delivery, hold = self._hold(context["run_id"])
        delivery_id = delivery.delivery_id
        if hold is None:
            raise AirflowSkipException("Nothing to hold: the delivery is within the district's limits.")
        if not hold.is_open:
            self.log.info("The hold is settled: %s by %s.", hold.settlement, hold.settled_by)
            return self._go_on(delivery_id)
        self._tell_the_district(delivery_id)
        self.subject = f"{self.district_id}: delivery {delivery_id} is held"
        self.body = _body(delivery_id, hold)
        told = Message(self.subject, (*hold.sentences, "Readers still see the last good roster."))
        tell_at_once(delivery.service_date, DeliveryState.HELD, str(delivery_id), told)
        return super().execute(context)

    def _tell_the_district(self, delivery_id: int) -> None:
        """Leave a receipt that says why the delivery waits; `report` replaces it once the hold is settled."""
        from rollcall.report.posting import leave_receipt

        try:
            district = load_district(settings().districts_dir / f"{self.district_id}.yaml")
            leave_receipt(district, delivery_id, airflow_account(district.sftp_connection_id))
        except Exception as error:  # noqa: BLE001 -- no trouble with a receipt may keep a hold from being asked about
            self.log.warning("The district's receipt could not be written (%s).", type(error).__name__)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Take the answer down in the ledger; if someone was faster, their decision stands, and this one is a row."""
        answer = answer_of(super().execute_complete(context, event))
        delivery, hold = self._hold(context["run_id"])
        delivery_id = delivery.delivery_id
        if hold is None or is_echo(hold, answer):
            self.log.info("The hold was settled elsewhere; the ledger's decision stands.")
            return self._go_on(delivery_id)
        with connect() as connection:
            ruling = settle(connection, delivery_id, answer)
        if ruling.outcome == "settled":
            self.log.info("Delivery %s: %s by %s.", delivery_id, answer.settlement, answer.by)
        else:
            self._tell_too_late(delivery_id, answer, ruling)
        return self._go_on(delivery_id)

    def _go_on(self, delivery_id: int) -> None:
        """Let the run go on with a delivery that was approved."""
        acceptance = accept(delivery_id)
        if acceptance.sequence is None:
            raise AirflowSkipException(acceptance.reason)
        self.log.info("Accepted as sequence %s.", acceptance.sequence)

    def _tell_too_late(self, delivery_id: int, answer: Answer, ruling: Ruling) -> None:
        """Airflow shows an answer that does not count: whoever gave it has to be told, and by other means."""
        subject = f"{self.district_id}: an answer on delivery {delivery_id} does not count"
        said = f"{answer.by} {answer.settlement} it under Required Actions at {answer.at:%Y-%m-%d %H:%M:%S} UTC."
        notify(Message(subject, (said, ruling.reason or "")))

    def _hold(self, run_id: str) -> tuple[Delivery, Hold | None]:
        """The run's delivery, and its hold."""
        with connect() as connection:
            delivery = ledger.delivery_of_run(connection, self.district_id, run_id)
            if delivery is None:
                raise AirflowSkipException("This run received no delivery.")
            return delivery, hold_of(connection, delivery.delivery_id)


def _body(delivery_id: int, hold: Hold) -> str:
    """What the person who decides reads, in Markdown."""
    with connect() as connection:
        changes = largest_changes(connection, delivery_id)
    parts = [
        f"Delivery {delivery_id} waits for a person:",
        "\n".join(f"- {markdown(sentence)}" for sentence in hold.sentences),
        f"What it would change:\n\n{changes}" if changes else "",
        f"The ids of all that would change: `{where_it_lies(hold.change_list)}`" if hold.change_list else "",
        "**Approve** publishes it, and believes every absence in it. **Discard** keeps the last good roster. Until you "
        "decide, readers see the last good roster, and a newer delivery may take this one's place.",
    ]
    return "\n\n".join(part for part in parts if part)
