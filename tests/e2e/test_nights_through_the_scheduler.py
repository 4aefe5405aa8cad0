"""Nights through the real scheduler, triggerer and executor."""

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path

from rollcall.oneroster import FILE_NAMES
from rollcall.services import DEAD_AFTER, ServiceState, service_states
from rollcall.settings import working_on
from rollcall.stack import kill, restart
from simulator import spoil
from tests.e2e.conftest import NIGHT_1, NIGHT_2, NIGHT_3, Export, FirstNights
from tests.e2e.operator_at_work import Desk


def published_first_night(desk: Desk, district: str, first_nights: FirstNights) -> Export:
    """A district whose first night was good, so that there is something to lose."""
    first = first_nights[district]
    assert desk.ended(district, first.run) == "success", desk.how_it_went(district, first.run)
    assert desk.roster_rows(district) == first.delivery.expected.roster_rows
    return first.sis


def test_two_districts_at_once_and_the_same_again(desk: Desk, first_nights: FirstNights) -> None:
    for district in ("alder", "birch"):
        published_first_night(desk, district, first_nights)
        run = first_nights[district].run
        tasks = desk.tasks(district, run)
        assert tasks[f"check[{', '.join(FILE_NAMES)}]"] == "success"
        assert tasks["hold"] == "skipped"
        check_log = desk.task_log(district, run, "check")
        assert "came with the scheduler" in check_log
        assert "is imported by this task" not in check_log
        for name in FILE_NAMES:
            assert f"{name}.csv: accept" in check_log

    again = desk.start("alder", NIGHT_2)
    desk.upload("alder", first_nights["alder"].delivery.files)
    assert desk.ended("alder", again) == "success"
    assert desk.night("alder", NIGHT_2) == "unchanged"
    assert desk.published("alder")[2] == NIGHT_2  # type: ignore[index]
    assert desk.tasks("alder", again)["decide"] == "skipped"


def test_held_then_approved_by_the_cli(desk: Desk, first_nights: FirstNights) -> None:
    sis = published_first_night(desk, "cedar", first_nights)
    before = desk.published("cedar")
    bad = sis.write(2)
    spoil.truncate(bad.folder, "enrollments", 0.5)
    run = desk.start("cedar", NIGHT_2)
    desk.upload("cedar", bad.files)
    desk.until_task("cedar", run, "hold", "awaiting_input")
    assert desk.published("cedar") == before
    assert [action["subject"].split(":")[0] for action in desk.required_actions("cedar")] == ["cedar"]
    number = str(
        desk.sql("select delivery_id from rollcall.delivery where state = 'held' and district_id = 'cedar'")[0][0]
    )
    assert desk.rollcall("status").returncode == 1

    answer = desk.rollcall("approve", number, "--by", "Ada", "--why", "half of them moved")
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert desk.ended("cedar", run) == "success"
    assert desk.night("cedar", NIGHT_2) == "published"
    assert desk.required_actions("cedar") == []
    assert desk.roster_rows("cedar") == places(bad.folder / "enrollments.csv", NIGHT_2)
    too_late = desk.rollcall("discard", number, "--by", "Bob", "--why", "no")
    assert too_late.returncode == 1
    assert "approved by Ada" in too_late.stdout


def places(enrollments: Path, night: date) -> int:
    """How many places in classes the whole lines of a file give to students on a night."""
    text = enrollments.read_text()
    rows = csv.DictReader(text[: text.rindex("\n")].splitlines())
    return len(
        {
            (row["userSourcedId"], row["classSourcedId"])
            for row in rows
            if row["role"] == "student" and row["beginDate"] <= str(night) <= (row["endDate"] or "9999")
        }
    )


def test_held_then_discarded_in_the_ui_then_superseded(desk: Desk, first_nights: FirstNights) -> None:
    sis = published_first_night(desk, "dogwood", first_nights)
    before = desk.published("dogwood")
    bad = sis.write(2)
    spoil.truncate(bad.folder, "enrollments", 0.5)
    run = desk.start("dogwood", NIGHT_2)
    desk.upload("dogwood", bad.files)
    desk.until_task("dogwood", run, "hold", "awaiting_input")
    desk.answer("dogwood", run, "Discard", "truncated")
    assert desk.ended("dogwood", run) == "success"
    assert desk.night("dogwood", NIGHT_2) == "discarded"
    assert desk.published("dogwood") == before
    settled = desk.sql(
        "select settlement, settled_by, settled_why, settled_via from rollcall.hold "
        "join rollcall.delivery using (delivery_id) where district_id = 'dogwood'"
    )
    assert settled == [("discarded", "admin", "truncated", "airflow")]

    worse = sis.write(3)
    spoil.truncate(worse.folder, "enrollments", 0.4)
    held = desk.start("dogwood", NIGHT_3)
    desk.upload("dogwood", worse.files)
    desk.until_task("dogwood", held, "hold", "awaiting_input")
    good = sis.write(4)
    newer = desk.start("dogwood", NIGHT_3.replace(day=NIGHT_3.day + 1))
    desk.upload("dogwood", good.files)
    assert desk.ended("dogwood", newer) == "success"
    assert desk.ended("dogwood", held) == "success"
    assert desk.roster_rows("dogwood") == good.expected.roster_rows
    assert desk.required_actions("dogwood") == []


