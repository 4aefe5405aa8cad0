"""A pointer that parallel workers can read; comparisons of which the planner knows that nearly every row passes."""

from alembic import op

revision = "0019"
down_revision = "0018"

# Of a comparison of two columns PostgreSQL assumes that a third of the rows passes. Of a version's first sequence, and
# of the days between which something counts, nearly all do; over the models of a mart that adds up to plans for a
# hundredth of the rows. These compare as `<=` does, and are estimated as `not like` is: 199 of 200 pass.
NEARLY_ALWAYS = """
create operator rollcall.<= (
    function = int4le, leftarg = integer, rightarg = integer, negator = operator(rollcall.>),
    restrict = nlikesel, join = nlikejoinsel
);
create operator rollcall.> (
    function = int4gt, leftarg = integer, rightarg = integer, negator = operator(rollcall.<=),
    restrict = likesel, join = likejoinsel
);
create operator rollcall.<= (
    function = date_le, leftarg = date, rightarg = date, negator = operator(rollcall.>),
    restrict = nlikesel, join = nlikejoinsel
);
create operator rollcall.> (
    function = date_gt, leftarg = date, rightarg = date, negator = operator(rollcall.<=),
    restrict = likesel, join = likejoinsel
);
comment on operator rollcall.<= (integer, integer) is
    'Less than or equal; the planner takes it to be true of nearly all.';
comment on operator rollcall.<= (date, date) is 'Less than or equal; the planner takes it to be true of nearly all.';
comment on operator rollcall.> (integer, integer) is 'What rollcall.<= denies: its estimate asks for this one.';
comment on operator rollcall.> (date, date) is 'What rollcall.<= denies: its estimate asks for this one.';
"""

GRANTED = """
    (select jsonb_object_agg(granted.district_id, true) from rollcall.readable_district as granted)[{table}.district_id]
    is not null
    and {table}.district_id = any(array(select granted.district_id from rollcall.readable_district as granted))
"""

# As 0012 made it, but for all districts at once. A limit, or a lookup per district, is nothing that a parallel worker
# may do: every row would be handed to the one process that has the pointer. The outer `distinct on` takes nothing away:
# it tells the planner that a district has one row, and keeps the branches from being shared among the workers, one of
# which would get all districts.
PUBLISHED = """
create or replace view rollcall.published as
select distinct on (shown.district_id)
    shown.district_id,
    shown.district_name,
    shown.enrollment_end_date,
    shown.sequence,
    shown.effective_date,
    shown.published_at,
    (select rollcall.as_of()) as as_of
from (
    select
        publication.district_id,
        publication.district_name,
        publication.enrollment_end_date,
        publication.sequence,
        publication.effective_date,
        publication.published_at
    from rollcall.publication
    where {publication_is_granted} and (select rollcall.as_of()) is null
    union all
    (
        select distinct on (event.district_id)
            event.district_id,
            event.district_name,
            event.enrollment_end_date,
            event.sequence,
            event.effective_date,
            event.published_at
        from rollcall.publication_event as event
        where
            {event_is_granted}
            and event.effective_date <= (select rollcall.as_of())
            and event.night_correction_id is null
        order by event.district_id asc, event.publication_event_id desc
    )
) as shown
order by shown.district_id;
"""


def upgrade() -> None:
    """Make the operators, and the pointer anew."""
    op.execute(NEARLY_ALWAYS)
    granted = {f"{table}_is_granted": GRANTED.format(table=table) for table in ("publication", "event")}
    op.execute(PUBLISHED.format(**granted))
