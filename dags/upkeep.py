"""The DAG that tidies up: raw rows whose delivery is settled are dropped; the archive keeps the files."""

import logging
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.timetables.trigger import CronTriggerTimetable

log = logging.getLogger(__name__)

GRACE = timedelta(days=2)
"""How long the raw rows of a settled delivery stay, for an engineer who wants to look."""


@task
def drop_landed() -> list[str]:
    """Drop the schemas of deliveries that were settled more than the grace period ago."""
    from rollcall.conform import drop_landed as drop
    from rollcall.warehouse import warehouse_url

    dropped = drop(warehouse_url(), GRACE)
    log.info("Dropped %s schemas.", len(dropped))
    return dropped


with DAG(
    dag_id="upkeep",
    description="Drops the raw rows of settled deliveries",
    schedule=CronTriggerTimetable("30 12 * * *", timezone="UTC", run_immediately=timedelta(seconds=0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["upkeep"],
):
    drop_landed()