def test_a_missing_file_fails_the_run_and_a_clear_takes_the_late_one(desk: Desk, tmp_path: Path) -> None:
    sis = Export("elm", tmp_path)
    delivery = sis.write(1)
    late = [path for path in delivery.files if path.name == "users.csv"]
    desk.upload("elm", [path for path in delivery.files if path not in late])
    run = desk.start("elm", NIGHT_1, wait_seconds=4)
    assert desk.ended("elm", run) == "failed"
    assert desk.tasks("elm", run)["report"] == "success"
    waited = desk.api("GET", f"/api/v2/dags/roster__elm/dagRuns/{run}/taskInstances/wait_for_delivery")
    assert waited["try_number"] == 1, "it is not waited for once more, until another deadline"
    assert desk.night("elm", NIGHT_1) == "incomplete"
    missing, message = desk.sql(
        "select missing_files, message from rollcall.night where district_id = 'elm' and service_date = %s", NIGHT_1
    )[0]
    assert missing == ["users"]
    assert "users" in message
    assert "Nothing was ever published" in message

    desk.upload("elm", late)
    desk.clear("elm", run, "wait_for_delivery")
    assert desk.ended("elm", run) == "success"
    assert desk.roster_rows("elm") == delivery.expected.roster_rows


def test_restarts_while_waiting_and_a_paused_conform(desk: Desk, tmp_path: Path) -> None:
    exports = {district: Export(district, tmp_path / district) for district in ("fir", "ginkgo")}
    runs = {district: desk.start(district, NIGHT_1) for district in exports}
    for district, run in runs.items():
        desk.until_task(district, run, "wait_for_delivery", "deferred")
    restart("scheduler", desk.state.state_dir)
    restart("triggerer", desk.state.state_dir)
    desk.pause("conform", paused=True)
    deliveries = {district: sis.write(1) for district, sis in exports.items()}
    for district, delivery in deliveries.items():
        desk.upload(district, delivery.files)
    for district in exports:
        desk.until_night(district, NIGHT_1, "accepted")
    assert desk.published("fir") is None
    desk.pause("conform", paused=False)
    assert {desk.ended(district, run) for district, run in runs.items()} == {"success"}
    for district, delivery in deliveries.items():
        assert desk.roster_rows(district) == delivery.expected.roster_rows


def test_a_dead_service_is_named(desk: Desk) -> None:
    every = {"api-server", "scheduler", "dag-processor", "triggerer", "postgres", "sftp"}
    desk.until("every service", lambda: {each.service for each in service_states() if each.state == "alive"} == every)
    kill("triggerer", desk.state.state_dir)
    done = desk.rollcall("status", "--json")
    assert done.returncode == 1
    assert "triggerer is dead: its process is gone: no inbox is watched" in done.stderr
    assert all(state["district"] for state in json.loads(done.stdout))

    with working_on(airflow_url=desk.state.airflow_url):  # as on a server, where nobody sees processes
        desk.until("a missed heartbeat", lambda: state_of("triggerer").state == "late")
        assert state_of("triggerer", datetime.now(UTC) + DEAD_AFTER).state == "dead"
        assert state_of("scheduler").last_heartbeat is not None
    restart("triggerer", desk.state.state_dir)


def state_of(service: str, now: datetime | None = None) -> ServiceState:
    """How a service stands."""
    return next(each for each in service_states(now) if each.service == service)


def test_clearing_an_old_run_changes_nothing(desk: Desk, first_nights: FirstNights) -> None:
    sis = published_first_night(desk, "hazel", first_nights)
    old = first_nights["hazel"].run
    second = sis.write(2)
    newer = desk.start("hazel", NIGHT_2)
    desk.upload("hazel", second.files)
    assert desk.ended("hazel", newer) == "success"
    before = desk.published("hazel")
    content = history(desk)

    desk.clear("hazel", old)
    assert desk.ended("hazel", old) == "success"
    desk.clear("hazel", newer, "decide")
    assert desk.ended("hazel", newer) == "success"
    assert desk.published("hazel") == before
    assert history(desk) == content
    assert desk.roster_rows("hazel") == second.expected.roster_rows
    assert "is published" in desk.task_log("hazel", old, "receive")


def history(desk: Desk) -> list[tuple[object, ...]]:
    """Every version of hazel's enrollments."""
    return desk.sql(
        "select source_id, valid_from_seq, valid_to_seq, end_reason from history.hist_enrollments "
        "where district_id = 'hazel' order by 1, 2"
    )


def test_a_mistake_in_a_district_file_is_an_import_error_and_costs_no_other(desk: Desk, districts_dir: Path) -> None:
    broken = districts_dir / "zelkova.yaml"
    broken.write_text("name: Zelkova\nfirst_delivery: perhaps\n")
    try:
        errors = desk.until(
            "the import error",
            lambda: [
                error["stack_trace"]
                for error in desk.api("GET", "/api/v2/importErrors")["import_errors"]
                if "zelkova.yaml" in error["stack_trace"]
            ],
        )
        assert "zelkova.yaml: first_delivery:" in errors[0]
        listing = desk.api("GET", "/api/v2/dags", params={"limit": 100})["dags"]
        scheduled = {dag["dag_id"] for dag in listing if not dag["has_import_errors"]}
        assert "roster__alder" in scheduled
    finally:
        broken.unlink()
