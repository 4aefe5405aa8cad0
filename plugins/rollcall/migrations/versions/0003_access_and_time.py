"""Roles with the rights that they need, readers limited to districts, the roster as of a night, rollbacks."""

from alembic import op

from rollcall.migrations import GRANT_ON_DATABASE

revision = "0003"
down_revision = "0002"

ROLES = """
do $$
declare
    wanted text;
begin
    foreach wanted in array array[
        'rollcall_loader', 'rollcall_dbt', 'roster_owner', 'roster_reader', 'roster_restricted_reader'
    ] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
    end loop;
    -- Whoever deploys takes the stages' roles on; dbt makes the marts, which another role owns.
    foreach wanted in array array['rollcall_loader', 'rollcall_dbt'] loop
        if not pg_has_role(current_user, wanted, 'set') then
            execute format('grant %I to current_user with inherit true, set true', wanted);
        end if;
    end loop;
    if not pg_has_role('rollcall_dbt', 'roster_owner', 'set') then
        grant roster_owner to rollcall_dbt with inherit true, set true;
    end if;
    -- Who may see demographics may see the rest.
    if not pg_has_role('roster_restricted_reader', 'roster_reader', 'usage') then
        grant roster_reader to roster_restricted_reader with inherit true, set false;
    end if;
end
$$;
comment on role rollcall_loader is
    'Rollcall, from arrival to decision, and its reports: writes the ledger and the landed rows, reads the history.';
comment on role rollcall_dbt is
    'Rollcall, conform and publish: owns staging, history and audits, moves the publications.';
comment on role roster_owner is
    'Owns the marts. Owns no table and is subject to row-level security, so that readers are, too.';
comment on role roster_reader is 'Reads the schema roster, of the districts that rollcall.reader_district names.';
comment on role roster_restricted_reader is
    'Reads the schema roster_restricted as well, of the districts that rollcall.reader_district names.';
"""

READERS = """
create table rollcall.reader_district (
    reader name not null,
    district_id text,
    granted_by text not null,
    granted_at timestamptz not null default now(),
    unique nulls not distinct (reader, district_id)
);
comment on table rollcall.reader_district is
    'Which districts a reader sees: a row per reader, or role that readers are members of, and district.';
comment on column rollcall.reader_district.district_id is
    'The district; null means every district, those to come included.';

create view rollcall.readable_district as
select district.district_id
from rollcall.district
where
    pg_has_role(current_user, 'rollcall_loader', 'usage')
    or pg_has_role(current_user, 'rollcall_dbt', 'usage')
    or exists (
        select
        from rollcall.reader_district as granted
        inner join pg_roles on granted.reader = pg_roles.rolname
        where granted.district_id is null and pg_has_role(current_user, pg_roles.oid, 'usage')
    )
union all
select granted.district_id
from rollcall.reader_district as granted
inner join pg_roles on granted.reader = pg_roles.rolname
where granted.district_id is not null and pg_has_role(current_user, pg_roles.oid, 'usage');
comment on view rollcall.readable_district is
    'The districts that whoever asks may see: a reader those granted, Rollcall itself all.';
"""

AS_OF = """
create index publication_event_district on rollcall.publication_event (district_id, publication_event_id);
-- Small tables that every mart is planned by.
alter table rollcall.district set (autovacuum_analyze_threshold = 1);
alter table rollcall.publication set (autovacuum_analyze_threshold = 1);

-- Begins with a table, whose statistics the planner knows: of a union it would know nothing, and take every mart for a
-- row or two.
create view rollcall.published as
select
    district.district_id,
    district.name as district_name,
    district.enrollment_end_date,
    night.sequence,
    night.effective_date,
    night.published_at
from rollcall.district
cross join lateral (
    select
        publication.sequence,
        publication.effective_date,
        publication.published_at
    from rollcall.publication
    where
        publication.district_id = district.district_id
        and nullif(current_setting('roster.as_of', true), '') is null
    union all
    (
        select
            event.sequence,
            event.effective_date,
            event.published_at
        from rollcall.publication_event as event
        where
            event.district_id = district.district_id
            and event.effective_date <= nullif(current_setting('roster.as_of', true), '')::date
        order by event.publication_event_id desc
        limit 1
    )
) as night
where district.district_id in (select readable_district.district_id from rollcall.readable_district);
comment on view rollcall.published is
    'What the marts show: a row per district, its publication. With `set roster.as_of = ''2026-10-15''`, the last one '
    'that stood for that night or an earlier one. A reader gets the districts that were granted.';

create view rollcall.published_night as
select distinct on (event.district_id, event.effective_date)
    event.district_id,
    event.sequence,
    event.effective_date,
    event.published_at
from rollcall.publication_event as event
where
    coalesce(event.effective_date <= nullif(current_setting('roster.as_of', true), '')::date, true)
    and event.district_id in (select readable_district.district_id from rollcall.readable_district)
order by event.district_id asc, event.effective_date asc, event.publication_event_id desc;
comment on view rollcall.published_night is
    'Every night that a publication stood for, to the one that rollcall.published shows: a row per district and '
    'effective date, with the last sequence that was published for it.';
"""

