"""One DAG per district: from the inbox to the published roster.

The functions here only connect Airflow to the package; what a step does stands in ``plugins/rollcall``, which is
imported where it is used: this file is parsed often.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from rollcall.airflow.answers import hear_people_first
from rollcall.airflow.assets import ACCEPTED_AT_ONCE, ACCEPTED_DELIVERY
from rollcall.airflow.operators.hold import HoldOperator
from rollcall.airflow.retries import RETRIES_OF_RECEIVE, TRY_AGAIN
from rollcall.airflow.sensors.delivery import DeliverySensor
from rollcall.airflow.sensors.publication import PublicationSensor
from rollcall.airflow.triggers.arrival_watch import arrival_asset
from rollcall.airflow.triggers.night import run_service_date
from rollcall.districts import District, DistrictFileError, load_district, load_districts
from rollcall.settings import settings

log = logging.getLogger(__name__)

DOC = """
**{name}** sends its OneRoster files to the account `{district_id}`; this DAG takes each night's delivery from the inbox
to the published roster.

| it stops at | because | you |
|---|---|---|
| `wait_for_delivery` | nothing came, or not everything | ask the district; clear the task to wait again |
| `decide` | the delivery was rejected | send the district its receipt; its next delivery is judged anew |
| `hold` | it changes more than is ordinary | decide under *Required actions*, or with `rollcall approve` |
| `await_publication` | the build failed, or an audit found something | read its message; clear the run when fixed |

Whatever happens here, readers keep the last good roster.
"""
FILE_NAMES = "{{ task.op_kwargs['files'] | join(', ') }}"


def district_of(district_id: str) -> District:
    """The district as its file says now."""
    return load_district(settings().districts_dir / f"{district_id}.yaml")


@task(retries=RETRIES_OF_RECEIVE)
def receive(district_id: str) -> list[list[str]]:
    """Archive the delivery; says which files are to be checked, in units of a task: none when it is known already."""
    from rollcall.archive.inbox import IncompleteInboxError
    from rollcall.archive.receive import NightServedError
    from rollcall.landing.units import units_of
    from rollcall.ledger import UnknownDeliveryError
    from rollcall.nights import ImpossibleNightError
    from rollcall.sftp import SftpRefusedError, airflow_account
    from rollcall.steps import receive as receive_delivery

    context = get_current_context()
    district = district_of(district_id)
    hear_people_first(district_id)
    try:
        receipt = receive_delivery(
            district,
            airflow_account(district.sftp_connection_id),
            service_date=run_service_date(district, context),
            run_id=context["run_id"],
            source=context["params"]["source"],
        )
    except NightServedError as error:
        raise AirflowSkipException(str(error)) from None
    except (ImpossibleNightError, IncompleteInboxError, SftpRefusedError, UnknownDeliveryError) as error:
        raise AirflowFailException(str(error)) from None
    if receipt.delivery.state == "rejected" and not receipt.files:
        raise AirflowFailException(receipt.delivery.state_reason)
    return units_of(receipt.delivery.delivery_id) if receipt.files else []


@task(map_index_template=FILE_NAMES)
def check(district_id: str, files: list[str]) -> None:
    """Land files in the delivery's own schema, and check each against its suite in expectations/."""
    import sys

    preloaded = "great_expectations" in sys.modules  # else the import costs this task five seconds

    from rollcall.steps import check as check_files

    log.info("Great Expectations %s.", "came with the scheduler" if preloaded else "is imported by this task")
    delivery_id = delivery_in_work(district_id)
    in_full = get_current_context()["params"]["judge_in_full"]
    check_files(district_of(district_id), delivery_id, files, in_full=in_full)


@task.branch(outlets=[ACCEPTED_AT_ONCE])
def decide(district_id: str) -> str:
    """Check the delivery as a whole, then accept, hold or reject it; says where the run goes on."""
    from rollcall.decision.decide import GateUnfinishedError
    from rollcall.steps import check_together, judge

    district, delivery_id = district_of(district_id), delivery_of_this_run(district_id)
    check_together(district, delivery_id)
    hear_people_first(district_id)
    try:
        judgement = judge(district, delivery_id)
    except GateUnfinishedError as error:
        raise AirflowFailException(str(error)) from None
    if judgement.verdict == "rejected":
        raise AirflowFailException(judgement.why)
    if judgement.verdict == "settled":
        raise AirflowSkipException(judgement.why)
    if judgement.verdict == "held":
        return "hold"
    get_current_context()["outlet_events"][ACCEPTED_AT_ONCE].add(ACCEPTED_DELIVERY)
    return "await_publication"


