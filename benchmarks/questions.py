"""What analysts wait for: the roster, and the ten questions of docs/querying.md, with row-level security on.

Beside the same questions to plain tables with the marts' rows, and as of an earlier night.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.accepted import accept_folder
from benchmarks.files import night_files
from benchmarks.machine import machine, server_version
from benchmarks.made import make_district
from benchmarks.night import conform
from benchmarks.processes import Task, run
from benchmarks.stack import BenchStack, bench_stack
from rollcall.readers import add_reader, grant
from rollcall.settings import PROJECT_ROOT
from rollcall.who import person
from simulator.profile import Profile

LARGE = "large"
AS_OF = "2026-10-03"
BUDGETS_MS = {"whole roster counted": 2000, "all rosters counted": 2000, "largest school": 50, "planning": 10}
QUESTION_BUDGET_MS = 3000
LOGINS = {"one district": LARGE, "all districts": None}
PASSWORD = token_urlsafe(24)

_ROSTER_QUESTIONS = {
    "whole roster counted": "select count(*) from {schema}.roster where district_id = 'large'",
    "all rosters counted": "select count(*) from {schema}.roster",
    "largest school": "select * from {schema}.roster where district_id = 'large' and school_source_id = 'school-10'",
}
_PLAIN = "create table plain.{mart} as select * from {schema}.{mart}; analyze plain.{mart}"


def measure(students: int, small: int, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Make a warehouse of one large district and some small ones, and ask.

    Args:
        students: How many the large district has.
        small: How many districts of a twentieth as many there are beside it.
        work: A folder for files and the stack.
        say: Told what goes on.

    Returns:
        The result, as it is written to JSON.
    """
    with bench_stack(work) as stack:
        before = machine()
        for district, size in ((LARGE, students), *((f"small-{number}", students // 20) for number in range(small))):
            make_district(stack, district, size)
        say("the rows are made")
        worked_out = _work_out(stack, work)
        say(f"worked out: {worked_out}")
        _prepare(stack)
        answers = [
            {"who": who, "as_of": as_of, "question": question, **asked}
            for who, as_of in (("one district", None), ("all districts", None), ("all districts", AS_OF))
            for question, asked in _ask(stack, who, as_of)
        ]
        return {
            "name": "readers",
            "students": students,
            "districts": 2 + small,
            "enrollments": stack.query("select count(*) from history.hist_enrollments")[0][0],
            "budgets_ms": BUDGETS_MS,
            "question_budget_ms": QUESTION_BUDGET_MS,
            "worked_out_seconds": worked_out,
            "machine": before | {"load_at_end": machine()["load"], "server": server_version(stack.url)},
            "answers": answers,
        }


def _work_out(stack: BenchStack, work: Path) -> dict[str, float]:
    """Have the build of a tiny district make the indexes and make up for the others; the seconds that took."""
    profile = Profile("tiny", "Tiny Unified", 100, seed=1)
    files = night_files(profile, 1, work)
    accept_folder(stack, stack.settle_in("tiny"), files.files[0].parent, profile.first_night)
    _, nodes = run([Task("build", conform)], stack.watch()).results["build"]
    return {name: round(seconds, 1) for name, seconds in nodes if name in ("hist_class_details", "hist_doubles")}


def _prepare(stack: BenchStack) -> None:
    """Readers, sizes for the planner, and the marts' rows in plain tables."""
    with psycopg.connect(stack.url, autocommit=True) as owner:
        owner.execute("vacuum analyze")
        owner.execute("create schema plain")
        marts = owner.execute(
            "select relnamespace::regnamespace::text, relname from pg_class"
            " where relkind = 'v' and relnamespace::regnamespace::text in ('roster', 'roster_restricted')"
            " and relname <> 'rpt_assessment_roster'"
        ).fetchall()
        for schema, mart in marts:
            owner.execute(_PLAIN.format(schema=schema, mart=mart))
        owner.execute("create index on plain.roster (district_id, school_source_id)")
        for who, district in LOGINS.items():
            add_reader(owner, _login(who), restricted=True, by=person("benchmark"), password=PASSWORD)
            grant(owner, _login(who), [district] if district else None, by=person("benchmark"))
            owner.execute(f"grant usage on schema plain to {_login(who)}")
            owner.execute(f"grant select on all tables in schema plain to {_login(who)}")


def _login(who: str) -> str:
    return f"bench_{who.replace(' ', '_')}"


def questions() -> Iterator[tuple[str, str]]:
    """The ten questions of docs/querying.md, by their headings; what they set is left out."""
    page = (PROJECT_ROOT / "docs" / "querying.md").read_text(encoding="utf-8")
    ten = page[page.index("## Ten questions") : page.index("## Who came, who went")]
    for title, script in re.findall(r"^### (.+?)\n.*?^```sql\n(.*?);\n```", ten, re.MULTILINE | re.DOTALL):
        yield title, script.split(";\n")[-1]


def _ask(stack: BenchStack, who: str, as_of: str | None) -> Iterator[tuple[str, dict[str, float]]]:
    """Each question to the marts, and, for the present, to plain tables: the server's own times, of a second run."""
    every = {name: query.format(schema="roster") for name, query in _ROSTER_QUESTIONS.items()} | dict(questions())
    with psycopg.connect(make_conninfo(stack.url, user=_login(who), password=PASSWORD), autocommit=True) as session:
        session.execute("select set_config('roster.as_of', %s, false)", [as_of or ""])
        for name, query in every.items():
            planning, execution = _timed(session, query)
            found = {"planning_ms": planning, "execution_ms": execution}
            if as_of is None:
                found["plain_ms"] = sum(_timed(session, re.sub(r"roster(_restricted)?\.(?=[a-z])", "plain.", query)))
            yield name, found


def _timed(session: "psycopg.Connection[Any]", query: str) -> tuple[float, float]:
    """Milliseconds of planning and of running."""
    for _ in range(2):
        rows = session.execute(f"explain (analyze, timing off, format json) {query}").fetchall()
    plan = rows[0][0][0]
    return round(plan["Planning Time"], 1), round(plan["Execution Time"], 1)
