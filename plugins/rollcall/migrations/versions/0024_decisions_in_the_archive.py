"""What was decided is written into the archive, too; which of it is there, the ledger knows."""

from alembic import op

revision = "0024"
down_revision = "0023"

ENTRIES = """
create table rollcall.decision_entry (
    district_id text not null references rollcall.district,
    name text not null,
    version integer not null,
    digest uuid not null,
    written_at timestamptz not null default clock_timestamp(),
    primary key (district_id, name)
);
comment on table rollcall.decision_entry is
    'One row per document of a district in the archive''s folder `decisions`: the newest version that was written.';
comment on column rollcall.decision_entry.digest is 'MD5 of the document.';
grant select on rollcall.decision_entry to rollcall_loader, rollcall_dbt;
grant insert, update on rollcall.decision_entry to rollcall_loader;
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(ENTRIES)
