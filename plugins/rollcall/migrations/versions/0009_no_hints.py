"""Nothing that a reader is shown of a plan tells of another district: neither counts of rows nor estimates."""

from alembic import op

revision = "0009"
down_revision = "0008"

# As 0004 made them, but for the condition on the districts. As a join it was met after the reader's own conditions; now
# each table has it: as an array for its index, and for scans in a form that costs nothing in the planner's reckoning,
# and so is asked first. The policies on the history do the same.
GRANTED = """
    (select jsonb_object_agg(granted.district_id, true) from rollcall.readable_district as granted)[{table}.district_id]
    is not null
    and {table}.district_id = any(array(select granted.district_id from rollcall.readable_district as granted))
"""

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
        and {publication_is_granted}
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
            and {event_is_granted}
            and event.effective_date <= nullif(current_setting('roster.as_of', true), '')::date
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
    event.published_at
from rollcall.publication_event as event
where
    coalesce(event.effective_date <= nullif(current_setting('roster.as_of', true), '')::date, true)
    and event.night_correction_id is null
    and {event_is_granted}
order by event.district_id asc, event.effective_date asc, event.publication_event_id desc;
"""

# Histograms are made of values; those of a few small tables help no plan.
NO_VALUES_IN_STATISTICS = """
do $$
declare
    found record;
begin
    for found in
        select pg_class.relname, pg_attribute.attname
        from pg_attribute
        inner join pg_class on pg_attribute.attrelid = pg_class.oid
        where
            pg_class.relnamespace = 'rollcall'::regnamespace
            and pg_class.relname in ('district', 'publication', 'publication_event')
            and pg_attribute.attnum > 0 and not pg_attribute.attisdropped
    loop
        execute format('alter table rollcall.%I alter column %I set statistics 0', found.relname, found.attname);
        perform pg_clear_attribute_stats('rollcall', found.relname, found.attname, false);
    end loop;
end
$$;
"""


def upgrade() -> None:
    """Ask for the granted districts where the rows are looked up, and keep values out of the planner's statistics."""
    tables = ("district", "publication", "event")
    op.execute(AS_OF.format(**{f"{table}_is_granted": GRANTED.format(table=table) for table in tables}))
    op.execute(NO_VALUES_IN_STATISTICS)
