"""A role that reads everything, past row-level security, so that whoever owns the warehouse can dump it."""

from alembic import op

revision = "0010"
down_revision = "0009"

ROLE = """
do $$
begin
    if not exists (select from pg_roles where rolname = 'rollcall_backup') then
        create role rollcall_backup nologin;
    end if;
    if not pg_has_role(current_user, 'rollcall_backup', 'set') then
        grant rollcall_backup to current_user with inherit false, set true;
    end if;
end
$$;
comment on role rollcall_backup is
    'Backups: reads every table of the warehouse and writes none. For pg_dump --role, with --enable-row-security.';
"""

# The policy that lets it read the history is made with the tables, by a deploy.
READS_EVERYTHING = """
grant usage on schema public, rollcall, staging, audit, history, roster, roster_restricted to rollcall_backup;
grant select on all tables in schema public, rollcall, staging, audit, history to rollcall_backup;
grant select on all sequences in schema rollcall to rollcall_backup;
alter default privileges grant select on tables to rollcall_backup;
alter default privileges grant select on sequences to rollcall_backup;
alter default privileges for role rollcall_dbt grant select on tables to rollcall_backup;
alter default privileges for role rollcall_loader grant usage on schemas to rollcall_backup;
alter default privileges for role rollcall_loader grant select on tables to rollcall_backup;
do $$
declare
    delivery text;
begin
    for delivery in select nspname from pg_namespace where nspname like 'delivery\\_%' loop
        execute format('grant usage on schema %I to rollcall_backup', delivery);
        execute format('grant select on all tables in schema %I to rollcall_backup', delivery);
    end loop;
end
$$;
"""


def upgrade() -> None:
    """Make the role, and let it read what there is and what is to come."""
    op.execute(ROLE)
    op.execute(READS_EVERYTHING)
