"""Every answer to a hold is a row, the overtaken ones too; who was logged in; how far the gate has come with a file."""

from alembic import op

revision = "0005"
down_revision = "0004"

HOLD_DECISIONS = """
create table rollcall.hold_decision (
    hold_decision_id bigint generated always as identity primary key,
    delivery_id bigint not null references rollcall.hold (delivery_id),
    settlement text not null check (settlement in ('approved', 'discarded', 'superseded')),
    decided_by text not null,
    login text,
    why text not null,
    via text not null check (via in ('airflow', 'cli', 'delivery')),
    decided_at timestamptz not null default clock_timestamp(),
    outcome text not null check (outcome in ('settled', 'overtaken', 'refused')),
    outcome_reason text,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (delivery_id, via, decided_by, decided_at)
);
comment on table rollcall.hold_decision is
    'One row per answer to a hold, by whatever route: the one that settled it, and those that came too late.';
comment on column rollcall.hold_decision.decided_by is 'Who, by the name that they gave or are known by in Airflow.';
comment on column rollcall.hold_decision.login is
    'The login of the operating system that the command line ran under; null for Airflow and for a newer delivery.';
comment on column rollcall.hold_decision.decided_at is
    'When they answered; an answer in Airflow may be recorded later, when a task or the command line reads it.';
comment on column rollcall.hold_decision.outcome is
    '`settled`: it counts; `overtaken`: another one counted before; `refused`: it may not be, see outcome_reason.';
insert into rollcall.hold_decision (delivery_id, settlement, decided_by, why, via, decided_at, outcome)
select delivery_id, settlement, settled_by, settled_why, settled_via, settled_at, 'settled'
from rollcall.hold where settlement is not null;
grant select on rollcall.hold_decision to rollcall_loader, rollcall_dbt;
grant insert on rollcall.hold_decision to rollcall_loader;
"""

LOGINS = """
alter table rollcall.rollback add column login text;
comment on column rollcall.rollback.login is 'The login of the operating system that the command line ran under.';
alter table rollcall.reader_district add column login text;
comment on column rollcall.reader_district.login is
    'The login of the operating system that the command line ran under.';
"""

GATED = """
alter table rollcall.delivery_file add column gated text check (gated in ('alone', 'together'));
comment on column rollcall.delivery_file.gated is
    'How far the gate has come with what was landed: null, not begun; `alone`, by the file''s own suite; `together`, '
    'with the delivery''s other files. Landing again clears it; nothing is accepted before.';
-- What was judged before there was this column went through the whole gate.
update rollcall.delivery_file set gated = 'together' where verdict is not null;
"""

NIGHTS = """
grant update (outcome, message, updated_at) on rollcall.night to rollcall_dbt;
"""


def upgrade() -> None:
    """Add the table and the columns; what was decided before is copied from the holds."""
    for script in (HOLD_DECISIONS, LOGINS, GATED, NIGHTS):
        op.execute(script)
