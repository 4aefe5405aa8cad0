"""Other ids: who gave a district's records which, and why."""

from alembic import op

revision = "0023"
down_revision = "0022"

REKEYING = """
create table rollcall.rekeying (
    delivery_id bigint primary key references rollcall.delivery,
    district_id text not null references rollcall.district,
    sequence integer not null,
    from_sequence integer not null,
    rekeyed_by text not null,
    login text not null,
    why text not null,
    rekeyed_at timestamptz not null default clock_timestamp()
);
comment on table rollcall.rekeying is 'One row per time that a person gave records of a district other ids.';
comment on column rollcall.rekeying.delivery_id is 'The ledger''s row of the publication under the new ids.';
comment on column rollcall.rekeying.from_sequence is 'The sequence that readers saw before.';
comment on column rollcall.rekeying.login is 'The operating system''s name of who did it.';
create table rollcall.rekeyed_record (
    delivery_id bigint not null references rollcall.delivery,
    file text not null,
    old_id text not null,
    new_id text not null,
    primary key (delivery_id, file, old_id),
    unique (delivery_id, file, new_id)
);
comment on table rollcall.rekeyed_record is 'One row per record that got another id: sourcedIds only.';
grant select on rollcall.rekeying, rollcall.rekeyed_record to rollcall_loader, rollcall_dbt;
grant insert on rollcall.rekeying, rollcall.rekeyed_record to rollcall_loader;
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(REKEYING)
