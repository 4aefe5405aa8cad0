"""The build and its publication when something is wrong: with a district, with the data, with the machine."""

import os
import signal
import subprocess
import sys
import threading
import time
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import psycopg2  # type: ignore[import-untyped]  # it brings no types; dbt logs in with it
import pytest
from helpers.deliveries import FIRST_NIGHT, accept, execute, land, put_aside, query, reland_nothing
from helpers.logged import heard_by
from helpers.schools import Rows, record, school_district, without
from helpers.threads import Thread

from rollcall import ledger
from rollcall.conform import (
    BuildImpossibleError,
    BuildOutcome,
    LandedRowsLostError,
    conform,
    deploy,
)
from rollcall.conform.dbt_build import profile_variables, run_dbt
from rollcall.conform.history import HISTORY_TABLES
from rollcall.conform.session import CONFORM_LOCK
from rollcall.decision.changes import write_changes
from rollcall.landing.typed import make_typed
from rollcall.oneroster import FILE_BY_NAME
from rollcall.pointer import move_effective_date
from rollcall.settings import PROJECT_ROOT
from rollcall.upkeep.landed import drop_landed
from rollcall.warehouse import WarehouseError, connect

SECOND_NIGHT = FIRST_NIGHT + timedelta(days=1)
LEDGER = ("build_node", "audit_finding", "change_count", "publication", "publication_event", "row_finding")
DBT_THREADS = 2
"""Of dbt_project/profiles.yml. What comes first, and what comes last, has a thread of its own."""
CHILD = """
from rollcall.conform import conform
conform(reland=lambda _: None)
"""


def build() -> list[BuildOutcome]:
    return conform(reland=reland_nothing)


def states(url: str) -> dict[str, str]:
    return dict(query(url, "select district_id, state from rollcall.delivery order by delivery_id"))


def content(url: str) -> dict[str, list[Any]]:
    """Everything that a night leaves behind, but for times and build numbers."""
    found = {table: query(url, f"select t::text from {table} as t order by 1") for table in HISTORY_TABLES}
    found["publication"] = query(
        url, "select district_id, sequence, delivery_id, effective_date from rollcall.publication"
    )
    found["events"] = query(
        url, "select district_id, sequence, delivery_id from rollcall.publication_event order by 1, 2"
    )
    found["changes"] = query(url, "select * from rollcall.change_count order by 1, 2")
    found["deliveries"] = query(url, "select delivery_id, state, state_reason from rollcall.delivery order by 1")
    return found


def two_nights(url: str) -> None:
    """Three districts, published once, with a second night accepted for each."""
    for district in ("hill", "lake", "river"):
        accept(url, district, 1, school_district())
    build()
    for district in ("hill", "lake", "river"):
        accept(url, district, 2, _second_night(), service_date=SECOND_NIGHT)


def _second_night() -> Rows:
    night = without(school_district(), "enrollments", "994_1000:994_1000_S0", "995_1001:995_1001_S2")
    record(night, "users", "994_1000_S2")["given_name"] = "Grace"
    night["courses"].append({"sourced_id": "ART", "title": "Art", "org_sourced_id": "D"})
    return night


def test_a_build_killed_at_any_moment_ends_as_if_it_had_not_been(warehouse_url: str, state_dir: Path) -> None:
    """Law 4. SIGKILL at moments from before dbt to after the first publications, in one warehouse, over and over."""
    two_nights(warehouse_url)
    for moment in (
        "history.hist_orgs",
        "history.hist_enrollments",
        "rollcall.publication",
    ):
        _kill_when(warehouse_url, moment)
    running = query(warehouse_url, "select count(*) from rollcall.build where state = 'running'")
    build()
    disturbed = content(warehouse_url)
    assert running == [(1,)], "the last kill left a build behind"
    assert set(states(warehouse_url).values()) == {"published"}
    assert query(warehouse_url, "select count(*) from rollcall.build where state = 'running'") == [(0,)]

    _empty(warehouse_url)
    two_nights(warehouse_url)
    build()
    assert content(warehouse_url) == disturbed


