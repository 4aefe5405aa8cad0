"""What waits, and what somebody went back to, is found without reading every delivery that ever came."""

from alembic import op

revision = "0022"
down_revision = "0021"

INDEXES = """
create index delivery_waits on rollcall.delivery (district_id) where state in ('held', 'accepted');
create index delivery_rollback on rollcall.delivery (delivery_id) where source = 'rollback';
"""


def upgrade() -> None:
    """Make the indexes."""
    op.execute(INDEXES)
