"""Upkeep removes files, too: what went is a row, and a file whose bytes are gone says since when."""

from alembic import op

revision = "0021"
down_revision = "0020"

UPKEEP = """
alter table rollcall.upkeep rename column relation to what;
alter table rollcall.upkeep rename column rows_removed to removed;
alter table rollcall.upkeep
    add column bytes_removed bigint not null default 0,
    add constraint upkeep_what_decided_before_key unique (what, decided_before);
comment on table rollcall.upkeep is 'One row per time that upkeep removed something of a kind; counts stay.';
comment on column rollcall.upkeep.what is
    'The table of the ledger that rows were removed from; or landed (schemas), archive, receipts, logs (files).';
comment on column rollcall.upkeep.deliveries is 'Of how many deliveries; of logs it is not known.';
comment on column rollcall.upkeep.removed is 'How many rows, schemas or files.';
comment on column rollcall.upkeep.bytes_removed is 'The size of the files.';
comment on column rollcall.upkeep.decided_before is
    'Deliveries decided before this were old enough; logs that were last written before it.';
grant update on rollcall.upkeep to rollcall_loader;
"""

REMOVED = """
alter table rollcall.delivery_file add column removed_at timestamptz;
comment on column rollcall.delivery_file.removed_at is
    'When upkeep removed its bytes from the archive; null while they are there.';
"""


def upgrade() -> None:
    """Widen the record of upkeep, and give files their end."""
    op.execute(UPKEEP)
    op.execute(REMOVED)
