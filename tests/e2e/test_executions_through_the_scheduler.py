"""How many processes the night of a small district starts: each costs half a second of a core, however little it does.

Counted in Airflow's own database. Its event log has a row ``running`` for each process that begins with a task: for
each try, for each mapped instance, and for one that goes on after a wait or an answer, too. What the triggerer does and
what the scheduler skips starts none; such a task instance has no process id either.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from tests.e2e.conftest import NIGHT_1, NIGHT_2, NIGHT_3, Export
from tests.e2e.operator_at_work import Desk

AT_MOST = 9
"""For an ordinary night of a district below 20 MB."""


def starts(desk: Desk, run_id: str) -> Counter[str]:
    """How many processes each task of a run has started."""
    rows = in_airflow(
        desk, "select task_id, count(*) from log where event = 'running' and run_id = %s group by 1", run_id
    )
    return Counter({str(task): int(count) for task, count in rows})


def in_airflow(desk: Desk, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of Airflow's database."""
    with psycopg.connect(desk.state.airflow_db_url) as connection:
        return connection.execute(statement, values).fetchall()


def delivery_of(desk: Desk, run_id: str) -> int:
    """The delivery of a run."""
    rows = desk.sql("select delivery_id from rollcall.delivery where run_id = %s and district_id = 'rowan'", run_id)
    return int(rows[0][0])


def judged_since(desk: Desk, run_id: str) -> list[int | None]:
    """From which deliveries the judgements on a run's files were taken over; None where all rows were judged."""
    rows = desk.sql(
        "select distinct judged_since from rollcall.delivery_file where delivery_id = %s and file <> 'manifest'",
        delivery_of(desk, run_id),
    )
    return [since for (since,) in rows]


def test_an_ordinary_night_starts_four_processes_and_an_unchanged_one_two(desk: Desk, tmp_path: Path) -> None:
    sis = Export("rowan", tmp_path)
    nights = ((NIGHT_1, 1, "published"), (NIGHT_2, 2, "published"), (NIGHT_3, 2, "unchanged"))
    runs = []
    for date, version, outcome in nights:
        runs.append(desk.start("rowan", date))
        desk.upload("rowan", sis.write(version).files)
        assert desk.ended("rowan", runs[-1]) == "success"
        assert desk.night("rowan", date) == outcome
    first, ordinary, unchanged = runs
    assert judged_since(desk, first) == [None]
    assert judged_since(desk, ordinary) == [delivery_of(desk, first)]
    assert starts(desk, ordinary) == starts(desk, first) == Counter(["receive", "check", "decide", "report"])
    assert starts(desk, ordinary).total() <= AT_MOST
    assert starts(desk, unchanged) == Counter(["receive", "report"])

    instances = "select task_id, state, pid is not null, try_number from task_instance where run_id = %s"
    processes = {task: rest for task, *rest in in_airflow(desk, instances, ordinary)}
    assert {task for task, (_, has_process, _) in processes.items() if has_process} == set(starts(desk, ordinary))
    assert processes["wait_for_delivery"] == processes["await_publication"] == ["success", False, 1]
    assert processes["hold"] == ["skipped", False, 0]

    in_full = desk.start("rowan", NIGHT_3, judge_in_full=True)
    desk.upload("rowan", sis.write(3).files)
    assert desk.ended("rowan", in_full) == "success"
    assert judged_since(desk, in_full) == [None]
