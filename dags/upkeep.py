"""The DAG that tidies up: what is old goes, by policy; counts, decisions and what was removed stay in the ledger.

Before anything goes, what was decided and is not in the archive yet is written there.
"""

from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.timetables.trigger import CronTriggerTimetable

from rollcall.airflow.retries import TRY_AGAIN

TASKS = (
    "drop_landed",
    "remove_old_details",
    "remove_archived",
    "remove_receipts",
    "remove_logs",
    "archive_old_uploads",
)
"""The policies of `rollcall.upkeep`, which is too heavy to be imported here."""


@task
def write_decisions() -> None:
    """Write down in the archive what was decided, of every district, and is not there yet."""
    from rollcall import ledger
    from rollcall.archive.decisions import write_decisions
    from rollcall.warehouse import connect

    with connect() as connection:
        district_ids = ledger.district_ids(connection)
    for district_id in district_ids:
        write_decisions(district_id)


@task
def tidy(policy: str) -> None:
    """Remove what is old by one policy, and log how much it was."""
    from rollcall.upkeep import POLICIES

    POLICIES[policy].apply()


with DAG(
    dag_id="upkeep",
    description="Tidies up: landed rows, details of findings, archived files, receipts, task logs, old uploads",
    schedule=CronTriggerTimetable("30 12 * * *", timezone="UTC", run_immediately=timedelta(seconds=0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["upkeep"],
    default_args=TRY_AGAIN,
) as dag:
    written = write_decisions()
    for name in TASKS:
        written >> tidy.override(task_id=name)(name)
