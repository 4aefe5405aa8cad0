"""Details of findings, changes before they count, and landing templates with room for further columns."""

from alembic import op

from rollcall.migrations.landing import recreate_landing_templates

revision = "0002"
down_revision = "0001"

DETAILS = """
alter table rollcall.row_finding add column detail text;
comment on column rollcall.row_finding.detail is
    'What the code alone does not say, such as what a misspelt header cell looks like. Holds no values (law 7).';
alter table rollcall.check_result add column detail text;
comment on column rollcall.check_result.detail is
    'What the code alone does not say. Holds no values (law 7).';
"""

FORMAT = """
alter table rollcall.delivery_file add column format text;
comment on column rollcall.delivery_file.format is
    'What the file is: "OneRoster 1.1", or what else it was recognised as; null until it is landed.';
"""

EXPECTED_CHANGE = """
create table rollcall.expected_change (
    delivery_id bigint not null references rollcall.delivery,
    file text not null,
    school_source_id text,
    against_sequence integer,
    published bigint not null,
    added bigint not null,
    changed bigint not null,
    removed bigint not null,
    set_aside bigint not null,
    rekeyed bigint not null,
    unique nulls not distinct (delivery_id, file, school_source_id)
);
comment on table rollcall.expected_change is
    'What a delivery would change against the publication of the moment it was judged: a row per file for the district '
    '(school_source_id null) and one per school. What it did change is in change_count.';
comment on column rollcall.expected_change.against_sequence is
    'The published sequence that it was compared with; null when nothing was published.';
"""

CHANGE_LIST = """
alter table rollcall.hold add column change_list text;
comment on column rollcall.hold.change_list is
    'Where in the archive the list of the changed ids lies, relative to its root; null when nothing was published.';
"""


def upgrade() -> None:
    """Add what decisions and receipts tell beyond a code, and remake the (always empty) landing templates."""
    op.execute(DETAILS)
    op.execute(FORMAT)
    op.execute(EXPECTED_CHANGE)
    op.execute(CHANGE_LIST)
    recreate_landing_templates()
