"""A publication keeps the settings that decide what it shows; as-of nights that cannot be are refused; revokes stay."""

from alembic import op

revision = "0012"
down_revision = "0011"

# Of the nights before, the settings are not known: they get those by which they have been shown.
SETTINGS = """
alter table rollcall.publication
    add column district_name text,
    add column enrollment_end_date text check (enrollment_end_date in ('inclusive', 'exclusive'));
alter table rollcall.publication_event
    add column district_name text,
    add column enrollment_end_date text check (enrollment_end_date in ('inclusive', 'exclusive')),
    add column moved_at timestamptz;
update rollcall.publication set district_name = name, enrollment_end_date = district.enrollment_end_date
from rollcall.district where publication.district_id = district.district_id;
update rollcall.publication_event set district_name = name, enrollment_end_date = district.enrollment_end_date
from rollcall.district where publication_event.district_id = district.district_id;
alter table rollcall.publication
    alter column district_name set not null, alter column district_name set statistics 0,
    alter column enrollment_end_date set not null, alter column enrollment_end_date set statistics 0;
alter table rollcall.publication_event
    alter column district_name set not null, alter column district_name set statistics 0,
    alter column enrollment_end_date set not null, alter column enrollment_end_date set statistics 0,
    alter column moved_at set default clock_timestamp(), alter column moved_at set statistics 0;
comment on column rollcall.publication.district_name is 'What the district was called when this was published.';
comment on column rollcall.publication.enrollment_end_date is
    'Whether the end date of an enrollment is its last day: the district''s habit when this was published.';
comment on column rollcall.publication_event.moved_at is
    'When the pointer moved; published_at is when the sequence was published, which an unchanged night leaves alone. '
    'Null for what an older version wrote.';

create function rollcall.keep_settings() returns trigger language plpgsql as $$
begin
    select
        coalesce(new.district_name, district.name),
        coalesce(new.enrollment_end_date, district.enrollment_end_date)
    into new.district_name, new.enrollment_end_date
    from rollcall.district
    where district.district_id = new.district_id;
    return new;
end
$$;
comment on function rollcall.keep_settings() is
    'What the district''s file says now is kept with the publication, where nothing else is said.';
create trigger keep_settings before insert on rollcall.publication
for each row execute function rollcall.keep_settings();
create trigger keep_settings before insert on rollcall.publication_event
for each row execute function rollcall.keep_settings();
grant update (district_name, enrollment_end_date) on rollcall.publication to rollcall_loader;
"""

NIGHT_ASKED_FOR = """
create function rollcall.as_of() returns date language plpgsql stable parallel safe as $$
declare
    asked constant text := nullif(current_setting('roster.as_of', true), '');
    misspelled text;
begin
    foreach misspelled in array array[
        'roster.asof', 'roster.as_off', 'roster.as_on', 'roster.as_at', 'roster.as_fo', 'roster.aso_f', 'roster.a_sof',
        'roster.sa_of', 'roster.as_o', 'roster.as_f', 'roster.a_of', 'roster.s_of', 'roster.ass_of', 'roster.as__of',
        'roster.as_of_date', 'roster.as_of_night', 'roster.asof_date', 'roster.date', 'roster.night',
        'rosters.as_of', 'rooster.as_of', 'roaster.as_of', 'rollcall.as_of', 'roster_restricted.as_of'
    ] loop
        if nullif(current_setting(misspelled, true), '') is not null then
            raise exception 'The setting % means nothing: an earlier night is asked for with roster.as_of.', misspelled
            using errcode = 'undefined_object',
                hint = format('reset %s; set roster.as_of = ''2026-10-15''', misspelled);
        end if;
    end loop;
    if asked is null then
        return null;
    end if;
    if asked !~ '^\\d{4}-\\d{2}-\\d{2}$' or not pg_input_is_valid(asked, 'date') then
        raise exception 'roster.as_of is set to %, which is no date.', quote_literal(asked)
        using errcode = 'invalid_datetime_format',
            hint = 'Say it as in: set roster.as_of = ''2026-10-15'', or return to the present: reset roster.as_of.';
    end if;
    -- As rollcall.latest_night() has it, which readers may not call by its name.
    if asked::date > (now() at time zone interval '14 hours')::date then
        raise exception 'roster.as_of is set to %, a night that has not come anywhere on earth.', asked
        using errcode = 'datetime_field_overflow',
            hint = 'Say a night that has come, or return to the present: reset roster.as_of.';
    end if;
    return asked::date;
end
$$;
comment on function rollcall.as_of() is
    'The night that the session asks for, by the setting roster.as_of; null for the present. Refuses what is no date, '
    'a night to come, and the likeliest misspellings of the setting: without it they would show the present.';
"""

GRANTED = """
    (select jsonb_object_agg(granted.district_id, true) from rollcall.readable_district as granted)[{table}.district_id]
    is not null
    and {table}.district_id = any(array(select granted.district_id from rollcall.readable_district as granted))
"""

# As 0009 made them, but for the settings and the night that is asked for.
PUBLISHED = """
create or replace view rollcall.published as
select
    district.district_id,
    night.district_name,
    night.enrollment_end_date,
    night.sequence,
    night.effective_date,
    night.published_at,
    (select rollcall.as_of()) as as_of
from rollcall.district
cross join lateral (
    select
        publication.district_name,
        publication.enrollment_end_date,
        publication.sequence,
        publication.effective_date,
        publication.published_at
    from rollcall.publication
    where
        publication.district_id = district.district_id
        and {publication_is_granted}
        and (select rollcall.as_of()) is null
    union all
    (
        select
            event.district_name,
            event.enrollment_end_date,
            event.sequence,
            event.effective_date,
            event.published_at
        from rollcall.publication_event as event
        where
            event.district_id = district.district_id
            and {event_is_granted}
            and event.effective_date <= (select rollcall.as_of())
            and event.night_correction_id is null
        order by event.publication_event_id desc
        limit 1
    )
) as night
where {district_is_granted};

create or replace view rollcall.published_night as
select distinct on (event.district_id, event.effective_date)
    event.district_id,
    event.sequence,
    event.effective_date,
    event.published_at,
    event.enrollment_end_date
from rollcall.publication_event as event
where
    coalesce(event.effective_date <= (select rollcall.as_of()), true)
    and event.night_correction_id is null
    and {event_is_granted}
order by event.district_id asc, event.effective_date asc, event.publication_event_id desc;
"""

READERS = """
create table rollcall.reader_event (
    reader_event_id bigint generated always as identity primary key,
    reader name not null,
    district_id text,
    action text not null check (action in ('added', 'granted', 'revoked', 'removed')),
    by_whom text not null,
    login text not null,
    occurred_at timestamptz not null default now()
);
comment on table rollcall.reader_event is
    'One row per time that a reader was made, granted or revoked districts, or removed; reader_district is what '
    'counts.';
comment on column rollcall.reader_event.district_id is 'The district; null where it is about all of them.';
comment on column rollcall.reader_event.login is 'The operating system''s name of who did it.';
grant select on rollcall.reader_event to rollcall_loader, rollcall_dbt;
"""


def upgrade() -> None:
    """Keep with each publication what decides its content, and what was granted after it is revoked."""
    for script in (SETTINGS, NIGHT_ASKED_FOR, READERS):
        op.execute(script)
    tables = ("district", "publication", "event")
    op.execute(PUBLISHED.format(**{f"{table}_is_granted": GRANTED.format(table=table) for table in tables}))
