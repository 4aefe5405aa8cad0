"""OneRoster 1.2 says in roles.csv what 1.1 says in users.csv: here it comes into the landed users."""

from collections.abc import Sequence

from psycopg import sql

from rollcall import ledger
from rollcall.gate.landed import LandedFile, lock_landed_files
from rollcall.landing.typed import make_missing_typed, make_typed
from rollcall.ledger import landing_schema
from rollcall.oneroster import ROLES
from rollcall.published import publication_of
from rollcall.warehouse import connect, value

ROLES_BY_WEIGHT: Sequence[str] = (
    "student",
    "teacher",
    "principal",
    "siteAdministrator",
    "districtAdministrator",
    "systemAdministrator",
    "administrator",
    "counselor",
    "aide",
    "proctor",
    "parent",
    "guardian",
    "relative",
)
"""Which role stands for a person who has several primary ones, or none: the first in this list."""

PUBLISHED_PERSON = {"id": "version.source_id", "role": "version.role", "org_source_ids": "version.org_source_ids"}

FOLD = """
with

role_rows as (
    select
        _row,
        user_source_id as id,
        org_source_id as org,
        role,
        array_position({names}::text[], role) as weight,
        coalesce(role_type = 'primary', false) as is_primary,
        is_to_be_deleted as is_gone
    from typed_roles
    where user_source_id is not null
),

standing as (
    select * from role_rows
    where not is_gone and role is not null and org is not null
),

-- One role stands for the person: a primary one, of several the weightiest.
named as (
    select distinct on (id)
        id,
        role,
        is_primary
    from standing
    order by id, is_primary desc, weight asc nulls last, _row
),

-- What readers see counts where the file need not name every role, and for those who are to be deleted.
published as (
    select * from ({published}) as person
    where
        not {is_whole}
        or id in (select source_id from typed_users where is_to_be_deleted)
),

-- Those that readers see, then the sent ones: primary roles first, each in the order of the file.
orgs as (
    select id, org, 2 as turn, not is_primary as is_secondary, _row as place from standing
    union all
    select published.id, listed.org, 1 as turn, false as is_secondary, listed.place
    from published
    cross join unnest(published.org_source_ids) with ordinality as listed (org, place)
    where not exists (
        select from role_rows where role_rows.id = published.id and role_rows.org = listed.org and role_rows.is_gone
    )
),

each_once as (
    select distinct on (id, org) *
    from orgs
    order by id, org, turn, is_secondary, place
),

org_lists as (
    select id, string_agg(org, ',' order by turn, is_secondary, place) as orgs
    from each_once
    group by id
),

folded as (
    select
        id,
        case when named.is_primary or published.role is null then named.role else published.role end as role,
        org_lists.orgs
    from named
    full join published using (id)
    left join org_lists using (id)
)

update users set
    role = coalesce(users.role, folded.role),
    org_sourced_ids = coalesce(users.org_sourced_ids, folded.orgs)
from folded
inner join typed_users as person on folded.id = person.source_id
where users._row = person._row and (users.role is null or users.org_sourced_ids is null)
"""


def fold_roles(delivery_id: int) -> None:
    """Fill each landed user's role and schools from the delivery's roles, where users.csv does not say them.

    All organizations in which a person has a role are the person's; the primary role is the person's role. A file that
    need not name every role (a delta, one without records, one with ragged rows) adds to what is published. Done twice,
    it changes nothing.

    Args:
        delivery_id: The delivery.

    Raises:
        LandedRowsGoneError: landed rows are gone; nothing was written.
        WarehouseError: PostgreSQL refused a statement; nothing was written.
    """
    with connect(search_path=landing_schema(delivery_id)) as connection:
        landed = lock_landed_files(connection, delivery_id, [ROLES.name, "users"])
        roles, users = landed.get(ROLES.name), landed.get("users")
        if roles is None or users is None or roles.rejected or users.rejected:
            return
        ragged = value(connection, "select exists (select from ragged_row where file = %s)", (ROLES.name,))
        is_whole = _is_whole(roles) and not ragged
        delivery = ledger.delivery(connection, delivery_id)
        make_missing_typed(connection, delivery, [roles.file, users.file])
        folded = connection.execute(
            sql.SQL(FOLD).format(
                names=sql.Literal(list(ROLES_BY_WEIGHT)),
                published=publication_of(connection, delivery.district_id).select(users.file, **PUBLISHED_PERSON),
                is_whole=sql.Literal(is_whole),
            )
        )
        if folded.rowcount:
            make_typed(connection, delivery, users.file)


def _is_whole(roles: LandedFile) -> bool:
    """Whether the file names every role that there is."""
    return roles.mode == "bulk" and roles.rows > 0
