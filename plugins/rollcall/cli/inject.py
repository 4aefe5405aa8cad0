"""``rollcall inject``."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from rollcall.cli.arguments import DistrictId
from rollcall.cli.output import AsJson, By, make_console, progress_bar
from rollcall.progress import tell
from rollcall.states import DeliveryState, NightOutcome

console = make_console()
LOOKS_EVERY_SECONDS = 2
GOOD_NEWS = {state.value for state in DeliveryState if state.is_good_news}


def inject(
    district: DistrictId,
    path: Annotated[Path, typer.Argument(exists=True, help="A folder of CSV files, or a zip.")],
    night: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The night; today's if blank.")] = None,
    by: By = "",
    why: Annotated[str, typer.Option(help="Why; goes into the ledger.")] = "",
    wait: Annotated[bool, typer.Option(help="Wait for the verdict; exits 1 when it is bad news.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a hand-fetched delivery through the whole path: archived first, then judged like any other.

    For example:

    rollcall inject lakeside-usd mailed.zip --night 2026-11-20 --why "sent by mail" --wait
    """
    from rollcall.airflow_api import airflow_api
    from rollcall.archive.injected import SOURCE, keep_injected
    from rollcall.archive.lock import only_one
    from rollcall.archive.store import Archive
    from rollcall.districts import load_district
    from rollcall.nights import ImpossibleNightError, impossible_because
    from rollcall.settings import settings
    from rollcall.warehouse import connect
    from rollcall.who import person

    known = load_district(settings().districts_dir / f"{district}.yaml")
    service_date = night.date() if night else known.service_date(datetime.now(UTC))
    with connect() as connection:
        impossible = impossible_because(connection, known, service_date)
    if impossible is not None:
        raise ImpossibleNightError(impossible)
    archive = Archive.of(district)
    with progress_bar(), only_one(district):
        source = SOURCE + keep_injected(archive, path, known.upload, by=person(by), why=why)
    conf = {"service_date": service_date.isoformat(), "source": source}
    answer: dict[str, Any] = {"district": district, "night": service_date.isoformat(), "source": source}
    with airflow_api() as api:
        answer["run"] = _start(api, known.dag_id, conf)
    with progress_bar():
        answer |= _verdict(district, answer["run"]) if wait else {"state": "started"}
    if as_json:
        console.print_json(json.dumps(answer))
    else:
        console.print(
            f"{district}, night of {service_date}: {answer['state']}. {answer.get('message') or ''}".strip(),
            f"Run {answer['run']} of {known.dag_id}, source {source}.",
            sep="\n",
        )
    if wait and answer["state"] not in GOOD_NEWS:
        raise typer.Exit(1)


def _start(api: httpx.Client, dag_id: str, conf: dict[str, str]) -> str:
    """Start a run of the district's DAG; its id."""
    from rollcall.archive.injected import InjectError

    response = api.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
    if response.status_code == httpx.codes.NOT_FOUND:
        raise InjectError(
            f"Airflow has no DAG {dag_id} yet. The files are archived: trigger it with Source {conf['source']} and "
            f"Night {conf['service_date']} when it is there."
        )
    return str(response.raise_for_status().json()["dag_run_id"])


def _verdict(district_id: str, run_id: str) -> dict[str, Any]:
    """Wait until the ledger knows what became of the run's delivery."""
    from rollcall.airflow_api import airflow_api
    from rollcall.ledger import delivery_of_run
    from rollcall.warehouse import connect

    while True:
        with airflow_api() as api:
            path = f"/api/v2/dags/roster__{district_id}/dagRuns/{run_id}"
            has_ended = api.get(path).raise_for_status().json()["state"] in ("success", "failed")
        with connect() as connection:
            delivery = delivery_of_run(connection, district_id, run_id)
        tell(f"{delivery.state}: waiting for its verdict" if delivery else "waiting for its run")
        if delivery is not None and delivery.state.is_judged and delivery.state is not DeliveryState.ACCEPTED:
            return {"state": delivery.state, "delivery": delivery.delivery_id, "message": delivery.state_reason}
        if has_ended:
            state = delivery.state if delivery and delivery.state.is_judged else NightOutcome.FAILED
            return {"state": state, "delivery": delivery.delivery_id if delivery else None, "message": None}
        time.sleep(LOOKS_EVERY_SECONDS)