def _kill_when(url: str, moment: str) -> None:
    """Start a conform, and kill it when a lock makes it wait at a certain table."""
    with psycopg.connect(url) as blocker:
        blocker.execute(f"lock table {moment} in share row exclusive mode")
        child = subprocess.Popen([sys.executable, "-c", CHILD], env=os.environ | {"AIRFLOW_CONN_WAREHOUSE": url})
        _wait_for(url, "select count(*) > 0 from pg_locks where not granted")
        child.send_signal(signal.SIGKILL)
        child.wait()


def _wait_for(url: str, condition: str) -> None:
    deadline = time.monotonic() + 60
    while query(url, condition) != [(True,)]:
        assert time.monotonic() < deadline, f"never came true: {condition}"
        time.sleep(0.02)


def _empty(url: str) -> None:
    """Back to a warehouse in which nothing was ever delivered."""
    for (schema,) in query(url, "select nspname from pg_namespace where nspname like 'delivery\\_%%'"):
        execute(url, f"drop schema {schema} cascade")
    execute(url, "truncate rollcall.district, rollcall.build restart identity cascade")
    execute(url, f"truncate {', '.join(HISTORY_TABLES)}")


def test_what_postgresql_refuses_fails_its_district_alone_and_is_quoted_nowhere(
    warehouse_url: str, postgres: Any, state_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Laws 6 and 7."""
    secret = "of-Ada-Lovelace"
    rows = school_district()
    for district in ("elm", "hill", "lake", "oak", "river"):
        spoilt = deepcopy(rows)
        if district == "oak":
            record(spoilt, "demographics", "994_1000_S0")["city_of_birth"] = secret
        accept(warehouse_url, district, 1, spoilt)
    execute(
        warehouse_url,
        f"alter table history.hist_demographics add constraint no_secret check (city_of_birth <> '{secret}')",
    )
    said: list[str] = []
    with heard_by(said.append):
        outcomes = conform(reland=reland_nothing)

    assert sorted(district for outcome in outcomes for district in outcome.published) == [
        "elm",
        "hill",
        "lake",
        "river",
    ]
    assert states(warehouse_url)["oak"] == "conform_failed"
    (reason,) = [reason for outcome in outcomes for reason in outcome.failed.values()]
    assert "hist_demographics" in reason
    assert "SQLSTATE 23" in reason
    assert query(warehouse_url, "select count(*) from history.hist_users where district_id = 'oak'") == [(0,)]
    assert query(warehouse_url, "select count(distinct split_from_build_id) > 1 from rollcall.build") == [(True,)]

    told = [repr(outcomes), *said, *capfd.readouterr(), postgres.log.read_text()]
    told += [repr(query(warehouse_url, f"select t::text from rollcall.{table} as t")) for table in LEDGER]
    told += [repr(query(warehouse_url, "select t::text, b::text from rollcall.delivery t, rollcall.build b"))]
    told += [path.read_text(errors="replace") for path in state_dir.rglob("*") if path.is_file()]
    for text in told:
        assert secret not in text


def test_a_finding_holds_one_district_back_and_rows_that_were_lost_are_landed_again(warehouse_url: str) -> None:
    for district in ("hill", "lake"):
        accept(warehouse_url, district, 1, school_district())
    build()
    published = query(warehouse_url, "select t::text from roster.roster as t where district_id = 'hill' order by 1")
    # The gate would have seen that: a class without its school, enrollments without their class and person.
    night = without(_second_night(), "orgs", "995")
    night = without(night, "classes", "994_1001")
    night = without(night, "users", "994_1000_S2", "994_1000_S1")
    hill = accept(warehouse_url, "hill", 2, night, service_date=SECOND_NIGHT)
    lake = accept(warehouse_url, "lake", 2, _second_night(), service_date=SECOND_NIGHT)
    execute(
        warehouse_url,
        "insert into rollcall.night (district_id, service_date, outcome, delivery_id)"
        " select district_id, service_date, 'failed', delivery_id from rollcall.delivery where state = 'accepted'",
    )
    execute(warehouse_url, f"truncate delivery_{lake}.enrollments")  # as PostgreSQL does after a crash
    oak = accept(warehouse_url, "oak", 1, school_district(), service_date=SECOND_NIGHT)
    # Landed once more after a crash, and killed before the gate had looked at it.
    execute(warehouse_url, "update rollcall.delivery_file set gated = null where delivery_id = %s", oak)
    relanded = []

    def reland(delivery_id: int) -> None:
        relanded.append(delivery_id)
        with psycopg.connect(warehouse_url) as connection:
            land(connection, delivery_id, school_district() if delivery_id == oak else _second_night())
        execute(
            warehouse_url, "update rollcall.delivery_file set gated = 'together' where delivery_id = %s", delivery_id
        )

    (outcome,) = conform(reland=reland)

    assert relanded == [lake, oak]
    assert outcome.published == ["lake", "oak"]
    assert outcome.failed == {
        "hill": "classes_name_a_known_school: 2; enrollments_name_a_known_class: 4; enrollments_name_a_known_user: 2"
    }
    assert query(warehouse_url, "select state, state_reason from rollcall.delivery where delivery_id = %s", hill) == [
        ("audit_failed", f"audits found: {outcome.failed['hill']}")
    ]
    assert query(warehouse_url, "select district_id, outcome, message from rollcall.night order by 1") == [
        ("hill", "audit_failed", f"audits found: {outcome.failed['hill']}"),
        ("lake", "published", "The roster is published."),
    ], "though no run is there to report them"
    assert (
        query(warehouse_url, "select t::text from roster.roster as t where district_id = 'hill' order by 1")
        == published
    )
    assert query(warehouse_url, "select max(valid_from_seq) from history.hist_users where district_id = 'hill'") == [
        (1,)
    ]

    # A later good night builds on the last good one.
    accept(warehouse_url, "hill", 3, _second_night(), service_date=SECOND_NIGHT)
    (outcome,) = build()
    assert outcome.published == ["hill"]


def test_law_5_what_the_ledger_does_not_list_stays_set_aside_all_the_same(warehouse_url: str) -> None:
    """The ledger lists the first rows of a rule only; the delivery's schema has them all, or is landed again."""
    accept(warehouse_url, "lake", 1, school_district())
    build()
    renamed = deepcopy(school_district())
    renamed["users"] = [user | {"given_name": "Renamed"} for user in renamed["users"]]
    aside = {("users", 2), ("users", 3)}
    night = accept(warehouse_url, "lake", 2, renamed, service_date=SECOND_NIGHT, set_aside=aside)
    execute(warehouse_url, "delete from rollcall.row_finding")
    execute(warehouse_url, f"truncate delivery_{night}.row_set_aside")  # as PostgreSQL does after a crash
    relanded = []

    def reland(delivery_id: int) -> None:
        relanded.append(delivery_id)
        with psycopg.connect(warehouse_url) as connection:
            for file, row in aside:
                put_aside(connection, delivery_id, file, row, renamed[file][row - 2]["sourced_id"])
        execute(warehouse_url, "delete from rollcall.row_finding")

    (outcome,) = conform(reland=reland)

    assert (relanded, outcome.published) == ([night], ["lake"])
    unchanged = "select count(*) from history.hist_users where given_name <> 'Renamed' and valid_to_seq is null"
    assert query(warehouse_url, unchanged) == [(len(aside),)]


def test_the_bookkeeping_audits_notice_what_they_are_for(warehouse_url: str) -> None:
    """Each is shown a history or a ledger that conform itself would never leave."""
    rows = school_district()
    for district in ("dup", "ledger", "law5", "ragged", "unread"):
        accept(warehouse_url, district, 1, rows)
    build()
    twice = deepcopy(rows)
    twice["courses"].append({**rows["courses"][0], "title": "Mathematics again"})
    accept(warehouse_url, "dup", 2, twice)
    execute(
        warehouse_url,
        """
        create function history.meddle() returns trigger language plpgsql as $$
        begin
            if new.district_id = 'ledger' then return null; end if;
            return new;
        end $$;
        create trigger meddle before insert on history.hist_demographics
        for each row execute function history.meddle();
        create function history.remove_one() returns trigger language plpgsql as $$
        begin
            update history.hist_orgs set valid_to_seq = 2, end_reason = 'missing', ended_on = current_date
            where district_id = 'law5' and source_id = 'D';
            return null;
        end $$;
        create trigger remove_one after insert on history.hist_orgs
        for each statement execute function history.remove_one();
        """,
    )
    changed = deepcopy(rows)
    changed["demographics"].append({"sourced_id": "TCH_994_1000", "sex": "female"})
    accept(warehouse_url, "ledger", 2, changed)
    accept(warehouse_url, "law5", 2, {**rows, "orgs": rows["orgs"][1:]}, no_evidence={"orgs"})
    ragged = deepcopy(rows)
    ragged["demographics"][0]["sourced_id"] = "what stood in the cell before"
    accept(warehouse_url, "ragged", 2, ragged, set_aside={("demographics", 2)})
    unread = deepcopy(rows)
    unread["demographics"][0]["birth_date"] = "some day in May"
    accept(warehouse_url, "unread", 2, unread)
    accept(warehouse_url, "unread_at_first", 1, unread)

    (outcome,) = build()

    assert outcome.failed == {
        "dup": "every_candidate_row_has_an_origin: 1",
        "ledger": "every_candidate_row_has_an_origin: 1; every_change_is_applied: 1",
        "law5": "every_candidate_row_has_an_origin: 1; every_change_is_applied: 1; removals_are_evident: 1",
        "ragged": "removals_are_evident: 1",
        "unread": "every_filled_cell_is_read: 1",
        "unread_at_first": "every_filled_cell_is_read: 1",
    }


def test_rows_that_cannot_be_landed_again_wait_while_the_others_are_built(warehouse_url: str) -> None:
    """Laws 4 and 6: never built from fewer rows than were accepted, and no one else waits for it."""
    lost = accept(warehouse_url, "hill", 1, school_district())
    accept(warehouse_url, "lake", 1, school_district())
    execute(warehouse_url, f"drop schema delivery_{lost} cascade")

    def broken(delivery_id: int) -> None:
        raise OSError("the archive is away")

    with pytest.raises(LandedRowsLostError) as raised:
        conform(reland=broken)
    assert raised.value.delivery_ids == [lost]
    assert states(warehouse_url) == {"hill": "accepted", "lake": "published"}


def test_law_4_what_is_landed_anew_is_compared_anew(warehouse_url: str) -> None:
    """A first delivery's changes are a view on what was read: reading a file again takes it along."""
    delivery_id = accept(warehouse_url, "hill", 1, school_district())
    with connect(warehouse_url) as connection:  # as the decision leaves it
        write_changes(connection, ledger.delivery(connection, delivery_id))
    with connect(warehouse_url) as connection:
        make_typed(connection, ledger.delivery(connection, delivery_id), FILE_BY_NAME["users"])
    (outcome,) = build()
    assert outcome.published == ["hill"]


def test_trouble_with_the_machine_condemns_no_district(warehouse_url: str) -> None:
    accept(warehouse_url, "hill", 1, school_district())
    accept(warehouse_url, "lake", 1, school_district())
    with psycopg.connect(warehouse_url, autocommit=True) as saboteur:
        saboteur.execute("begin")
        saboteur.execute("lock table rollcall.change_count in access exclusive mode")
        over = threading.Event()
        killer = threading.Thread(target=_end_backends_that_wait, args=(warehouse_url, over))
        killer.start()
        with pytest.raises((BuildImpossibleError, WarehouseError)):
            build()
        over.set()
        killer.join()
        saboteur.execute("rollback")
    assert states(warehouse_url) == {"hill": "accepted", "lake": "accepted"}
    (outcome,) = build()
    assert outcome.published == ["hill", "lake"]


def _end_backends_that_wait(url: str, over: threading.Event) -> None:
    while not over.wait(0.05):
        execute(url, "select pg_terminate_backend(pid) from pg_locks where not granted")


def test_only_one_conform_works_at_a_time(warehouse_url: str) -> None:
    """Two begin at the same moment while a third one is at work; one of them builds, and the other finds nothing."""
    accept(warehouse_url, "hill", 1, school_district())
    said: list[str] = []
    with psycopg.connect(warehouse_url, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", [CONFORM_LOCK])
        waiting = [Thread(target=conform, kwargs={"reland": reland_nothing}, daemon=True) for _ in range(2)]
        with heard_by(said.append):
            for waiter in waiting:
                waiter.start()
            time.sleep(1)
        assert states(warehouse_url) == {"hill": "accepted"}
        assert said == ["Another conform is at work; waiting for it."] * 2
        other.execute("select pg_advisory_unlock(%s)", [CONFORM_LOCK])
    for waiter in waiting:
        waiter.join(timeout=60)
    assert states(warehouse_url) == {"hill": "published"}
    assert query(warehouse_url, "select count(*) from rollcall.build") == [(1,)]


def test_a_night_builds_the_history_and_every_audit_and_logs_in_once_a_thread(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nightly build is selected by kind: no mart and no test of the marts may slip in, no audit out."""
    logins: list[str] = []
    log_in = psycopg2.connect

    def told(*arguments: Any, **parameters: Any) -> Any:
        logins.append(threading.current_thread().name)
        return log_in(*arguments, **parameters)

    monkeypatch.setattr(psycopg2, "connect", told)
    accept(warehouse_url, "hill", 1, school_district())
    build()

    project = PROJECT_ROOT / "dbt_project"
    history = {path.stem for path in (project / "models" / "history").glob("*.sql")}
    audits = {path.stem for path in (project / "tests" / "audits").glob("*.sql")}
    built = query(warehouse_url, "select node from rollcall.build_node where kind in ('model', 'test')")
    assert {node for (node,) in built} == history | audits
    assert len(logins) == len(set(logins)) <= 1 + DBT_THREADS, logins


def test_what_is_accepted_while_a_build_runs_is_built_next(warehouse_url: str) -> None:
    """A build is frozen to what was accepted when it began; the same conform goes on until nothing waits."""
    accept(warehouse_url, "hill", 1, school_district())
    frozen: list[Any] = []

    def accept_more(line: str) -> None:
        if not frozen:
            frozen.extend(query(warehouse_url, "select district_id from rollcall.current_build"))
            accept(warehouse_url, "hill", 2, _second_night(), service_date=SECOND_NIGHT)
            accept(warehouse_url, "lake", 1, school_district())
            assert query(warehouse_url, "select district_id from rollcall.current_build") == frozen, line

    with heard_by(accept_more):
        outcomes = conform(reland=reland_nothing)

    assert frozen == [("hill",)]
    assert [outcome.published for outcome in outcomes] == [["hill"], ["hill", "lake"]]
    assert query(warehouse_url, "select district_id, sequence from rollcall.publication order by 1") == [
        ("hill", 2),
        ("lake", 1),
    ]


def test_the_marts_keep_their_promises(warehouse_url: str) -> None:
    """Grain, activity, primary teacher, names: on rows made to be awkward."""
    rows = school_district()
    record(rows, "enrollments", "994_1000:994_1000_S0")["end_date"] = SECOND_NIGHT.isoformat()
    record(rows, "enrollments", "994_1000:994_1000_S1")["begin_date"] = SECOND_NIGHT.isoformat()
    again = {**record(rows, "enrollments", "994_1000:994_1000_S2"), "sourced_id": "again", "begin_date": "2026-09-01"}
    rows["enrollments"].append(again)
    second_teacher = record(rows, "enrollments", "994_1001:TCH_994_1001")
    second_teacher["is_primary"] = None
    rows["enrollments"].append({**second_teacher, "sourced_id": "000", "user_sourced_id": "TCH_995_1000"})
    untitled = record(rows, "classes", "995_1000")
    untitled["title"], untitled["course_sourced_id"], untitled["term_sourced_ids"] = None, "UNKNOWN", "995_Y"
    teacherless = "995_1001:TCH_995_1001"
    rows = without(rows, "enrollments", teacherless)
    for district, habit in (("inc", "inclusive"), ("exc", "exclusive")):
        accept(warehouse_url, district, 1, rows, enrollment_end_date=habit)
    build()

    def students(district: str, class_id: str) -> list[str]:
        found = query(
            warehouse_url,
            "select student_source_id from roster.roster where district_id = %s and class_source_id = %s order by 1",
            district,
            class_id,
        )
        return [row[0].removeprefix(f"{class_id}_") for row in found]

    assert students("inc", "994_1000") == ["S0", "S2"], "not begun is not active; two enrollments are one row"
    assert students("inc", "995_1000") == ["S0", "S1", "S2"], "nor term nor course"
    assert students("inc", "995_1001") == ["S0", "S1", "S2"], "nor teacher"
    teacher = (
        "select primary_teacher_source_id, class_name from roster.dim_class"
        " where district_id = 'inc' and source_id = %s"
    )
    assert query(warehouse_url, teacher, "994_1001") == [("TCH_995_1000", "Math 994_1001")], "the first by source id"
    assert query(warehouse_url, teacher, "995_1000") == [("TCH_995_1000", "OfTCH_995_1000's class")]
    assert query(warehouse_url, teacher, "995_1001") == [(None, "Math 995_1001")]
    assert query(warehouse_url, "select distinct term_name from roster.roster where class_source_id = '994_1000'") == [
        ("Fall",)
    ]

    with psycopg.connect(warehouse_url) as connection:
        for district in ("inc", "exc"):
            delivery = query(
                warehouse_url, "select delivery_id from rollcall.publication where district_id = %s", district
            )
            assert move_effective_date(connection, district, delivery[0][0], SECOND_NIGHT)
            assert not move_effective_date(connection, district, delivery[0][0], FIRST_NIGHT), "never back"
    assert students("inc", "994_1000") == ["S0", "S1", "S2"]
    assert students("exc", "994_1000") == ["S1", "S2"]
    assert query(warehouse_url, "select count(*) from rollcall.publication_event") == [(4,)]

    tests = run_dbt(("test", "--select", "dim_class,test_type:data"))
    unhappy = [(node.name.partition("_district_id")[0], node.status) for node in tests if node.status == "warn"]
    assert unhappy == [("relationship_dim_class", "warn")], "the course that nobody knows"


def test_a_deploy_disturbs_no_reader_and_drop_landed_takes_only_what_is_decided(warehouse_url: str) -> None:
    published = accept(warehouse_url, "hill", 1, school_district())
    build()
    waiting = accept(warehouse_url, "hill", 2, _second_night())
    views = "select oid, relname from pg_class where relkind = 'v' and relnamespace::regnamespace::text like 'roster%%'"
    before = sorted(query(warehouse_url, views))
    execute(
        warehouse_url,
        "set role roster_owner; drop view roster.dim_course; create view roster.dim_course as select 1 as nonsense",
    )
    with psycopg.connect(warehouse_url) as reader:
        assert reader.execute("select count(*) from roster.roster").fetchone() == (12,)
        deploy()  # the reader's transaction is still open
    after = sorted(query(warehouse_url, views))
    assert {name for _, name in after} == {name for _, name in before}
    assert len(set(before) - set(after)) == 1, "only the view that differed was made anew"
    for role, schema, may in [
        ("roster_reader", "roster", True),
        ("roster_reader", "roster_restricted", False),
        ("roster_restricted_reader", "roster_restricted", True),
    ]:
        rows = query(
            warehouse_url,
            "select bool_and(has_table_privilege(%s, oid, 'select')), bool_or(has_table_privilege(%s, oid, 'select'))"
            " from pg_class where relkind = 'v' and relnamespace = %s::regnamespace",
            role,
            role,
            schema,
        )
        assert rows == [(may, may)]

    tested = query(warehouse_url, "select distinct node from rollcall.build_node where kind = 'test'")
    assert tested
    assert all(name.startswith("audit_") for (name,) in tested), "a build looks at its own deliveries alone"

    assert drop_landed(timedelta(days=1)) == []
    assert drop_landed(timedelta(0)) == [], "the next night is compared with what readers see"
    build()
    assert drop_landed(timedelta(0)) == [published]
    assert query(warehouse_url, "select to_regnamespace(%s) is not null", f"delivery_{waiting}") == [(True,)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://u:p%40ss@db.example.org:6543/w?sslmode=verify-full&sslrootcert=/ca",
            ("db.example.org", "6543", "u", "w", "p@ss", "verify-full", "/ca"),
        ),
        ("postgresql://u@/w?host=/run/pg", ("/run/pg", "5432", "u", "w", "")),
    ],
)
def test_dbt_finds_the_warehouse_by_tcp_and_by_socket(url: str, expected: tuple[str, ...]) -> None:
    assert tuple(profile_variables(url).values()) == expected
