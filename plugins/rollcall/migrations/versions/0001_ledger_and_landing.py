"""The ledger, the landing templates, the schemas and the reader roles."""

from alembic import op

from rollcall.migrations.landing import create_landing_templates

revision = "0001"
down_revision = None

SCHEMAS = """
create schema if not exists rollcall;
create schema if not exists staging;
create schema if not exists audit;
create schema if not exists history;
create schema if not exists roster;
create schema if not exists roster_restricted;
comment on schema rollcall is 'The ledger: every delivery, check, finding, hold, build and publication.';
comment on schema staging is 'Empty landing templates, and the typed rows that the current build reads.';
comment on schema audit is 'What the latest build''s audits found, one table per audit.';
comment on schema history is 'Every version of every conformed entity.';
comment on schema roster is 'The published roster: views for analysts.';
comment on schema roster_restricted is 'The published roster''s sensitive part: demographics.';
"""

LEDGER = """
create table rollcall.district (
    district_id text primary key,
    name text not null,
    enrollment_end_date text not null default 'inclusive' check (enrollment_end_date in ('inclusive', 'exclusive')),
    updated_at timestamptz not null default now()
);
comment on table rollcall.district is 'One row per district that ever ran, as its district file last said.';

create table rollcall.delivery (
    delivery_id bigint generated always as identity primary key,
    district_id text not null references rollcall.district,
    service_date date not null,
    run_id text not null,
    source text not null default 'inbox',
    state text not null default 'receiving' check (state in (
        'receiving', 'received', 'held', 'accepted', 'published', 'unchanged', 'same_as_held', 'rejected',
        'discarded', 'superseded', 'conform_failed', 'audit_failed'
    )),
    state_reason text,
    content_hash text,
    packaging text check (packaging in ('loose', 'zip')),
    arrived_at timestamptz not null default now(),
    decided_at timestamptz,
    accepted_at timestamptz,
    accepted_sequence integer,
    published_at timestamptz,
    same_as_delivery_id bigint references rollcall.delivery,
    unique (district_id, run_id),
    unique (district_id, accepted_sequence)
);
comment on table rollcall.delivery is 'One row per delivery that a run received.';
comment on column rollcall.delivery.service_date is 'The night that the delivery is for.';
comment on column rollcall.delivery.content_hash is
    'SHA-256 over the names and hashes of its files: two equal deliveries have equal content hashes.';
comment on column rollcall.delivery.accepted_sequence is
    'The district''s count of accepted deliveries; history is counted in it.';

create table rollcall.delivery_file (
    delivery_id bigint not null references rollcall.delivery,
    file text not null,
    sent_name text not null,
    archive_path text not null,
    sha256 text not null,
    size_bytes bigint not null,
    sent_at timestamptz,
    mode text not null default 'bulk' check (mode in ('bulk', 'delta', 'absent')),
    encoding text,
    rows_landed bigint,
    rows_ragged bigint,
    rows_set_aside bigint,
    verdict text check (verdict in ('accept', 'hold', 'reject')),
    verdict_reason text,
    absence_is_evidence boolean not null default false,
    primary key (delivery_id, file)
);
comment on table rollcall.delivery_file is 'One row per file of a delivery, a manifest included.';
comment on column rollcall.delivery_file.rows_landed is 'Records that the file holds, ragged ones included.';
comment on column rollcall.delivery_file.absence_is_evidence is
    'Whether a published record that this file does not name is to be removed (law 5).';

create table rollcall.check_result (
    delivery_id bigint not null references rollcall.delivery,
    file text not null,
    code text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    rows_checked bigint,
    rows_failed bigint not null,
    checked_at timestamptz not null default now(),
    primary key (delivery_id, file, code)
);
comment on table rollcall.check_result is 'One row per check made on a delivery, passed or not.';

create table rollcall.row_finding (
    delivery_id bigint not null references rollcall.delivery,
    file text not null,
    code text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    row_number bigint not null,
    sourced_id text,
    column_name text
);
create index row_finding_delivery on rollcall.row_finding (delivery_id, file, code);
comment on table rollcall.row_finding is
    'One row per record that broke a check. A critical finding sets the record aside. Holds no values (law 7).';
comment on column rollcall.row_finding.row_number is 'The physical line on which the record starts; the header is 1.';

create table rollcall.hold (
    hold_id bigint generated always as identity primary key,
    delivery_id bigint not null unique references rollcall.delivery,
    opened_at timestamptz not null default now(),
    reasons jsonb not null,
    settlement text check (settlement in ('approved', 'discarded', 'superseded')),
    settled_by text,
    settled_why text,
    settled_via text check (settled_via in ('airflow', 'cli', 'delivery')),
    settled_at timestamptz,
    check ((settlement is null) = (settled_at is null))
);
comment on table rollcall.hold is 'One row per delivery that a person had to look at; settled once.';

create table rollcall.night (
    district_id text not null references rollcall.district,
    service_date date not null,
    outcome text not null,
    message text,
    missing_files text[] not null default '{}',
    delivery_id bigint references rollcall.delivery,
    run_id text,
    updated_at timestamptz not null default now(),
    primary key (district_id, service_date)
);
comment on table rollcall.night is 'One row per district and night: how it ended, or how it stands.';

create table rollcall.build (
    build_id bigint generated always as identity primary key,
    state text not null default 'running' check (state in ('running', 'succeeded', 'failed', 'abandoned')),
    split_from_build_id bigint references rollcall.build,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    message text
);
create unique index build_running on rollcall.build ((true)) where state = 'running';
comment on table rollcall.build is 'One row per dbt build; at most one runs at a time.';

create table rollcall.build_delivery (
    build_id bigint not null references rollcall.build,
    delivery_id bigint not null references rollcall.delivery,
    district_id text not null,
    sequence integer not null,
    primary key (build_id, delivery_id),
    unique (build_id, district_id)
);
comment on table rollcall.build_delivery is 'What a build was frozen to: at most one delivery per district.';

create table rollcall.build_node (
    build_id bigint not null references rollcall.build,
    node text not null,
    kind text not null,
    status text not null,
    seconds double precision not null,
    message text,
    primary key (build_id, node)
);
comment on table rollcall.build_node is 'One row per dbt model and audit of a build: how it ended.';

create table rollcall.audit_finding (
    build_id bigint not null references rollcall.build,
    delivery_id bigint not null references rollcall.delivery,
    district_id text not null,
    rule text not null,
    failures bigint not null,
    primary key (build_id, district_id, rule)
);
comment on table rollcall.audit_finding is 'One row per audit that a district''s new content failed.';

create table rollcall.change_count (
    delivery_id bigint not null references rollcall.delivery,
    entity text not null,
    added bigint not null,
    changed bigint not null,
    removed bigint not null,
    kept bigint not null,
    primary key (delivery_id, entity)
);
comment on table rollcall.change_count is 'What a delivery changed, per entity, against the publication before it.';
comment on column rollcall.change_count.kept is
    'Records not in the accepted rows whose last good version stays (set aside, or absence is no evidence).';

create table rollcall.publication (
    district_id text primary key references rollcall.district,
    sequence integer not null,
    delivery_id bigint not null references rollcall.delivery,
    effective_date date not null,
    published_at timestamptz not null,
    build_id bigint references rollcall.build
);
comment on table rollcall.publication is 'The pointer: which sequence of each district readers see.';

create table rollcall.publication_event (
    publication_event_id bigint generated always as identity primary key,
    district_id text not null references rollcall.district,
    sequence integer not null,
    delivery_id bigint not null references rollcall.delivery,
    effective_date date not null,
    published_at timestamptz not null,
    build_id bigint references rollcall.build
);
comment on table rollcall.publication_event is 'Every move of the pointer, first to last.';

create view rollcall.current_build as
select
    build_delivery.build_id,
    build_delivery.delivery_id,
    build_delivery.district_id,
    build_delivery.sequence,
    delivery.service_date,
    'delivery_' || build_delivery.delivery_id as landing_schema
from rollcall.build
inner join rollcall.build_delivery on build.build_id = build_delivery.build_id
inner join rollcall.delivery on build_delivery.delivery_id = delivery.delivery_id
where build.state = 'running';
comment on view rollcall.current_build is 'The deliveries that the running build is frozen to.';
"""

READER_ROLES = """
do $$
begin
    if not exists (select from pg_roles where rolname = 'roster_reader') then
        create role roster_reader nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'roster_restricted_reader') then
        create role roster_restricted_reader nologin;
    end if;
end
$$;
grant usage on schema roster to roster_reader, roster_restricted_reader;
grant usage on schema roster_restricted to roster_restricted_reader;
alter default privileges in schema roster grant select on tables to roster_reader, roster_restricted_reader;
alter default privileges in schema roster_restricted grant select on tables to roster_restricted_reader;
"""


def upgrade() -> None:
    """Create everything that nightly runs only fill."""
    for script in (SCHEMAS, LEDGER, READER_ROLES):
        op.execute(script)
    create_landing_templates()
