"""Exports: roles that may take the published roster out of the warehouse, and a record of each time."""

from alembic import op

revision = "0015"
down_revision = "0014"

ROLES = """
do $$
declare
    wanted text;
begin
    foreach wanted in array array['roster_exporter', 'roster_restricted_exporter'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
        if not pg_has_role(current_user, wanted, 'set') then
            execute format('grant %I to current_user with inherit false, set true', wanted);
        end if;
    end loop;
    if not pg_has_role('roster_exporter', 'roster_reader', 'usage') then
        grant roster_reader to roster_exporter with inherit true, set false;
    end if;
    if not pg_has_role('roster_restricted_exporter', 'roster_restricted_reader', 'usage') then
        grant roster_restricted_reader to roster_restricted_exporter with inherit true, set false;
    end if;
    if not pg_has_role('roster_restricted_exporter', 'roster_exporter', 'usage') then
        grant roster_exporter to roster_restricted_exporter with inherit true, set false;
    end if;
end
$$;
comment on role roster_exporter is
    'Exports: reads the marts and the published records of every district, but for demographics.';
comment on role roster_restricted_exporter is 'Exports: the same, and demographics.';
"""

# As 0003 made it, but for those who export.
READABLE = """
create or replace view rollcall.readable_district as
select district.district_id
from rollcall.district
where
    pg_has_role(current_user, 'rollcall_loader', 'usage')
    or pg_has_role(current_user, 'rollcall_dbt', 'usage')
    or pg_has_role(current_user, 'roster_exporter', 'usage')
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
"""

RECORD = """
create table rollcall.export (
    export_id bigint generated always as identity primary key,
    district_id text not null references rollcall.district,
    sequence integer not null,
    effective_date date not null,
    format text not null check (format in ('parquet', 'csv', 'oneroster')),
    tables text[] not null,
    number_of_rows bigint not null,
    with_restricted boolean not null,
    exported_by text not null,
    login text not null,
    exported_at timestamptz not null default clock_timestamp()
);
comment on table rollcall.export is
    'One row per district and time that its published roster was taken out of the warehouse by `rollcall export`; '
    'written before the files get their names. Holds no values.';
comment on column rollcall.export.tables is 'The marts, or the files of the OneRoster zip.';
comment on column rollcall.export.with_restricted is 'Whether demographics could be among it.';
comment on column rollcall.export.login is 'The operating system''s name of who did it.';
grant select on rollcall.export to rollcall_loader, rollcall_dbt;
grant usage on schema rollcall, history to roster_exporter;
grant insert on rollcall.export to roster_exporter;
grant select on rollcall.published, rollcall.readable_district to roster_exporter;
"""

# A new history table gets the same from the deploy that makes it.
HISTORY = """
do $$
declare
    found record;
begin
    for found in
        select pg_class.relname
        from pg_policy
        inner join pg_class on pg_policy.polrelid = pg_class.oid
        where pg_class.relnamespace = 'history'::regnamespace and pg_policy.polname = 'granted_districts'
    loop
        execute format('alter policy granted_districts on history.%I to roster_owner, roster_exporter', found.relname);
        execute format(
            'grant select on history.%I to %I',
            found.relname,
            case found.relname
                when 'hist_demographics' then 'roster_restricted_exporter' else 'roster_exporter'
            end
        );
    end loop;
end
$$;
"""


def upgrade() -> None:
    """Make the roles and the record, and let the roles read."""
    for script in (ROLES, READABLE, RECORD, HISTORY):
        op.execute(script)
