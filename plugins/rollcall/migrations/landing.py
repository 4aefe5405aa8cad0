"""The landing templates: one empty table per OneRoster file, copied into each delivery's own schema."""

from alembic import op

from rollcall.oneroster import FILES, File


def create_landing_templates() -> None:
    """Create ``staging.<file>`` for each of the seven files, and ``staging.ragged_row``."""
    for file in FILES:
        op.execute(template_ddl(file))
    op.execute(RAGGED_ROW)


def template_ddl(file: File) -> str:
    """The statement that creates a file's template: its columns as text, and ``_row``, the physical line."""
    columns = ",\n    ".join(f"{column.column_name} text" for column in file.landed_columns)
    return f'create table staging."{file.table_name}" (\n    _row bigint not null,\n    {columns}\n)'


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
