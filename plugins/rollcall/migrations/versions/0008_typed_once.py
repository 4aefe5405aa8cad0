"""Records are hashed over their attributes in the standard's order, as they are read since: once, on landing."""

from alembic import op

revision = "0008"
down_revision = "0007"

CONTENT = {
    "courses": "school_year_source_id, title, course_code, grades, org_source_id, subjects, subject_codes",
    "users": "is_enabled, org_source_ids, role, username, user_ids, given_name, family_name, middle_name, identifier, "
    "email, sms, phone, agent_source_ids, grades",
    "classes": "title, grades, course_source_id, class_code, class_type, location, school_source_id, term_source_ids, "
    "subjects, subject_codes, periods",
}
"""The attributes of the files whose hash had another order, in the new one."""

# In a warehouse of 0.1.0, dbt adds the column of what the standard does not know only after the migrations.
HASHED_ANEW = """
do $$
begin
    if to_regclass('history.hist_{table}') is not null then
        set local role rollcall_dbt;
        alter table history.hist_{table} add column if not exists metadata jsonb;
        update history.hist_{table} set row_hash = md5(concat_ws(chr(31), {values}, metadata::text))::uuid;
        reset role;
    end if;
end
$$;
"""

GONE = """
do $$
declare
    gone text;
begin
    for gone in
        select oid::regclass::text from pg_class
        where relnamespace = 'staging'::regnamespace and relkind = 'r'
            and (relname like 'stg\\_oneroster\\_%' or relname like 'int\\_%')
    loop
        execute 'drop table ' || gone || ' cascade';
    end loop;
end
$$;
"""


def upgrade() -> None:
    """Hash the versions that there are anew, and drop the copies that builds made of what was landed."""
    for table, columns in CONTENT.items():
        values = ", ".join(f"coalesce({column}::text, '')" for column in columns.split(", "))
        op.execute(HASHED_ANEW.format(table=table, values=values))
    op.execute(GONE)
