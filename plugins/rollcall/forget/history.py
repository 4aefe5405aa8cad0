"""History without a person: as if the district had never sent them, in one transaction.

Versions of the person go. So do those of others that differed in nothing but a reference to the person; what is worked
out of a class that the person taught is worked out again, sequence by sequence.
"""

from psycopg import sql

from rollcall.conform.dbt_build import compile_query
from rollcall.conform.history import FORMER_IDS
from rollcall.forget.record import Act, Places, Records
from rollcall.landing.typed import row_hash
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection, value, values

USERS, ENROLLMENTS = "history.hist_users", "history.hist_enrollments"
OF_PERSON = {
    USERS: "source_id",
    "history.hist_demographics": "source_id",
    ENROLLMENTS: "user_source_id",
    "history.hist_doubles": "user_source_id",
}
"""The tables whose versions are of a person, and the column that says of whom."""
REFERENCES = "references in history.hist_users"

_AFFECTED_CLASSES = """
    create temporary table forgotten_class on commit drop as
    select distinct district_id, school_year, class_source_id as source_id
    from history.hist_enrollments
    where district_id = %(district)s and user_source_id = any(%(ids)s) and role = 'teacher'
"""

_WITHOUT_REFERENCES = """
    create temporary table referring on commit drop as
    with shortened as (
        update history.hist_users as version
        set agent_source_ids = nullif(array(
            select agent.id from unnest(version.agent_source_ids) with ordinality as agent (id, place)
            where agent.id <> all(%(ids)s) order by agent.place
        ), '{}')
        where district_id = %(district)s and agent_source_ids && %(ids)s
        returning source_id
    )
    select source_id, count(*) as versions from shortened group by source_id
"""

_HASHED_ANEW = """
    update history.hist_users set row_hash = {row_hash}
    where district_id = {district} and source_id in (select source_id from referring)
"""

# A version that says what the one before says is none: the older goes on until the newer ended.
_MERGED = """
    create temporary table run on commit drop as
    select source_id, min(valid_from_seq) as valid_from_seq, max(valid_from_seq) as last_from_seq
    from (
        select *, count(*) filter (where begins) over (partition by source_id order by valid_from_seq) as number
        from (
            select
                source_id, valid_from_seq,
                (row_hash, valid_from_seq) is distinct from
                (lag(row_hash) over of_record, lag(valid_to_seq) over of_record) as begins
            from history.hist_users
            where district_id = %(district)s and source_id in (select source_id from referring)
            window of_record as (partition by source_id order by valid_from_seq)
        ) as version
    ) as numbered
    group by source_id, number
    having count(*) > 1
"""

_LONGER = """
    update history.hist_users as version
    set valid_to_seq = last.valid_to_seq, end_reason = last.end_reason, ended_on = last.ended_on
    from run
    inner join history.hist_users as last
        on last.district_id = %(district)s
        and run.source_id = last.source_id and run.last_from_seq = last.valid_from_seq
    where version.district_id = %(district)s
        and version.source_id = run.source_id and version.valid_from_seq = run.valid_from_seq
"""

_SWALLOWED = """
    delete from history.hist_users as version using run
    where version.district_id = %(district)s and version.source_id = run.source_id
        and version.valid_from_seq > run.valid_from_seq and version.valid_from_seq <= run.last_from_seq
"""

_SEQUENCES = """
    select accepted_sequence, service_date from rollcall.delivery
    where district_id = %s and accepted_sequence is not null and state = 'published' order by 1
"""


def enrollments_of(connection: Connection, district_id: str, ids: frozenset[str]) -> frozenset[str]:
    """The ids of a person's enrollments, of all nights."""
    return frozenset(
        values(
            connection,
            f"select distinct source_id from {ENROLLMENTS} where district_id = %s and user_source_id = any(%s)",
            (district_id, sorted(ids)),
        )
    )


def remove_from_history(session: Connection, act: Act, records: Records) -> Places:
    """Take a person out of a district's history.

    Args:
        session: A transaction of the session that holds the conform lock.
        act: Who goes.
        records: All ids of their records.

    Raises:
        BuildImpossibleError: dbt did not say how a class's details are worked out.
    """
    who = {"district": act.district_id, "ids": sorted(act.ids)}
    places = Places()
    session.execute(_AFFECTED_CLASSES, who)
    for table, column in OF_PERSON.items():
        deleted = session.execute(
            sql.SQL("delete from {} where district_id = %(district)s and {} = any(%(ids)s)").format(
                sql.Identifier(*table.split(".")), sql.Identifier(column)
            ),
            who,
        )
        places.add(table, deleted.rowcount)
    shortened, swallowed = _remove_references(session, act)
    places.add(REFERENCES, shortened)
    places.add(USERS, swallowed)
    if value(session, "select exists (select from forgotten_class)"):
        _work_out_anew(session, act.district_id)
    _remove_former_ids(session, act, records, places)
    return places


def _remove_references(session: Connection, act: Act) -> tuple[int, int]:
    """Take the person out of the lists of other people; how many versions that changes, and how many it makes none."""
    who = {"district": act.district_id, "ids": sorted(act.ids)}
    session.execute(_WITHOUT_REFERENCES, who)
    session.execute(
        sql.SQL(_HASHED_ANEW).format(row_hash=row_hash(FILE_BY_NAME["users"]), district=sql.Literal(act.district_id))
    )
    for statement in (_MERGED, _LONGER):
        session.execute(statement, who)
    swallowed = session.execute(_SWALLOWED, who).rowcount
    return int(value(session, "select coalesce(sum(versions), 0) from referring")), swallowed


def _work_out_anew(session: Connection, district_id: str) -> None:
    """Work out the details of the classes that the person taught, for each sequence that was published."""
    script = compile_query("{{ class_details_anew('forgotten_night', 'forgotten_class') }}")
    session.execute(
        """
        delete from history.hist_class_details as details using forgotten_class
        where details.district_id = forgotten_class.district_id
            and details.school_year = forgotten_class.school_year and details.source_id = forgotten_class.source_id
        """
    )
    session.execute(
        "create temporary table forgotten_night (district_id text, sequence integer, night date) on commit drop"
    )
    for sequence, night in session.execute(_SEQUENCES, [district_id]).fetchall():
        session.execute("delete from forgotten_night")
        session.execute("insert into forgotten_night values (%s, %s, %s)", (district_id, sequence, night))
        session.execute(sql.SQL(script))


def _remove_former_ids(session: Connection, act: Act, records: Records, places: Places) -> None:
    """Which id came from which: last, for by it the person is found again if this is interrupted."""
    files, ids = records.pairs
    for table, columns in (
        (FORMER_IDS, ("source_id", "first_source_id")),
        ("rollcall.rekeyed_record", ("old_id", "new_id")),
    ):
        of_district = (
            "gone.district_id = %(district)s"
            if table == FORMER_IDS
            else "gone.delivery_id in (select delivery_id from rollcall.delivery where district_id = %(district)s)"
        )
        deleted = session.execute(
            f"delete from {table} as gone using unnest(%(files)s::text[], %(ids)s::text[]) as record (file, id)"
            f" where {of_district} and gone.file = record.file and record.id in (gone.{columns[0]}, gone.{columns[1]})",
            {"district": act.district_id, "files": files, "ids": ids},
        )
        places.add(table, deleted.rowcount)
