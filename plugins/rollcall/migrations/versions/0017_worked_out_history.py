"""What is worked out from history, kept as history: which sequences of an older warehouse it has to be made up for."""

from alembic import op

revision = "0017"
down_revision = "0016"

TO_FILL = """
create table rollcall.history_to_fill (
    model text not null,
    district_id text not null,
    sequence integer not null,
    primary key (model, district_id, sequence)
);
comment on table rollcall.history_to_fill is
    'Sequences, published by an older version, for which a history table is still to be worked out; a deploy works the '
    'list off.';
insert into rollcall.history_to_fill (model, district_id, sequence)
select distinct model.name, event.district_id, event.sequence
from rollcall.publication_event as event
cross join unnest(array['hist_class_details', 'hist_doubles']) as model (name);
grant select, delete on rollcall.history_to_fill to rollcall_dbt;
grant select on rollcall.history_to_fill to rollcall_loader;
"""


def upgrade() -> None:
    """List what a deploy has to make up for."""
    op.execute(TO_FILL)
