"""Notices: who was told of what, so that nobody is told twice, and no trouble that all share a thousand times."""

from alembic import op

revision = "0018"
down_revision = "0017"

NOTICES = """
create table rollcall.notice (
    notice_id bigint generated always as identity primary key,
    service_date date not null,
    topic text not null,
    about text not null,
    told_at timestamptz not null default clock_timestamp(),
    unique (service_date, topic, about)
);
comment on table rollcall.notice is
    'One row per message to operators or to a district''s contacts, written before it is sent. Holds no values and no '
    'addresses.';
comment on column rollcall.notice.topic is 'What it told: a state, or the roll-up.';
comment on column rollcall.notice.about is 'The district or the delivery; blank for the roll-up.';
grant select, insert on rollcall.notice to rollcall_loader;
grant select on rollcall.notice to rollcall_dbt;
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(NOTICES)
