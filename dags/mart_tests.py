"""The DAG that tests what readers see: the marts' own tests, on what was published since the last time."""

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task
from airflow.timetables.trigger import CronTriggerTimetable

from rollcall.airflow.retries import TRY_AGAIN

log = logging.getLogger(__name__)

DOC = """
Runs dbt's tests of the marts and of history's keys for the districts that published since the last time. It only tells:
nothing waits for it and nothing is taken back. Findings are in this task's log, in XCom and in `rollcall.mart_finding`;
`rollcall doctor` names them. Nothing published, nothing to do: the task ends before dbt starts.
"""


@task
def check_published() -> list[dict[str, Any]]:
    """Test what was published and not tested yet; the findings are returned, and shown in XCom."""
    from dataclasses import asdict

    from rollcall.conform import check_marts

    findings = check_marts()
    for finding in findings:
        tell = log.error if finding.severity == "error" else log.warning
        tell("%s fails %s: %s times", finding.district_id, finding.test, finding.failures)
    return [asdict(finding) for finding in findings]


with DAG(
    dag_id="mart_tests",
    description="dbt's tests of the marts, on what was published; it only tells",
    doc_md=DOC,
    schedule=CronTriggerTimetable("25 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["roster"],
    default_args={**TRY_AGAIN, "execution_timeout": timedelta(hours=4)},
) as dag:
    check_published()
