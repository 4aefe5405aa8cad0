"""People who are forgotten: what went is on record without them, and who comes again is known."""

from alembic import op

revision = "0026"
down_revision = "0025"

FORGOTTEN = """
create table rollcall.forgetting (
    forgetting_id bigint generated always as identity primary key,
    district_id text not null references rollcall.district,
    kind text not null check (kind in ('student', 'staff', 'guardian', 'unknown')),
    id_hashes text[] not null,
    key_mark text not null,
    forgotten_by text not null,
    login text not null,
    why text not null,
    begun_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
create index forgetting_of_district on rollcall.forgetting (district_id);
comment on table rollcall.forgetting is
    'One row per time that a person was forgotten, with `rollcall forget`. Holds no personal data.';
comment on column rollcall.forgetting.id_hashes is
    'HMAC-SHA256 of each id that the person was known by, with a key that is not in the warehouse: by it a delivery '
    'that sends the person again is held.';
comment on column rollcall.forgetting.key_mark is 'By which key; a mark of it, not the key.';
comment on column rollcall.forgetting.login is 'The operating system''s name of who did it.';
comment on column rollcall.forgetting.finished_at is
    'Null while it is under way, or was interrupted: then the same command, given again, goes on with it.';

create table rollcall.forgotten (
    forgetting_id bigint not null references rollcall.forgetting,
    place text not null,
    removed bigint not null,
    primary key (forgetting_id, place)
);
comment on table rollcall.forgotten is 'How much went from each place: a table, or a part of the archive.';

create table rollcall.rewritten_file (
    rewritten_file_id bigint generated always as identity primary key,
    forgetting_id bigint not null references rollcall.forgetting,
    former_hash text not null,
    archive_path text,
    rewritten_at timestamptz not null default clock_timestamp()
);
create index rewritten_file_path on rollcall.rewritten_file (archive_path);
comment on table rollcall.rewritten_file is
    'One row per file of the archive that was written anew without a person: it is not as it was sent, and nobody '
    'tampered with it.';
comment on column rollcall.rewritten_file.former_hash is
    'HMAC-SHA256 of the SHA-256 of the bytes as they were sent, with the same key: whoever has these bytes can show '
    'it, and nobody can guess the person from it.';
comment on column rollcall.rewritten_file.archive_path is
    'Where the new content lies, under its SHA-256; null of a file that could not be searched, and was removed.';

create table rollcall.withdrawn_receipt (
    delivery_id bigint primary key references rollcall.delivery,
    removed_at timestamptz
);
comment on table rollcall.withdrawn_receipt is
    'One row per delivery whose receipt named a forgotten person: it goes from the district''s account, too.';
comment on column rollcall.withdrawn_receipt.removed_at is
    'When it was removed there; null while nobody came by, which the next receipt and upkeep do.';
"""

GRANTS = """
grant select, insert, update on rollcall.withdrawn_receipt to rollcall_loader;
grant select on rollcall.withdrawn_receipt to rollcall_dbt;
grant select on rollcall.forgetting, rollcall.forgotten, rollcall.rewritten_file to rollcall_loader, rollcall_dbt;
grant insert on rollcall.forgetting, rollcall.rewritten_file to rollcall_loader;
grant insert, update on rollcall.forgotten to rollcall_loader, rollcall_dbt;
grant update (finished_at) on rollcall.forgetting to rollcall_loader;
grant delete on rollcall.rekeyed_record to rollcall_dbt;
"""


def upgrade() -> None:
    """Make the tables."""
    for script in (FORGOTTEN, GRANTS):
        op.execute(script)
