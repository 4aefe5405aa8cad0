"""DAGs that do nothing, in the shape of a district's DAG as it is and as it was: what Airflow itself costs.

The stack's dags folder gets this file too, and the processes that read it know how many there are to be from the
environment.
"""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, get_parsing_context, task
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from rollcall.airflow.retries import TRY_AGAIN

HOW_MANY = "FLEET_SHAPES"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FILES = ["orgs", "academicSessions", "courses", "classes", "users", "enrollments", "demographics"]


class WaitInTheTriggerer(BaseSensorOperator):
    """Begins and ends in the triggerer."""

    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        "airflow.providers.standard.triggers.temporal.DateTimeTrigger",
        next_method="execute_complete",
        trigger_kwargs={"moment": LONG_AGO, "end_from_trigger": True},
    )


class Wait(BaseOperator):
    """Begins in a process, waits in the triggerer, and ends in another process."""

    def execute(self, context: Any) -> None:  # noqa: ARG002 -- Airflow's signature
        """Hand over to the triggerer."""
        self.defer(trigger=DateTimeTrigger(LONG_AGO), method_name="execute_complete")

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """Nothing to do."""


@task
def step(what: str) -> str:
    """A task that does nothing."""
    return what


@task
def several() -> list[str]:
    """A task that says what to map over."""
    return FILES


@task
def one() -> list[list[str]]:
    """A task that says what to map over: all in one."""
    return [FILES]


@task
def mapped(files: Any) -> Any:
    """A mapped task that does nothing."""
    return files


@task
def skipped() -> None:
    """A task that finds in its own process that it has nothing to do."""
    raise AirflowSkipException


@task.branch
def branch() -> str:
    """A task that says where the run goes on."""
    return "await_publication"


def as_it_is(number: int) -> DAG:
    """The shape of a district's DAG: four processes for an ordinary night."""
    with DAG(f"shape_is__{number}", schedule=None, default_args=TRY_AGAIN, max_active_runs=16) as dag:
        found = one.override(task_id="receive")()
        checked = mapped.override(task_id="check").expand(files=found)
        decided = branch.override(task_id="decide")()
        held = step.override(task_id="hold")("hold")
        published = WaitInTheTriggerer(task_id="await_publication", trigger_rule="none_failed_min_one_success")
        WaitInTheTriggerer(task_id="wait_for_delivery") >> found >> checked >> decided >> [held, published]
        held >> published >> step.override(task_id="report")("report").as_teardown()
    return dag


def as_it_was(number: int) -> DAG:
    """The shape that it had before: 22 task instances, 24 processes."""
    with DAG(f"shape_was__{number}", schedule=None, default_args=TRY_AGAIN, max_active_runs=16) as dag:
        found = several.override(task_id="receive")()
        landed = mapped.override(task_id="land").expand(files=found)
        gated = mapped.override(task_id="gate").expand(files=found)
        Wait(task_id="wait_for_delivery") >> found >> landed >> gated
        together, decided = (step.override(task_id=name)(name) for name in ("gate_delivery", "decide"))
        gated >> together >> decided >> (held := skipped.override(task_id="hold")())
        accepted = step.override(task_id="accept", trigger_rule="none_failed")("accept")
        held >> accepted >> Wait(task_id="await_publication") >> step.override(task_id="report")("report").as_teardown()
    return dag


wanted = get_parsing_context().dag_id
for found_number in range(int(os.environ.get(HOW_MANY, "0"))):
    for make, prefix in ((as_it_is, "shape_is"), (as_it_was, "shape_was")):
        if wanted in (None, f"{prefix}__{found_number}"):
            globals()[f"{prefix}__{found_number}"] = make(found_number)
