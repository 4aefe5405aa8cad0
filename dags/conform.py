"""The DAG that builds: every accepted delivery, of all districts at once, into the published roster."""

import logging
from typing import Any

from airflow.sdk import DAG, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from rollcall.airflow.assets import ACCEPTED_DELIVERY
from rollcall.airflow.retries import TRY_AGAIN
from rollcall.settings import settings

log = logging.getLogger(__name__)

BACKSTOP = CronTriggerTimetable(settings().conform_backstop, timezone="UTC")
"""For events missed while this DAG was paused or failing: Airflow does not queue them."""

DOC = """
Builds what the district DAGs accepted. What to build is read from the ledger (`rollcall.delivery`, state `accepted`),
so a missed or doubled start does no harm. If the build fails, its districts are halved until the culprit stands alone;
the others are published. What was approved and not accepted yet is accepted first. Safe to clear at any time; killed,
it is tried again within seconds.
"""


@task.short_circuit
def find_accepted() -> bool:
    """Whether anything waits to be built; nothing to do ends the run before dbt starts.

    What was approved and has no run any more to accept it is accepted first.
    """
    from rollcall.decision.acceptance import accept_approved
    from rollcall.warehouse import connect

    accept_approved()
    with connect() as connection:
        rows = connection.execute(
            "select district_id, delivery_id from rollcall.delivery where state = 'accepted' order by accepted_at"
        ).fetchall()
    log.info(
        "%s accepted deliveries wait: %s.", len(rows), ", ".join(f"{name} {number}" for name, number in rows) or "-"
    )
    return bool(rows)


@task
def build() -> list[dict[str, Any]]:
    """Build and publish until nothing waits; the outcome of each model and audit is returned, and shown in XCom."""
    from dataclasses import asdict

    from rollcall.archive.decisions import write_decisions_if_possible
    from rollcall.conform import conform
    from rollcall.report.rekeyings import tell_of_failed_rekeyings
    from rollcall.steps import check_again

    outcomes = conform(reland=check_again)
    write_decisions_if_possible(sorted({district_id for outcome in outcomes for district_id in outcome.published}))
    culprits = {district: reason for outcome in outcomes for district, reason in outcome.failed.items()}
    for outcome in outcomes:
        for node in outcome.nodes:
            log.info("build %s: %s %s: %s in %.1f s", outcome.build_id, node.kind, node.name, node.status, node.seconds)
    if culprits:
        for district, reason in culprits.items():
            log.error("%s was not published: %s", district, reason)
    tell_of_failed_rekeyings()
    return [{"build": outcome.build_id, **asdict(node)} for outcome in outcomes for node in outcome.nodes]


with DAG(
    dag_id="conform",
    description="dbt: accepted deliveries to the published roster",
    doc_md=DOC,
    schedule=AssetOrTimeSchedule(timetable=BACKSTOP, assets=[ACCEPTED_DELIVERY]),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["roster"],
    default_args=TRY_AGAIN,
) as dag:
    find_accepted() >> build()
