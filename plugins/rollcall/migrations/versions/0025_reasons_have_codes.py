"""Holds that 0.1.0 left open say why in the words of today: a reason has a code, where it had a rule."""

from alembic import op

revision = "0025"
down_revision = "0024"

REASONS = """
update rollcall.hold set reasons = (
    select jsonb_agg(
        case when reason ->> 'rule' is null then reason
        else reason - 'rule' || jsonb_build_object('code', 'hold_' || (reason ->> 'rule')) end order by place
    )
    from jsonb_array_elements(reasons) with ordinality as each (reason, place)
)
where jsonb_path_exists(reasons, '$[*].rule');
"""


def upgrade() -> None:
    """Give them codes."""
    op.execute(REASONS)
