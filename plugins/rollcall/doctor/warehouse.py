"""Whether the warehouse answers, is deployed, and keeps what was promised."""

import time

from psycopg import sql

from rollcall.doctor.diagnosis import Amiss, in_short
from rollcall.forgotten import known_again
from rollcall.migrations import newest_migration
from rollcall.warehouse import Role, connect, is_there, value

ROLES: tuple[Role, ...] = ("rollcall_loader", "rollcall_dbt")
_FINDINGS = """
    select district_id, test, severity, failures
    from rollcall.mart_finding inner join rollcall.publication using (district_id, sequence)
    order by district_id, test
"""
_PROCESS = "select pg_backend_pid()"
TIMES_LENT = 5
"""How often two sessions take turns: whoever else uses the pool may come between."""
MOST_SECONDS_APART = 30


def warehouse_answers() -> str:
    """The login reaches the warehouse."""
    with connect(role=None) as connection:
        told = connection.info
        return f"PostgreSQL {told.server_version // 10_000}, database {told.dbname}, as {told.user}."


def sessions_are_kept() -> str:
    """A pool in transaction mode lends one server process to two sessions: locks and roles would not hold."""
    with connect(role=None, autocommit=True) as one, connect(role=None, autocommit=True) as other:
        pairs = [(value(one, _PROCESS), value(other, _PROCESS)) for _ in range(TIMES_LENT)]
    if any(mine == theirs for mine, theirs in pairs):
        raise Amiss(
            "A connection pool before the warehouse works in transaction mode: two builds could run at once.",
            "Set pool_mode = session for this database, or name PostgreSQL itself in AIRFLOW_CONN_WAREHOUSE.",
        )
    return "Each session has a server process of its own."


def warehouse_is_migrated() -> str:
    """The warehouse is of this version."""
    newest = newest_migration()
    with connect(role=None) as connection:
        deployed = is_there(connection, sql.Identifier("public", "migration"))
        rows = connection.execute("select version_num from public.migration").fetchall() if deployed else []
    if not rows:
        raise Amiss("The warehouse was never deployed.", "Run `rollcall deploy`.")
    if rows != [(newest,)]:
        raise Amiss(
            f"The warehouse is at migration {rows[0][0]}, this version of Rollcall at {newest}.",
            "Run `rollcall deploy` with the newest version that is installed anywhere.",
        )
    return f"At migration {newest}."


def roles_can_be_taken_on() -> str:
    """The login may act as loader and as dbt."""
    for role in ROLES:
        with connect(role=role) as connection:
            connection.execute("select")
    return f"The login may act as {' and '.join(ROLES)}."


def forgotten_people_are_known_again() -> str:
    """A delivery that names a forgotten person would be noticed, and no forgetting was interrupted."""
    with connect() as connection:
        rows = connection.execute("select district_id, finished_at is not null from rollcall.forgetting").fetchall()
        known = {district: known_again(connection, district) for district in sorted({district for district, _ in rows})}
    unknown = [district for district, (hashes, key) in known.items() if hashes and key is None]
    if unknown:
        raise Amiss(
            f"Nobody can tell whether deliveries of {in_short(unknown)} name people who were "
            "forgotten: the key is another one.",
            "Put the secret rollcall_forget_key back; docs/security.md says what to do if it is lost.",
        )
    broken_off = sorted({district for district, is_finished in rows if not is_finished})
    if broken_off:
        raise Amiss(
            f"`rollcall forget` was interrupted in {in_short(broken_off)}.",
            "Give the same command again: it goes on where it stopped.",
        )
    return f"{len(rows)} people were forgotten, and are known again if they are sent."


def marts_pass_their_tests() -> str:
    """What the tests found in what readers see now; what happens with what districts send is no reason to worry."""
    with connect() as connection:
        rows = connection.execute(_FINDINGS).fetchall()
        tested = connection.execute("select count(distinct district_id), max(tested_at) from rollcall.mart_test")
        districts, last = tested.fetchone() or (0, None)
    by_mistake = [f"{district} fails {test} {count} times" for district, test, severity, count in rows
                  if severity == "error"]  # fmt: skip
    if by_mistake:
        raise Amiss(
            f"{in_short(by_mistake, '; ')}.",
            "Ask Rollcall's maintainers: the marts show it. All of it: rollcall.mart_finding.",
        )
    warned = sum(severity == "warn" for _, _, severity, _ in rows)
    if not districts:
        return "Not tested yet: the DAG mart_tests does it after publications."
    return (
        f"{districts} districts tested, the last at {last:%Y-%m-%d %H:%M}; {warned} warnings in rollcall.mart_finding."
    )


def clocks_agree() -> str:
    """Deadlines are told by this machine's clock, and the ledger's moments by the database's."""
    with connect(role=None) as connection:
        ahead = value(connection, "select extract(epoch from clock_timestamp())::double precision") - time.time()
    if abs(ahead) > MOST_SECONDS_APART:
        raise Amiss(
            f"The warehouse's clock is {abs(ahead):,.0f} seconds {'ahead of' if ahead > 0 else 'behind'} this one.",
            "Have both machines keep the time by NTP.",
        )
    return f"This machine and the warehouse agree within {MOST_SECONDS_APART} seconds."
