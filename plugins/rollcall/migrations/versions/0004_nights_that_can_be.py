"""No night that has not come; a publication's wrong night can be corrected, and is kept beside the right one."""

from alembic import op

revision = "0004"
down_revision = "0003"

NO_NIGHT_TO_COME = """
create function rollcall.latest_night() returns date language sql stable parallel safe
return (now() at time zone interval '14 hours')::date;
comment on function rollcall.latest_night() is
    'The date furthest east, where it is 14 hours later than in UTC: no night after it has come anywhere.';

create function rollcall.refuse_night_to_come() returns trigger language plpgsql as $$
begin
    raise exception 'The night of % has not come anywhere on earth: rollcall.% takes no row of it.',
        to_jsonb(new) ->> tg_argv[0], tg_table_name
    using
        errcode = 'check_violation', schema = tg_table_schema, table = tg_table_name, column = tg_argv[0],
        constraint = tg_name, hint = 'Say a night that has come.';
end
$$;
comment on function rollcall.refuse_night_to_come() is
    'The last fence before a night in the future, which would overtake every real one: the stages refuse it earlier, '
    'by the district''s own date.';
"""

FENCED = {
    "delivery": "service_date",
    "night": "service_date",
    "publication": "effective_date",
    "publication_event": "effective_date",
}

CORRECTIONS = """
create table rollcall.night_correction (
    night_correction_id bigint generated always as identity primary key,
    district_id text not null references rollcall.district,
    from_night date not null,
    to_night date not null check (to_night <> from_night),
    delivery_ids bigint[] not null,
    corrected_by text not null,
    login text not null,
    why text not null,
    corrected_at timestamptz not null default now()
);
comment on table rollcall.night_correction is
    'One row per time that a person gave what stood for a wrong night the right one, a rollback from a night to come '
    'included: these deliveries were for `from_night`, and are for `to_night` since.';
comment on column rollcall.night_correction.login is 'The operating system''s name of who did it.';

alter table rollcall.publication_event
add column night_correction_id bigint references rollcall.night_correction;
comment on column rollcall.publication_event.night_correction_id is
    'The correction that took this night from the publication: readers are shown it for this night no more.';
"""

# As 0003 made them, but for the nights that were corrected.
AS_OF = """
create or replace view rollcall.published as
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
            and event.night_correction_id is null
        order by event.publication_event_id desc
        limit 1
    )
) as night
where district.district_id in (select readable_district.district_id from rollcall.readable_district);

create or replace view rollcall.published_night as
select distinct on (event.district_id, event.effective_date)
    event.district_id,
    event.sequence,
    event.effective_date,
    event.published_at
from rollcall.publication_event as event
where
    coalesce(event.effective_date <= nullif(current_setting('roster.as_of', true), '')::date, true)
    and event.night_correction_id is null
    and event.district_id in (select readable_district.district_id from rollcall.readable_district)
order by event.district_id asc, event.effective_date asc, event.publication_event_id desc;
"""

GRANTS = """
grant select on rollcall.night_correction to rollcall_loader, rollcall_dbt;
grant insert on rollcall.night_correction to rollcall_dbt;
grant update (service_date) on rollcall.delivery to rollcall_dbt;
grant update (night_correction_id) on rollcall.publication_event to rollcall_dbt;
grant insert, delete on rollcall.night to rollcall_dbt;
"""


def upgrade() -> None:
    """Fence the ledger against nights to come, and give corrected ones their place."""
    op.execute(NO_NIGHT_TO_COME)
    for table, night in FENCED.items():
        op.execute(
            f"create trigger night_has_come before insert or update of {night} on rollcall.{table} for each row "
            f"when (new.{night} > rollcall.latest_night()) execute function rollcall.refuse_night_to_come('{night}')"
        )
    for script in (CORRECTIONS, AS_OF, GRANTS):
        op.execute(script)