ROLLBACK = """
create table rollcall.rollback (
    rollback_id bigint generated always as identity primary key,
    district_id text not null references rollcall.district,
    delivery_id bigint not null references rollcall.delivery,
    sequence integer not null,
    from_sequence integer not null,
    to_sequence integer not null check (to_sequence < from_sequence),
    rolled_back_by text not null,
    why text not null,
    rolled_back_at timestamptz not null default now(),
    unique (district_id, sequence),
    check (from_sequence < sequence)
);
comment on table rollcall.rollback is
    'One row per time that a person took a district''s publication back: `sequence` has the content of `to_sequence`, '
    'and a delivery equal to one of those after it, up to `from_sequence`, is held.';
comment on column rollcall.rollback.delivery_id is
    'The ledger''s row for the new sequence: no delivery came, its source is `rollback`.';
"""

LOADER = """
grant usage on schema rollcall, staging, history to rollcall_loader;
grant select on all tables in schema rollcall, staging, history to rollcall_loader;
grant insert, update on rollcall.district, rollcall.delivery, rollcall.hold, rollcall.night to rollcall_loader;
grant insert, update, delete on
    rollcall.delivery_file, rollcall.check_result, rollcall.row_finding, rollcall.expected_change
to rollcall_loader;
grant insert on rollcall.publication_event to rollcall_loader;
grant update (effective_date) on rollcall.publication to rollcall_loader;
"""

DBT = """
grant usage on schema rollcall to rollcall_dbt;
grant usage, create on schema staging, audit, history, roster, roster_restricted to rollcall_dbt;
grant select on all tables in schema rollcall, staging to rollcall_dbt;
grant insert, update on
    rollcall.build, rollcall.build_delivery, rollcall.build_node, rollcall.change_count, rollcall.publication
to rollcall_dbt;
grant insert on
    rollcall.audit_finding, rollcall.publication_event, rollcall.rollback, rollcall.delivery
to rollcall_dbt;
grant update (state, state_reason, published_at) on rollcall.delivery to rollcall_dbt;
alter default privileges for role rollcall_loader grant usage on schemas to rollcall_dbt;
alter default privileges for role rollcall_loader grant select on tables to rollcall_dbt;
"""

MARTS = """
comment on schema roster is
    'The published roster: views for analysts, of the districts that a reader was granted. What each view and column '
    'means is in its comment, in docs/data-dictionary.md and, in Airflow, under Docs > Warehouse docs.';
grant usage on schema rollcall, history to roster_owner;
grant usage, create on schema roster, roster_restricted to roster_owner;
grant select on rollcall.published, rollcall.published_night, rollcall.readable_district to roster_owner;
alter default privileges for role rollcall_dbt in schema history
grant select on tables to rollcall_loader, roster_owner;
alter default privileges in schema roster revoke select on tables from roster_reader, roster_restricted_reader;
alter default privileges in schema roster_restricted revoke select on tables from roster_restricted_reader;
"""

# What an older version made belongs to whoever deployed it.
HAND_OVER = """
do $$
declare
    relation record;
    of_delivery record;
begin
    for of_delivery in select nspname from pg_namespace where nspname like 'delivery\\_%' loop
        execute format('alter schema %I owner to rollcall_loader', of_delivery.nspname);
        execute format('grant usage on schema %I to rollcall_dbt', of_delivery.nspname);
        execute format('grant select on all tables in schema %I to rollcall_dbt', of_delivery.nspname);
    end loop;
    for relation in
        select
            pg_class.oid::regclass as name,
            case
                when pg_namespace.nspname like 'delivery\\_%' then 'rollcall_loader' else 'rollcall_dbt'
            end as new_owner
        from pg_class
        inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
        where
            pg_class.relkind in ('r', 'v')
            and (
                pg_namespace.nspname in ('audit', 'history', 'roster', 'roster_restricted')
                or pg_namespace.nspname like 'delivery\\_%'
                or (
                    pg_namespace.nspname = 'staging'
                    and (pg_class.relname like 'stg\\_%' or pg_class.relname like 'int\\_%')
                )
            )
    loop
        execute format('alter table %s owner to %I', relation.name, relation.new_owner);
    end loop;
end
$$;
grant select on all tables in schema history to rollcall_loader, roster_owner;
"""


def upgrade() -> None:
    """Give each stage its role, what was there to the role that works on it, and readers their districts."""
    for script in (ROLES, READERS, AS_OF, ROLLBACK, LOADER, DBT, MARTS, GRANT_ON_DATABASE, HAND_OVER):
        op.execute(script)
