"""Who may do what: every role by logging in as it, readers of some districts, and what they may try to see more."""

import contextlib
import os
import pwd
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from helpers.deliveries import FIRST_NIGHT, accept, execute, query, reland_nothing
from helpers.postgres import Postgres, migrate_to
from helpers.schools import Rows, record, school_district
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from rollcall import ledger
from rollcall.cli import app
from rollcall.conform import conform
from rollcall.conform.session import DBT_APPLICATION, conforming
from rollcall.decision.changes import write_changes
from rollcall.migrations import migrate
from rollcall.readers import ensure_reader, remove_reader
from rollcall.settings import working_on
from rollcall.stack.state import READER
from rollcall.warehouse import connect
from rollcall.who import Person

DISTRICTS = ("hill", "lake")
LOGINS = ("ada", "grace", "joan", "nobody")
DENIED = psycopg.errors.InsufficientPrivilege
OWN_ROLES = (
    "rollcall_backup",
    "rollcall_loader",
    "rollcall_dbt",
    "roster_exporter",
    "roster_owner",
    "roster_reader",
    "roster_restricted_exporter",
    "roster_restricted_reader",
)


@pytest.fixture(scope="module")
def url(postgres: Postgres, warehouse_template: str) -> Iterator[str]:
    """Two published districts, every person and class of which bears its district's name; readers of all sorts."""
    with postgres.worked_on(warehouse_template) as url:
        for sequence in (1, 2):
            for district in DISTRICTS:
                night = FIRST_NIGHT + timedelta(days=sequence - 1)
                rows = _named_after(district, sequence)
                delivery_id = accept(url, district, sequence, rows, service_date=night)
                finding = "insert into rollcall.check_result values (%s, 'users', %s, 'info', 1, 1)"
                execute(url, finding, delivery_id, district)
            conform(reland=reland_nothing)
        _run("add", "ada", "--by", "test", "--district", "hill")
        _run("add", "grace", "--by", "test", "--restricted", "--all-districts")
        _run("add", "joan", "--by", "test", "--restricted", "--district", "lake")
        _run("add", "nobody", "--by", "test")
        yield url
        execute(url, "drop owned by ada, joan")
        for login in LOGINS:
            execute(url, f"drop role {login}")


def _named_after(district: str, sequence: int = 1) -> Rows:
    """The district's rows; on the second night, one student changes schools, and another one's name is fixed."""
    rows = school_district()
    for user in rows["users"]:
        user |= {"given_name": f"Of {district}", "family_name": f"{district}-{user['sourced_id']}"}
    if sequence == 1:
        record(rows, "users", "994_1000_S1")["family_name"] = "of an earlier night"
    else:
        record(rows, "users", "994_1000_S0")["org_sourced_ids"] = "995"
    for titled in (*rows["classes"], *rows["courses"]):
        titled["title"] = f"{district} {titled['title']}"
    for org in rows["orgs"]:
        org["name"] = f"{district} {org['name']}"
    student = record(rows, "users", "994_1001_S0")
    student |= {"agent_sourced_ids": "G99", "_metadata": '{"metadata.homeroom": "12"}'}
    rows["users"].append({**student, "sourced_id": "G99", "role": "parent", "agent_sourced_ids": None})
    record(rows, "enrollments", "994_1001:994_1001_S1")["end_date"] = FIRST_NIGHT.isoformat()
    if district == "hill":
        return rows
    # Ids of its own: whatever a reader of the other one finds of it was read out.
    return {
        file: [
            {name: cell and cell.replace("99", "88").replace("MATH", "ALGEBRA") for name, cell in row.items()}
            for row in each
        ]
        for file, each in rows.items()
    }


def _run(*arguments: str, exit_code: int = 0) -> str:
    outcome = CliRunner().invoke(app, ["readers", *arguments])
    assert outcome.exit_code == exit_code, outcome.output
    return outcome.output


