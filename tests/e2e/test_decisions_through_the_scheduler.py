"""Holds whose run goes another way, and answers that come from two sides, through the real scheduler."""

import json
import os
import signal
from typing import Any

import psutil
import psycopg

from tests.e2e.conftest import NIGHT_1, FirstNights
from tests.e2e.operator_at_work import Desk


def hold(desk: Desk, district: str, first_nights: FirstNights) -> tuple[str, int]:
    """A first night that waits for a person: its run, and its delivery."""
    run = first_nights[district].run
    desk.until_task(district, run, "hold", "awaiting_input")
    ((number,),) = desk.sql("select delivery_id from rollcall.delivery where district_id = %s", district)
    return run, int(number)


def decide(desk: Desk, command: str, number: int) -> tuple[int, str]:
    """The command line's exit code, and what it prints, on one line."""
    answer = desk.rollcall(command, str(number), "--by", "Ada", "--why", "by telephone")
    return answer.returncode, " ".join((answer.stdout + answer.stderr).split())


def decisions(desk: Desk, number: int) -> list[tuple[Any, ...]]:
    return desk.sql(
        "select settlement, decided_by, via, outcome from rollcall.hold_decision where delivery_id = %s"
        " order by hold_decision_id",
        number,
    )


def test_an_approval_publishes_whatever_became_of_the_run(desk: Desk, first_nights: FirstNights) -> None:
    """`hold` marked as success by hand; and a run that was failed and deleted."""
    ended, ended_number = hold(desk, "linden", first_nights)
    gone, gone_number = hold(desk, "mulberry", first_nights)
    desk.api("PATCH", f"/api/v2/dags/roster__linden/dagRuns/{ended}/taskInstances/hold", json={"new_state": "success"})
    assert desk.ended("linden", ended) == "success"
    assert desk.published("linden") is None, "nobody has approved it"
    desk.api("PATCH", f"/api/v2/dags/roster__mulberry/dagRuns/{gone}", json={"state": "failed"})
    desk.ended("mulberry", gone)
    desk.api("DELETE", f"/api/v2/dags/roster__mulberry/dagRuns/{gone}")

    exit_code, told = decide(desk, "approve", ended_number)
    assert (exit_code, told.split(". A run")[0]) == (
        0, f"Delivery {ended_number} of linden: approved by Ada: by telephone It is accepted as sequence 1 of linden"
    )  # fmt: skip
    assert f"Its run {ended} has ended" in told
    exit_code, told = decide(desk, "approve", gone_number)
    assert exit_code == 0
    assert "Its run is gone from Airflow" in told
    for district, number in (("linden", ended_number), ("mulberry", gone_number)):
        desk.until_night(district, NIGHT_1, "published")
        assert desk.published(district) == (1, number, NIGHT_1)
        assert desk.sql("select outcome, message from rollcall.night where district_id = %s", district) == [
            ("published", "The roster is published.")
        ]
    states = json.loads(desk.rollcall("status", "--json").stdout)
    assert {one["last_good"] for one in states if one["district"] in ("linden", "mulberry")} == {str(NIGHT_1)}


def test_law_8_the_answer_that_airflow_took_first_counts_though_no_task_has_read_it(
    desk: Desk, first_nights: FirstNights
) -> None:
    run, number = hold(desk, "nutmeg", first_nights)
    desk.pause("roster__nutmeg", paused=True)  # as if the scheduler were behind
    desk.answer("nutmeg", run, "Approve", "looks right")

    exit_code, told = decide(desk, "discard", number)
    assert exit_code == 1
    assert "approved by admin: looks right Somebody was faster" in told
    assert f"Its run {run} goes on, and reports, once somebody unpauses its DAG." in told
    desk.until_night("nutmeg", NIGHT_1, "published")
    desk.pause("roster__nutmeg", paused=False)
    assert desk.ended("nutmeg", run) == "success"
    assert decisions(desk, number) == [
        ("approved", "admin", "airflow", "settled"),
        ("discarded", "Ada", "cli", "overtaken"),
    ]
    assert desk.tasks("nutmeg", run)["await_publication"] == "success"


def test_law_8_an_answer_outlives_the_task_that_was_killed_while_it_took_it_down(
    desk: Desk, first_nights: FirstNights
) -> None:
    """The retry would ask once more, and Airflow then forgets what was answered."""
    run, number = hold(desk, "plum", first_nights)
    with psycopg.connect(desk.state.warehouse_url) as blocker:
        blocker.execute("select pg_advisory_xact_lock(hashtextextended('rollcall.accept.plum', 0))")
        desk.answer("plum", run, "Approve", "looks right")
        ((port,),) = desk.until(
            "the task takes the answer down",
            lambda: desk.sql(
                "select client_port from pg_stat_activity where %s = any(pg_blocking_pids(pid))",
                blocker.info.backend_pid,
            ),
        )
        kill_the_client(port)
    assert desk.ended("plum", run) == "success"
    assert decisions(desk, number) == [("approved", "admin", "airflow", "settled")]
    assert desk.published("plum") == (1, number, NIGHT_1)


def test_a_killed_build_is_taken_over_in_seconds(desk: Desk, first_nights: FirstNights) -> None:
    """The build's process is killed in its middle; the retry, not the backstop, publishes the roster."""
    run, number = hold(desk, "olive", first_nights)
    before = desk.sql("select coalesce(max(build_id), 0) from rollcall.build")[0][0]
    assert decide(desk, "approve", number)[0] == 0
    desk.until(
        "a build of olive",
        lambda: desk.sql(
            "select 1 from rollcall.build inner join rollcall.build_delivery using (build_id)"
            " where build_id > %s and district_id = 'olive' and state = 'running'",
            before,
        ),
    )
    kill_the_build(desk)
    assert desk.ended("olive", run) == "success"
    assert decisions(desk, number) == [("approved", "Ada", "cli", "settled")], "Rollcall's own answer is no decision"
    builds = desk.sql(
        "select state, finished_at - lag(finished_at) over (order by build_id) < interval '60 seconds'"
        " from rollcall.build inner join rollcall.build_delivery using (build_id)"
        " where district_id = 'olive' order by build_id"
    )
    assert [state for state, _ in builds] == ["abandoned", "succeeded"]


def kill_the_build(desk: Desk) -> None:
    """Kill the process that holds the conform lock."""
    ((port,),) = desk.sql("select client_port from pg_stat_activity where application_name = 'rollcall-conform'")
    kill_the_client(port)


def kill_the_client(port: int) -> None:
    """SIGKILL, as an out-of-memory killer does it, to the process that talks to the warehouse from a port."""
    (pid,) = {each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port and each.pid}
    os.kill(pid, signal.SIGKILL)