@task
def report(district_id: str) -> str:
    """Close the night, leave the receipt, tell the operators; never decides the run's colour."""
    from rollcall.report.report import report as report_night
    from rollcall.sftp import airflow_account

    context = get_current_context()
    district = district_of(district_id)
    states: dict[str, Any] = context["ti"].get_task_states(dag_id=district.dag_id, run_ids=[context["run_id"]])
    failed = sorted(name for name, state in states[context["run_id"]].items() if state == "failed")
    return report_night(
        district,
        run_service_date(district, context),
        context["run_id"],
        airflow_account(district.sftp_connection_id),
        failed_tasks=tuple(failed),
    )


def delivery_of_this_run(district_id: str) -> int:
    """The delivery that ``receive`` opened for this run."""
    from rollcall.ledger import delivery_of_run
    from rollcall.warehouse import connect

    with connect() as connection:
        delivery = delivery_of_run(connection, district_id, get_current_context()["run_id"])
    if delivery is None:
        raise AirflowFailException(
            "This run has received no delivery. Clear it from wait_for_delivery on to wait for one."
        )
    return delivery.delivery_id


def delivery_in_work(district_id: str) -> int:
    """The run's delivery, when it is still to be judged; a task cleared on a settled one has nothing to do."""
    from rollcall.steps import is_in_work

    delivery_id = delivery_of_this_run(district_id)
    if not is_in_work(delivery_id):
        raise AirflowSkipException(f"Nothing to do: delivery {delivery_id} is settled.")
    return delivery_id


def district_dag(district: District) -> DAG:
    """The DAG of one district."""
    with DAG(
        dag_id=district.dag_id,
        description=f"{district.name}: from the inbox to the published roster",
        doc_md=DOC.format(name=district.name, district_id=district.district_id),
        schedule=schedule_of(district),
        catchup=False,
        max_active_runs=16,  # a run that waits for approval must not keep the next night from starting
        is_paused_upon_creation=False,
        tags=["roster", district.student_information_system],
        default_args=TRY_AGAIN,
        params=run_params(),
    ) as dag:
        name = district.district_id
        waiting = DeliverySensor(task_id="wait_for_delivery", district=district)
        files = receive(name)
        checked = check.partial(district_id=name).expand(files=files)
        decided = decide(name)
        hold = HoldOperator(task_id="hold", district_id=name, outlets=[ACCEPTED_DELIVERY])
        published = PublicationSensor(
            task_id="await_publication", district_id=name, trigger_rule="none_failed_min_one_success"
        )
        waiting >> files >> checked >> decided >> [hold, published]
        hold >> published >> report(name).as_teardown()
    return dag


def schedule_of(district: District) -> Any:
    """Each night; and, where the district says so, whenever a delivery comes after the deadline."""
    nightly = CronTriggerTimetable(district.schedule, timezone=district.timezone, run_immediately=timedelta(seconds=0))
    if not district.intraday:
        return nightly
    return AssetOrTimeSchedule(timetable=nightly, assets=[arrival_asset(district)])


def run_params() -> dict[str, Param]:
    """What a person can say when starting a run by hand."""
    return {
        "service_date": Param(
            None,
            type=["null", "string"],
            format="date",
            pattern=r"^20\d\d-(0[1-9]|1[0-2])-[0-3]\d$",
            title="Night",
            description="The night that this run serves, as 2026-11-20; blank means today's. One that has not come, or "
            "lies before the district's first, is refused.",
        ),
        "source": Param(
            "inbox",
            type="string",
            pattern=r"^(inbox|archive/\d+|injected/[0-9a-f]+)$",
            title="Source",
            description="inbox, or archive/<delivery number> to take an earlier delivery once more.",
        ),
        "judge_in_full": Param(
            False,
            type="boolean",
            title="Judge in full",
            description="Check every row, those too that are as they were when an earlier night checked them.",
        ),
        "wait_seconds": Param(
            None,
            type=["null", "number"],
            minimum=0,
            title="Wait",
            description="How many seconds to wait for the delivery; blank means until the deadline.",
        ),
    }


def districts(dag_id: str | None) -> Iterable[District | DistrictFileError]:
    """Every district; in a task's process that of its DAG alone: to read a thousand files takes seconds."""
    folder = settings().districts_dir
    if dag_id is None:
        return load_districts(folder)
    try:
        return [load_district(folder / f"{dag_id.removeprefix('roster__')}.yaml")]
    except DistrictFileError as error:
        return [error]


for found in districts(get_parsing_context().dag_id):
    # A broken district file is reported by district_files.py, so that it takes down no other district.
    if not isinstance(found, DistrictFileError):
        globals()[found.dag_id] = district_dag(found)
