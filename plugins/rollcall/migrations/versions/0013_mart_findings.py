"""What the tests of the marts and of history's keys find in what was published."""

from alembic import op

revision = "0013"
down_revision = "0012"

TABLES = """
create table rollcall.mart_test (
    district_id text not null references rollcall.district,
    sequence integer not null,
    tests integer not null,
    seconds double precision not null,
    tested_at timestamptz not null default clock_timestamp(),
    primary key (district_id, sequence)
);
comment on table rollcall.mart_test is
    'One row per publication that was tested after it was published: how many tests, and how long they took for all '
    'the districts that were tested with it.';

create table rollcall.mart_finding (
    district_id text not null,
    sequence integer not null,
    test text not null,
    severity text not null check (severity in ('error', 'warn')),
    failures bigint not null,
    primary key (district_id, sequence, test),
    foreign key (district_id, sequence) references rollcall.mart_test
);
comment on table rollcall.mart_finding is
    'One row per test that a publication fails: how often. Nothing waits for it, and nothing is taken back. Holds no '
    'values.';
comment on column rollcall.mart_finding.severity is
    'What the model''s file says: `error` is a mistake of Rollcall''s, `warn` happens with what districts send.';
grant select on rollcall.mart_test, rollcall.mart_finding to rollcall_loader, rollcall_dbt;
grant insert on rollcall.mart_test, rollcall.mart_finding to rollcall_dbt;
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(TABLES)
