"""The DAG that tidies up: raw rows and details of findings go when their delivery is settled; files and counts stay."""

import logging
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.timetables.trigger import CronTriggerTimetable

from rollcall.airflow.retries import TRY_AGAIN

log = logging.getLogger(__name__)

GRACE = timedelta(days=2)
"""How long the raw rows of a settled delivery stay, for an engineer who wants to look."""


@task
def drop_landed() -> list[str]:
    """Drop the schemas of deliveries that were settled more than the grace period ago."""
    from rollcall.conform import drop_landed as drop

    dropped = drop(GRACE)
    log.info("Dropped %s schemas.", len(dropped))
    return dropped


@task
def remove_old_details() -> None:
    """Remove the rows of findings of old deliveries from the ledger; how many there were stays."""
    from rollcall.settings import settings
    from rollcall.upkeep import remove_old_details as remove

    days = settings().findings_kept_days
    for removal in remove(timedelta(days=days)):
        log.info(
            "Removed %s rows of %s deliveries from rollcall.%s: they were settled more than %s days ago.",
            removal.rows_removed,
            removal.deliveries,
            removal.relation,
            days,
        )


with DAG(
    dag_id="upkeep",
    description="Drops the raw rows of settled deliveries, and the ledger's details of old ones",
    schedule=CronTriggerTimetable("30 12 * * *", timezone="UTC", run_immediately=timedelta(seconds=0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["upkeep"],
    default_args=TRY_AGAIN,
) as dag:
    drop_landed()
    remove_old_details()
