"""A file's row says by which rules it was judged, and from which delivery judgements were taken over."""

from alembic import op

revision = "0011"
down_revision = "0010"

JUDGED = """
alter table rollcall.delivery_file
    add column rule_book text,
    add column judged_since bigint references rollcall.delivery;
comment on column rollcall.delivery_file.rule_book is
    'A hash of the rules that the file was judged by, and of how its cells were read.';
comment on column rollcall.delivery_file.judged_since is
    'The delivery that readers saw then, of which the judgements of unchanged rows were taken over; null where every '
    'row was judged.';
"""


def upgrade() -> None:
    """Room for both; files judged before are judged in full once more."""
    op.execute(JUDGED)
