"""The task ``await_publication``: parks until the delivery's build has ended, whichever way."""

from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException

from rollcall import ledger
from rollcall.airflow.triggers.publication import PublicationTrigger
from rollcall.settings import settings
from rollcall.warehouse import connect


class PublicationSensor(BaseSensorOperator):
    """Waits, without holding a worker, for the outcome of the build that a delivery was accepted into.

    Args:
        district_id: Whose delivery; which one, the run knows.
    """

    def __init__(self, *, district_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.district_id = district_id

    def execute(self, context: Any) -> None:
        """End at once when the build has ended already."""
        delivery = self._delivery(context["run_id"])
        if delivery.state == "accepted":
            self.defer(
                trigger=PublicationTrigger(delivery.delivery_id, settings().publication_poll_seconds),
                method_name="execute_complete",
            )
        self._judge(delivery)

    def execute_complete(self, context: Any, event: Any = None) -> None:  # noqa: ARG002 -- Airflow's signature
        """Say how the build ended."""
        self._judge(self._delivery(context["run_id"]))

    def _delivery(self, run_id: str) -> ledger.Delivery:
        with connect() as connection:
            delivery = ledger.delivery_of_run(connection, self.district_id, run_id)
        if delivery is None:
            raise AirflowFailException("This run received no delivery.")
        return delivery

    def _judge(self, delivery: ledger.Delivery) -> None:
        if delivery.state in ("conform_failed", "audit_failed"):
            raise AirflowFailException(
                f"Delivery {delivery.delivery_id} was not published: {delivery.state_reason} "
                "Readers still see the last good roster."
            )
        self.log.info("Delivery %s is %s.", delivery.delivery_id, delivery.state)
