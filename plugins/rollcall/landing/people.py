"""People who are sent once per school: some systems write a row of users.csv for each, others a list in one row."""

from psycopg import sql

from rollcall.warehouse import Connection

MERGED = "row_merged"
"""The code of a row that was merged into another."""

# Where the rest of a person's rows differ in anything, it is not known which one is right: the gate sets them aside.
ROWS_PER_SCHOOL = """
create temporary table person on commit drop as
with

several as (
    select btrim(sourced_id) as id
    from {users}
    group by btrim(sourced_id)
    having count(*) > 1 and min(org_sourced_ids) <> max(org_sourced_ids)
)

select
    several.id,
    min(users._row) as kept_row,
    (
        select string_agg(distinct btrim(listed.id), ',' order by btrim(listed.id))
        from string_to_table(string_agg(users.org_sourced_ids, ','), ',') as listed (id)
        where btrim(listed.id) <> ''
    ) as org_sourced_ids
from several
inner join {users} as users on several.id = btrim(users.sourced_id)
group by several.id
having count(distinct to_jsonb(users) - array['_row', 'sourced_id', 'org_sourced_ids', 'date_last_modified']) = 1
"""

MOVE_THE_OTHERS = """
with moved as (
    delete from {users} as users using person
    where btrim(users.sourced_id) = person.id and users._row <> person.kept_row
    returning users._row, users.sourced_id
)

insert into {ragged} (_row, file, code, first_cell)
select _row, 'users', {code}, sourced_id from moved
"""

NAME_ALL_SCHOOLS = """
update {users} as users set org_sourced_ids = person.org_sourced_ids from person where users._row = person.kept_row
"""


def merge_rows_per_school(connection: Connection, users: sql.Identifier, ragged: sql.Identifier) -> int:
    """Make one row of a person's rows that differ in nothing but the schools; the first stays, and names them all.

    Args:
        connection: The transaction in which users.csv was landed.
        users: Its table.
        ragged: The table of the delivery's rows that are no records of their own.

    Returns:
        How many rows were merged into others.
    """
    names = {"users": users, "ragged": ragged, "code": sql.Literal(MERGED)}
    connection.execute(sql.SQL(ROWS_PER_SCHOOL).format(**names))
    moved = connection.execute(sql.SQL(MOVE_THE_OTHERS).format(**names)).rowcount
    if moved:
        connection.execute(sql.SQL(NAME_ALL_SCHOOLS).format(**names))
    return moved
