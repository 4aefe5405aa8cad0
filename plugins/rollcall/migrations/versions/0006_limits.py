"""What is set aside lies with the delivery's rows, the ledger lists the first of each rule; and it is tidied up."""

from alembic import op

from rollcall.migrations.landing import ROW_SET_ASIDE

revision = "0006"
down_revision = "0005"

SET_ASIDE = (
    ROW_SET_ASIDE
    + """
grant select on staging.row_set_aside to rollcall_loader, rollcall_dbt;
comment on table rollcall.row_finding is
    'Records that broke a check, the first 10,000 per delivery, file and code; check_result has the whole count. A '
    'critical finding sets the record aside. Upkeep removes those of old deliveries. Holds no values (law 7).';
"""
)

UPKEEP = """
create table rollcall.upkeep (
    upkeep_id bigint generated always as identity primary key,
    removed_at timestamptz not null default now(),
    relation text not null,
    deliveries bigint not null,
    rows_removed bigint not null,
    decided_before timestamptz not null
);
comment on table rollcall.upkeep is
    'One row per time that upkeep removed details of old deliveries from a table of the ledger; their counts stay.';
comment on column rollcall.upkeep.relation is 'The table that the rows were removed from.';
comment on column rollcall.upkeep.deliveries is 'Of how many deliveries.';
comment on column rollcall.upkeep.decided_before is 'Deliveries decided before this were old enough.';
grant select on rollcall.upkeep to rollcall_loader, rollcall_dbt;
grant insert on rollcall.upkeep to rollcall_loader;
"""


def upgrade() -> None:
    """Add the template of what is set aside, and the record of what upkeep removes."""
    op.execute(SET_ASIDE)
    op.execute(UPKEEP)