def ask(url: str, login: str, statement: Any, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows that a login gets."""
    return query(make_conninfo(url, user=login), statement, *parameters)


def marts(url: str, *schemas: str) -> list[str]:
    views = """
        select oid::regclass::text from pg_class
        where relkind = 'v' and relnamespace::regnamespace::text = any(%s) order by 1
    """
    return [name for (name,) in query(url, views, list(schemas))]


def seen(url: str, login: str, mart: str) -> set[str]:
    return {district for (district,) in ask(url, login, f"select distinct district_id from {mart}")}


@pytest.mark.parametrize(
    ("login", "districts"), [("ada", {"hill"}), ("joan", {"lake"}), ("grace", {"hill", "lake"}), ("nobody", set())]
)
def test_every_mart_shows_a_reader_the_districts_that_were_granted(url: str, login: str, districts: set[str]) -> None:
    for mart in marts(url, "roster"):
        assert seen(url, login, mart) == districts, mart


def test_the_local_stacks_reader_reads_every_roster_and_nothing_else(url: str) -> None:
    """Its login is printed by `up` and by the demo, in place of the owner's."""
    kept = "select rolpassword from pg_authid where rolname = %s"
    passwords = []
    for password in ("first", "first", "another"):
        with connect(url, role=None) as connection:
            ensure_reader(connection, READER, password)
        passwords += query(url, kept, READER)
    try:
        assert all(password.startswith("SCRAM-SHA-256$") for (password,) in passwords)
        assert len(set(passwords)) == 3, "each `up` sees that the printed password is the one that counts"
        assert seen(url, READER, "roster.roster") == {"hill", "lake"}
        for hidden in ("rollcall.delivery", "history.hist_users", "roster_restricted.dim_student_demographics"):
            with pytest.raises(DENIED):
                ask(url, READER, f"select from {hidden}")
    finally:
        with connect(url, role=None) as connection:
            remove_reader(connection, READER, by=Person("test", "test"))


def test_only_restricted_readers_read_the_restricted_marts(url: str) -> None:
    restricted = marts(url, "roster_restricted")
    assert len(restricted) >= 2
    for mart in restricted:
        assert seen(url, "joan", mart) == {"lake"}, mart
        for login in ("ada", "nobody"):
            with pytest.raises(DENIED):
                ask(url, login, f"select from {mart}")


def test_a_reader_has_rights_on_the_marts_and_on_nothing_else(url: str) -> None:
    """By the catalog, over every relation there is, so that a new one is covered the day that it is made."""
    rights = """
        select oid::regclass::text from pg_class
        where relkind in ('r', 'v', 'm', 'p', 'S') and relnamespace >= 16384 and (
            has_table_privilege(%s, oid, 'select, insert, update, delete, truncate, references, trigger')
            or relkind <> 'S' and has_any_column_privilege(%s, oid, 'select, insert, update, references')
        ) order by 1
    """
    assert [name for (name,) in query(url, rights, "ada", "ada")] == marts(url, "roster")
    assert [name for (name,) in query(url, rights, "joan", "joan")] == marts(url, "roster", "roster_restricted")
    writable = "select oid::regclass::text from pg_class where relnamespace >= 16384 and relkind <> 'i' and" + (
        " has_table_privilege('joan', oid, 'insert, update, delete, truncate')"
    )
    assert query(url, writable) == []
    for schema in ("roster", "roster_restricted", "history", "rollcall", "staging", "audit", "public"):
        assert query(url, "select has_schema_privilege('joan', %s, 'create')", schema) == [(False,)], schema


def test_a_reader_calls_no_function_of_ours(url: str) -> None:
    """By the catalog: whoever may not use a schema calls nothing in it, and nothing there lends its owner's rights."""
    ours = "from pg_proc where pronamespace >= 16384 and pronamespace::regnamespace::text !~ '^pg_temp'"
    assert query(url, f"select count(*) > 5 {ours}") == [(True,)]
    callable_by = "has_schema_privilege(%s, pronamespace, 'usage') and has_function_privilege(%s, oid, 'execute')"
    for login in ("ada", "joan", "nobody"):
        assert query(url, f"select oid::regprocedure::text {ours} and {callable_by}", login, login) == []
    assert query(url, f"select oid::regprocedure::text {ours} and (prosecdef or proleakproof)") == []
    for expression in ("rollcall.as_of()", "1 operator(rollcall.<=) 2"):
        with pytest.raises(DENIED):
            ask(url, "ada", f"select {expression}")


def test_direct_ways_to_the_tables_are_closed(url: str) -> None:
    for relation in (
        "history.hist_class_details",
        "history.hist_users",
        "rollcall.delivery",
        "rollcall.district_act",
        "rollcall.history_to_fill",
        "rollcall.notice",
        "rollcall.published",
        "staging.stg_oneroster__users",
    ):
        with pytest.raises(DENIED):
            ask(url, "ada", f"select * from {relation}")
    for role in ("roster_owner", "rollcall_dbt", "rollcall_loader", "roster_restricted_reader", "joan"):
        with pytest.raises(DENIED):
            ask(url, "ada", f"set role {role}")
    for statement in (
        "set session authorization grace",
        "insert into rollcall.reader_district values ('ada', null, 'ada')",
        "update roster.dim_student set family_name = 'x'",
        "create view roster.more as select 1 as one",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to program 'true'",
    ):
        with pytest.raises((DENIED, psycopg.errors.ObjectNotInPrerequisiteState)):
            ask(url, "ada", statement)
    # The group itself was granted nothing: taking it on shows less, not more.
    with psycopg.connect(make_conninfo(url, user="ada")) as session:
        session.execute("set role roster_reader")
        assert session.execute("select count(*) from roster.dim_student").fetchone() == (0,)


def test_a_leaky_function_sees_no_row_of_another_district_or_night(url: str) -> None:
    """Called on every row that the planner lets it see, before any filter that it thinks dearer."""
    told: list[str] = []
    with psycopg.connect(make_conninfo(url, user="ada"), autocommit=True) as session:
        session.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        session.execute(
            "create function pg_temp.leak(cell text) returns boolean language plpgsql cost 0.0000001 as"
            " $$ begin raise notice '%', cell; return true; end $$"
        )
        for mart, column in (
            ("roster.roster", "student_family_name"),
            ("roster.dim_student", "family_name"),
            ("roster.dim_class", "class_name"),
            ("roster.dim_school", "school_name"),
        ):
            session.execute(f"select count(*) from {mart} where pg_temp.leak({column})")
            session.execute(f"select count(*) from {mart} where pg_temp.leak(district_id || ' ' || {column})")
    assert len(told) > 20
    assert [cell for cell in told if "lake" in cell or "of an earlier night" in cell] == []


def test_errors_plans_and_statistics_tell_nothing_of_another_district(url: str) -> None:
    with psycopg.connect(make_conninfo(url, user="ada"), autocommit=True) as session:
        # A cast that fails quotes the cell that it failed on.
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as failure:
            session.execute("select count(*) from roster.dim_student where family_name::integer = 1")
        assert "lake" not in str(failure.value)
        plan = session.execute(
            "explain (analyze, verbose, buffers) select * from roster.roster where student_family_name like '%lake%'"
        ).fetchall()
        assert "lake-" not in str(plan)
        statistics = "select from pg_stats where schemaname not in ('pg_catalog', 'information_schema')"
        assert session.execute(statistics).fetchall() == []
        # Row-level security cannot be switched off: the query is refused rather than filtered.
        session.execute("set row_security = off")
        with pytest.raises(DENIED):
            session.execute("select * from roster.dim_student")


SECRETS = {
    "roster.dim_student": ("source_id", "family_name", "given_name"),
    "roster.dim_staff": ("source_id", "family_name"),
    "roster.dim_class": ("source_id", "school_source_id", "course_source_id", "class_name"),
    "roster.dim_school": ("source_id", "school_name"),
    "roster.dim_organization": ("source_id", "organization_name"),
    "roster.dim_guardian": ("source_id", "family_name"),
    "roster.fct_student_agent": ("student_source_id", "agent_source_id", "agent_family_name"),
    "roster.fct_membership_spell": ("person_source_id", "school_source_id", "school_name"),
    "roster.agg_grade_daily": ("school_source_id",),
    "roster.agg_school_daily": ("school_source_id",),
    "roster.fct_roster_change": ("student_source_id", "family_name", "from_school_name"),
    "roster.fct_class_change": ("student_source_id", "class_source_id", "family_name"),
    "roster.qc_district": ("district_name",),
    "roster.qc_finding": ("rule",),
    "roster.fct_enrollment": ("source_id", "student_source_id", "class_source_id"),
    "roster.fct_teaching": ("source_id", "staff_source_id"),
    "roster.fct_school_membership": ("person_source_id", "school_source_id"),
    "roster.roster": ("student_source_id", "class_source_id", "student_family_name"),
    "roster.dim_district": ("district_name",),
}
"""What a reader of one district would like to know of another, per mart."""


@pytest.mark.parametrize("mart", SECRETS)
@pytest.mark.parametrize("scans", ["on", "off"], ids=["scans", "indexes"])
def test_law_06_explain_tells_no_hit_from_a_miss_in_another_district(url: str, mart: str, scans: str) -> None:
    """Neither by counts nor by estimates, costs or blocks, whether an id is guessed or halved out of a range."""
    execute(url, "analyze")
    with psycopg.connect(make_conninfo(url, user="ada"), autocommit=True) as session:
        session.execute("create temporary table guess (id text)")
        session.execute("select set_config('enable_seqscan', %s, false)", [scans])
        for column in SECRETS[mart]:
            ((there,),) = query(url, f"select min({column}) from {mart} where district_id = 'lake'")
            absent = f"{there}x"
            for question in (
                f"select from {mart} where {column} = %(id)s",
                f"select from {mart} where {column} >= %(id)s and {column} < %(id)s || '~'",
                f"select from {mart} where district_id = 'lake' and {column} = %(id)s",
                f"select from {mart} where district_id = 'lake' and {column} between %(id)s and %(id)s || '~'",
                f"select from guess inner join {mart} as mart on guess.id = mart.{column}",
            ):
                assert told(session, question, there) == told(session, question, absent), question
            question = f"select from {mart} where district_id = %(district)s and {column} = %(id)s"
            assert told(session, question, there, "lake") == told(session, question, there, "like"), question


def told(session: psycopg.Connection[Any], question: str, guess: str, district: str = "") -> list[dict[str, Any]]:
    """All that EXPLAIN says of a question that ran, node by node, but for the words of the question and the time."""
    session.execute("truncate guess")
    session.execute("insert into guess values (%s)", [guess])
    cursor = psycopg.ClientCursor(session)
    for _ in range(2):  # of a first time, what was not in memory yet
        cursor.execute(f"explain (analyze, timing off, format json) {question}", {"id": guess, "district": district})
        ((plan,),) = cursor.fetchall()
    nodes = [plan[0]["Plan"]]
    for node in nodes:
        nodes += node.pop("Plans", [])
        node["Blocks"] = node.pop("Shared Hit Blocks") + node.pop("Shared Read Blocks")
        node.pop("Shared Dirtied Blocks")
    return [{name: value for name, value in node.items() if "'::text" not in str(value)} for node in nodes]


READ_BY_WORKERS = (
    "roster.dim_class",
    "roster.dim_staff",
    "roster.dim_student",
    "roster.fct_enrollment",
    "roster.fct_teaching",
    "roster.roster",
)
"""Those that whole districts are counted by."""


@pytest.mark.parametrize("night", ["", str(FIRST_NIGHT)], ids=["now", "as of a night"])
def test_parallel_workers_read_the_marts_with_their_pointer(url: str, night: str) -> None:
    """PostgreSQL has a worker run whatever a worker may: a plan that none may run has no `Gather`."""
    with psycopg.connect(make_conninfo(url, user="ada"), autocommit=True) as session:
        session.execute("set debug_parallel_query = on")
        session.execute("select set_config('roster.as_of', %s, false)", [night])
        for mart in READ_BY_WORKERS:
            ((plan,),) = session.execute(f"explain (format json) select count(*) from {mart}").fetchall()
            assert "Gather" in str(plan), mart


def test_what_a_question_does_not_ask_for_is_not_counted(url: str) -> None:
    """Joiners are counted without enrollments; what is counted is read once a district, not once a school or night."""
    execute(url, "analyze")
    with psycopg.connect(make_conninfo(url, user="grace"), autocommit=True) as session:
        for columns, read in (
            ("joiners, leavers", {"hist_orgs", "hist_users"}),
            ("classes", {"hist_orgs", "hist_classes"}),
            ("students, enrollments", {"hist_orgs", "hist_users", "hist_enrollments"}),
        ):
            question = f"explain (analyze, format json) select {columns} from roster.agg_school_daily"
            ((plan,),) = session.execute(question).fetchall()
            nodes = [plan[0]["Plan"]]
            for node in nodes:
                nodes += node.get("Plans", [])
            history = [node for node in nodes if node.get("Relation Name", "").startswith("hist_")]
            assert {node["Relation Name"] for node in history} == read
            assert max(node["Actual Loops"] for node in history) <= len(DISTRICTS), columns


def test_the_planner_keeps_no_value_of_a_district(url: str) -> None:
    """By the catalog, so that a new column is covered the day that it is made."""
    execute(url, "analyze")
    kept = """
        select distinct attname::text from pg_stats
        where (schemaname = 'history' or schemaname = 'rollcall' and tablename like any('{district,publication%%}'))
            and (most_common_vals is not null or histogram_bounds is not null or most_common_elems is not null)
        order by 1
    """
    codes_and_counters = ["role", "school_year", "type", "valid_from_seq", "valid_to_seq"]
    assert {name for (name,) in query(url, kept)} <= set(codes_and_counters)
    joined = "select count(*) from pg_stats where schemaname = 'history' and n_distinct <> 0 and attname = 'source_id'"
    assert query(url, joined) == [(10,)], "how often an id stands there is known"


def test_no_catalog_names_another_district(url: str) -> None:
    """PostgreSQL shows them to everybody: sizes and numbers of rows of whole tables, but nothing of whose they are."""
    catalogs = """
        select oid::regclass::text from pg_class
        where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')
            and has_table_privilege('ada', oid, 'select') and relname !~ '^pg_timezone'
    """
    read = 0
    with psycopg.connect(make_conninfo(url, user="ada"), autocommit=True) as session:
        for (catalog,) in query(url, catalogs):
            with contextlib.suppress(DENIED):
                ((rows,),) = session.execute(f"select string_agg(c::text, ' ') from {catalog} as c").fetchall()
                assert not re.search(r"\blake\b", rows or ""), catalog
                read += 1
    assert read > 100


def test_a_reader_who_calls_itself_dbt_stops_no_build(url: str) -> None:
    """What a dead conform left behind is known by its application's name, which everybody may take."""
    with psycopg.connect(make_conninfo(url, user="ada", application_name=DBT_APPLICATION), autocommit=True) as session:
        with conforming():
            pass
        assert session.execute("select 1").fetchone() == (1,)


def test_objects_of_readers_lend_nobody_their_districts(url: str) -> None:
    """A view of a reader of everything, read by a reader of one district, shows that district."""
    execute(url, "create schema shared; grant all on schema shared to joan, grace, ada")
    try:
        ask_and_keep = (
            "create view shared.students as select * from roster.dim_student; grant select on shared.students"
        )
        execute(make_conninfo(url, user="grace"), f"{ask_and_keep} to ada")
        assert seen(url, "grace", "shared.students") == {"hill", "lake"}
        assert seen(url, "ada", "shared.students") == {"hill"}
    finally:
        execute(url, "drop schema shared cascade")


def test_history_holds_by_itself_where_a_mart_forgets_the_pointer(url: str) -> None:
    """The second fence: a careless view on the history, with the marts' owner, still shows granted districts only."""
    execute(
        url,
        "set role roster_owner; create view roster.careless as select * from history.hist_users;"
        " grant select on roster.careless to roster_reader",
    )
    try:
        assert seen(url, "ada", "roster.careless") == {"hill"}
        assert seen(url, "nobody", "roster.careless") == set()
    finally:
        execute(url, "drop view roster.careless")
    unguarded = query(
        url,
        "select relname from pg_class where relnamespace = 'history'::regnamespace and relkind = 'r'"
        " and not (relrowsecurity and relforcerowsecurity)",
    )
    assert unguarded == []
    owners = (
        "select distinct relowner::regrole::text from pg_class where relkind = %s and relnamespace = %s::regnamespace"
    )
    assert query(url, owners, "v", "roster") == query(url, owners, "v", "roster_restricted") == [("roster_owner",)]
    assert query(url, owners, "r", "history") == [("rollcall_dbt",)]
    assert query(url, "select from pg_roles where rolname = 'roster_owner' and (rolbypassrls or rolcanlogin)") == []
    barriers = "select relname from pg_class where relkind = 'v' and relnamespace::regnamespace::text like 'roster%%'"
    assert query(url, f"{barriers} and not ('security_barrier=true' = any(coalesce(reloptions, '{{}}')))") == []


def test_grants_count_from_the_next_statement_on_and_by_groups(url: str) -> None:
    with psycopg.connect(make_conninfo(url, user="nobody"), autocommit=True) as session:

        def districts() -> set[str]:
            return {row[0] for row in session.execute("select distinct district_id from roster.roster").fetchall()}

        assert districts() == set()
        _run("grant", "nobody", "--by", "test", "--district", "hill", "--district", "lake")
        assert districts() == {"hill", "lake"}
        _run("revoke", "nobody", "--by", "Jo", "--district", "hill")
        assert districts() == {"lake"}
        _run("revoke", "nobody", "--all-districts")
        assert districts() == set()
        execute(url, "create role county nologin; grant county to nobody")
        _run("grant", "county", "--by", "test", "--district", "hill")
        assert districts() == {"hill"}
        execute(url, "drop role county")
        assert districts() == set(), "what is left in the table of a role that is gone is nobody's"


def test_the_command_line_lists_refuses_and_removes(url: str) -> None:
    listed = _run("list")
    assert [line.split() for line in listed.splitlines() if line.startswith(("ada", "grace"))] == [
        ["ada", "no", "hill"],
        ["grace", "yes", "all"],
    ]
    for arguments in (
        ("add", "ada", "--by", "test"),
        ("grant", "ada", "--by", "test", "--district", "atlantis"),
        ("grant", "absent", "--by", "test", "--district", "hill"),
        ("revoke", "ada", "--district", "lake"),
        ("remove", "rollcall_dbt"),
    ):
        assert CliRunner().invoke(app, ["readers", *arguments]).exit_code != 0, arguments
    assert _run("grant", "ada", "--by", "test", exit_code=2)
    _run("add", "passing", "--all-districts")
    login = pwd.getpwuid(os.getuid()).pw_name
    granted = "select granted_by, login from rollcall.reader_district where reader = %s"
    assert query(url, granted, "passing") == [(login, login)], "by whoever runs it, if nothing else is said"
    assert query(url, granted, "ada") == [("test", login)]
    _run("remove", "passing", "--by", "Jo")
    assert "passing" not in _run("list")
    assert query(url, "select from rollcall.reader_district where reader = 'passing'") == []
    on_record = "select action, district_id, by_whom, login from rollcall.reader_event where reader = %s order by 1"
    assert query(url, on_record, "passing") == [
        ("added", None, login, login),
        ("granted", None, login, login),
        ("removed", None, "Jo", login),
        ("revoked", None, "Jo", login),
    ], "what was granted is known when nothing of it is left"
    assert ("revoked", "hill", "Jo", login) in query(url, on_record, "nobody")


def test_a_password_is_known_to_nobody_but_whom_it_is_shown_to(url: str, postgres: Postgres) -> None:
    shown = _run("add", "shown", "--by", "test").splitlines()[0].rsplit(": ", 1)[1]
    try:
        kept = query(url, "select rolpassword from pg_authid where rolname = 'shown'")[0][0]
        assert kept.startswith("SCRAM-SHA-256$")
        assert len(shown) >= 24
        assert shown not in kept
        assert shown not in postgres.log.read_text()
    finally:
        _run("remove", "shown")


@contextlib.contextmanager
def login_as(url: str, role: str) -> Iterator[str]:
    """A URL that logs in as one of the pipeline's own roles, which have no login of their own."""
    execute(url, f"alter role {role} login")
    try:
        yield make_conninfo(url, user=role)
    finally:
        execute(url, f"alter role {role} nologin")


def test_conform_needs_no_more_than_its_role_and_its_role_no_more_than_conform(url: str) -> None:
    delivery_id = accept(url, "cove", 1, _named_after("cove"))
    with connect(url) as connection:  # as the decision leaves it
        write_changes(connection, ledger.delivery(connection, delivery_id))
    with login_as(url, "rollcall_dbt") as own, working_on(warehouse=own):
        (outcome,) = conform(reland=reland_nothing)
        assert outcome.published == ["cove"]
        for statement in (
            "delete from rollcall.delivery",
            "update rollcall.delivery set accepted_sequence = 9",
            "update rollcall.hold set settlement = 'approved'",
            "delete from rollcall.publication_event",
            "update rollcall.row_finding set severity = 'info'",
            "insert into rollcall.reader_district values ('ada', null, 'dbt')",
            "create schema mine",
            "create role more",
        ):
            with pytest.raises(DENIED):
                execute(own, statement)


def test_the_loader_needs_no_more_than_its_role_and_its_role_no_more_than_landing(url: str) -> None:
    """Landing, gate and decision run as the loader everywhere, whoever logs in: here is what they may not do."""
    with connect(url) as connection:
        assert connection.execute("select current_user").fetchone() == ("rollcall_loader",)
    with login_as(url, "rollcall_loader") as own:
        execute(own, "create schema delivery_77; create unlogged table delivery_77.users (like staging.users)")
        assert query(url, "select has_table_privilege('rollcall_dbt', 'delivery_77.users', 'select')") == [(True,)]
        execute(own, "drop schema delivery_77 cascade")
        for statement in (
            "select * from roster.roster",
            "delete from history.hist_users",
            "insert into history.hist_orgs (district_id) values ('hill')",
            "update rollcall.publication set sequence = 1",
            "delete from rollcall.delivery",
            "delete from rollcall.publication_event",
            "insert into rollcall.rollback (district_id) values ('hill')",
            "insert into rollcall.reader_district values ('ada', null, 'loader')",
            "drop table staging.users",
            "create role more",
        ):
            with pytest.raises(DENIED):
                execute(own, statement)


def test_a_login_that_may_not_take_on_its_role_is_told_so_and_public_may_nothing(url: str) -> None:
    execute(url, "create role stranger login")
    try:
        for schema in ("roster", "roster_restricted", "history", "rollcall", "staging", "audit"):
            assert query(url, "select has_schema_privilege('stranger', %s, 'usage')", schema) == [(False,)], schema
        with pytest.raises(Exception, match="rollcall_loader"), connect(make_conninfo(url, user="stranger")):
            pass
    finally:
        execute(url, "drop role stranger")


def test_an_older_warehouse_is_handed_over_to_the_roles(postgres: Postgres, warehouse_template: str) -> None:
    """By an owner that is no superuser, from the migration before: what lies there goes on working under the roles."""
    url = postgres.create("rollcall_older")
    postgres.execute("create role keeper login createrole")
    for role in OWN_ROLES:
        postgres.execute(f"grant {role} to keeper with admin true, inherit false, set false")
    postgres.execute("alter database rollcall_older owner to keeper")
    own = _as_url(url, "keeper")
    try:
        migrate_to(own, "0002")
        execute(
            own,
            "create table history.hist_orgs (district_id text); create table staging.stg_oneroster__orgs (n int);"
            "create table audit.audit_x (n int); create view roster.dim_school as select 1 as one;"
            "create schema delivery_1; create table delivery_1.orgs (n int);"
            "create view delivery_1.known_orgs as select * from delivery_1.orgs",
        )
        with working_on(warehouse=own):
            migrate()
        owners = dict(
            query(
                url,
                "select oid::regclass::text, relowner::regrole::text from pg_class"
                " where relkind in ('r', 'v') and relnamespace >= 16384",
            )
        )
        for relation in ("history.hist_orgs", "audit.audit_x", "roster.dim_school"):
            assert owners[relation] == "rollcall_dbt"
        assert "staging.stg_oneroster__orgs" not in owners, "builds copy nothing any more"
        assert owners["delivery_1.orgs"] == owners["delivery_1.known_orgs"] == "rollcall_loader"
        assert owners["staging.orgs"] == owners["rollcall.delivery"] == "keeper"
        with connect(own) as connection:
            connection.execute("select * from history.hist_orgs")
            connection.execute("drop table delivery_1.orgs cascade")
        with connect(own, role="rollcall_dbt") as connection:
            connection.execute("drop view roster.dim_school; drop table history.hist_orgs")
    finally:
        postgres.drop("rollcall_older")
        for role in OWN_ROLES:
            postgres.execute(f"revoke {role} from keeper cascade")
        postgres.execute("drop role keeper")


def _as_url(url: str, login: str) -> str:
    return url.replace("postgresql://postgres:", f"postgresql://{login}:", 1)
