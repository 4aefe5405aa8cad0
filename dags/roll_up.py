"""The DAG that tells the operators how the night was, once the districts' windows have closed."""

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException
from airflow.timetables.trigger import CronTriggerTimetable

from rollcall.airflow.retries import TRY_AGAIN
from rollcall.settings import settings


@task
def send() -> None:
    """Send the roll-up; skipped where the night has had one."""
    from rollcall.report.roll_up import send_roll_up

    if not send_roll_up():
        raise AirflowSkipException("The roll-up of this night was sent before.")


with DAG(
    dag_id="roll_up",
    description="One message to the operators: published, unchanged, what needs a person, what is missing",
    schedule=CronTriggerTimetable(settings().roll_up_at, timezone="Etc/GMT+5"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["roster"],
    default_args=TRY_AGAIN,
) as dag:
    send()
