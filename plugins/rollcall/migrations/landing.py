"""The landing templates: one empty table per OneRoster file, copied into each delivery's own schema."""

from alembic import op

from rollcall.oneroster import LANDED_FILES, File


def create_landing_templates() -> None:
    """Create ``staging.<file>`` for each landed file, and ``staging.ragged_row``."""
    for file in LANDED_FILES:
        op.execute(template_ddl(file))
    op.execute(RAGGED_ROW)


def recreate_landing_templates() -> None:
    """Give the templates the columns of this version; they hold no rows, and only landing reads them."""
    for file in LANDED_FILES:
        op.execute(f'drop table if exists staging."{file.table_name}"')
    op.execute("drop table if exists staging.ragged_row")
    create_landing_templates()


def template_ddl(file: File) -> str:
    """The statement that creates a file's template: the physical line, the columns as text, the further columns."""
    columns = ",\n    ".join(f"{column.column_name} text" for column in file.landed_columns)
    return (
        f'create table staging."{file.table_name}" (\n    _row bigint not null,\n    {columns},\n    _metadata text\n);'
        f'comment on column staging."{file.table_name}"._metadata is'
        " 'The columns that the standard does not know, as a JSON object by header cell; null when all are blank.'"
    )


ROW_SET_ASIDE = """
create table staging.row_set_aside (
    file text not null,
    code text not null,
    row_number bigint not null,
    sourced_id text
);
comment on table staging.row_set_aside is
    'Every record that a critical finding sets aside, once per code; the ledger lists the first of each code only.';
"""

RAGGED_ROW = """
create table staging.ragged_row (
    _row bigint not null,
    file text not null,
    code text not null,
    first_cell text
);
comment on table staging.ragged_row is
    'Records that could not be split into the header''s columns. first_cell never leaves the delivery''s schema.';
"""
