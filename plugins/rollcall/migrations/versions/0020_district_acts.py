"""Who brought a district in, paused, resumed or removed it, or gave it another password, is a row."""

from alembic import op

revision = "0020"
down_revision = "0019"

ACTS = """
create table rollcall.district_act (
    district_act_id bigint generated always as identity primary key,
    district_id text not null,
    action text not null check (action in ('added', 'paused', 'resumed', 'rotated', 'removed')),
    first_night date,
    last_night date,
    done_by text not null,
    login text not null,
    why text not null,
    done_at timestamptz not null default clock_timestamp()
);
create index district_act_of_district on rollcall.district_act (district_id);
comment on table rollcall.district_act is
    'One row per time that a person added, paused, resumed or removed a district, or rotated what it logs in with.';
comment on column rollcall.district_act.district_id is
    'The district; one that was added and has had no night yet is not in rollcall.district.';
comment on column rollcall.district_act.first_night is
    'Of a pause, the first night without a delivery; of its end, the first night that is expected again.';
comment on column rollcall.district_act.last_night is 'Of a pause, the last night without a delivery.';
comment on column rollcall.district_act.login is
    'The operating system''s name of who did it; `airflow` for the Rollcall page, where done_by is Airflow''s user.';
grant select on rollcall.district_act to rollcall_loader, rollcall_dbt;
grant insert on rollcall.district_act to rollcall_loader;
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(ACTS)
