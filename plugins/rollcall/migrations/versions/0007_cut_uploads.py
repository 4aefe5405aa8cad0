"""How each landed file ends: by that a later night tells whether its own was cut."""

from alembic import op

revision = "0007"
down_revision = "0006"

ENDS = """
alter table rollcall.delivery_file
    add column ends_with_line_end boolean,
    add column torn_row bigint,
    add column last_sourced_id text;
comment on column rollcall.delivery_file.ends_with_line_end is
    'Whether a line end follows the last record; null without a record, or landed by a version that did not look.';
comment on column rollcall.delivery_file.torn_row is
    'The line on which the last record starts, where it breaks off; null where it is whole.';
comment on column rollcall.delivery_file.last_sourced_id is
    'The sourcedId of the last record that has as many cells as the header. A later file that still names it was not '
    'cut before it.';
"""


def upgrade() -> None:
    """Room for what landing sees at a file's end."""
    op.execute(ENDS)
