"""What is pressed on the Rollcall page is a row; how much each delivery holds, in one place."""

from alembic import op

revision = "0014"
down_revision = "0013"

FROM_THE_PAGE = """
alter table rollcall.hold drop constraint hold_settled_via_check;
alter table rollcall.hold
    add constraint hold_settled_via_check check (settled_via in ('airflow', 'cli', 'page', 'delivery'));
alter table rollcall.hold_decision drop constraint hold_decision_via_check;
alter table rollcall.hold_decision
    add constraint hold_decision_via_check check (via in ('airflow', 'cli', 'page', 'delivery'));
comment on column rollcall.hold_decision.login is
    'The login of the operating system that the command line ran under; null for Airflow, whose own name decided_by '
    'is, and for a newer delivery.';
comment on column rollcall.rollback.login is
    'The login of the operating system that the command line ran under; `airflow` for the Rollcall page, where '
    'rolled_back_by is Airflow''s user.';
"""

AGAIN = """
create table rollcall.delivery_again (
    delivery_again_id bigint generated always as identity primary key,
    delivery_id bigint not null references rollcall.delivery,
    run_id text not null,
    asked_by text not null,
    why text not null,
    asked_at timestamptz not null default now()
);
comment on table rollcall.delivery_again is
    'One row per time that a person had a delivery taken again from the archive, on the Rollcall page.';
comment on column rollcall.delivery_again.run_id is 'The run that was started for it.';
comment on column rollcall.delivery_again.asked_by is 'Airflow''s user.';
grant select on rollcall.delivery_again to rollcall_loader, rollcall_dbt;
grant insert on rollcall.delivery_again to rollcall_loader;
"""

FIGURES = """
alter table rollcall.delivery
    add column records bigint, add column set_aside bigint, add column students bigint;
comment on column rollcall.delivery.records is
    'Records of its files; null until it is decided on, and where nothing was read, for it was known already.';
comment on column rollcall.delivery.set_aside is 'How many of them were set aside.';
comment on column rollcall.delivery.students is
    'People whom users.csv names as students, those set aside included; null where it names only a part of the people.';
update rollcall.delivery
set records = sent.records, set_aside = sent.set_aside
from (
    select delivery_id, sum(rows_landed) as records, sum(rows_set_aside) as set_aside
    from rollcall.delivery_file
    group by delivery_id
) as sent
where delivery.delivery_id = sent.delivery_id and sent.records is not null;
create index delivery_service_date on rollcall.delivery (service_date);
"""


def upgrade() -> None:
    """Let decisions come from the page, keep who had a delivery taken again, and keep how much each delivery held."""
    for script in (FROM_THE_PAGE, AGAIN, FIGURES):
        op.execute(script)
