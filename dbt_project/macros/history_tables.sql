{# Creates the history tables that do not exist yet, from the columns in the models' yml, adds columns and constraints
   that a newer version brought, and the primary key after the first load. Runs before every invocation, because staging
   reads history. #}
{% macro create_history_tables() %}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.config.materialized == 'history' -%}
            {%- do create_history_table(node) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{% macro create_history_table(node) %}
    {%- set table = api.Relation.create(database=node.database, schema=node.schema, identifier=node.name) -%}
    {%- set existing = adapter.get_columns_in_relation(table) | map(attribute='name') | list -%}
    {%- if not existing -%}
        {%- do run_query(history_table_ddl(table, node)) -%}
    {%- else -%}
        {%- for column in node.columns.values() if column.name not in existing -%}
            {%- do run_query('alter table ' ~ table ~ ' add column ' ~ column.name ~ ' ' ~ column.data_type) -%}
        {%- endfor -%}
        {%- set constraints = history_constraints(table) -%}
        {%- for name, condition in history_checks().items() if name not in constraints -%}
            {%- do run_query('alter table ' ~ table ~ ' add constraint ' ~ name ~ ' check (' ~ condition ~ ')') -%}
        {%- endfor -%}
        {%- if 'p' not in constraints.values() and has_history_key(table) -%}
            {%- do run_query(history_primary_key(table, node.name)) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if not run_query("select relforcerowsecurity from pg_class where oid = '" ~ table ~ "'::regclass").rows[0][0] -%}
        {%- do run_query(history_table_security(table)) -%}
    {%- endif -%}
{% endmacro %}


{# Rollcall itself works on every row; the marts, through their owner, show the districts that whoever asks may see.

   Both turns are for the planner. The districts are asked for once per query, as one value: a list to search by hash
   would be paid for again, in its reckoning, at every step of a nested loop, and it would rather read a whole table than
   look up a school. And it believes that a condition like this one halves the rows, which adds up over the tables of a
   mart; of `<>` it knows that nearly all pass, and the marts have asked the same before. #}
{% macro history_table_security(table) %}
    alter table {{ table }} enable row level security, force row level security;
    create policy rollcall on {{ table }} to rollcall_loader, rollcall_dbt using (true);
    create policy readers on {{ table }} for select to roster_owner
    using (
        case
            when (
                select jsonb_object_agg(readable_district.district_id, true) from rollcall.readable_district
            ) ? district_id then 1 else 0
        end <> 0
    )
{% endmacro %}


{% macro history_table_ddl(table, node) %}
    create table {{ table }} (
    {%- for column in node.columns.values() %}
        {{ column.name }} {{ column.data_type }}
        {%- if column.constraints %} not null{% endif %},
    {%- endfor %}
    {%- for name, condition in history_checks().items() %}
        constraint {{ name }} check ({{ condition }}){{ ',' if not loop.last }}
    {%- endfor %}
    )
    -- A night ends and begins half a percent of the versions: dead rows are cleared long before they are a fifth.
    with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)
{% endmacro %}


{# What is true of every version, besides its key. #}
{% macro history_checks() %}
    {{ return({
        'ends_after_it_begins': 'valid_to_seq > valid_from_seq',
        'end_has_reason_and_date': 'num_nulls(valid_to_seq, end_reason, ended_on) in (0, 3)',
    }) }}
{% endmacro %}


{# A table's constraints: the kind of each, by its name. #}
{% macro history_constraints(table) %}
    {%- set constraints = {} -%}
    {%- set query = "select conname, contype::text from pg_constraint where conrelid = '" ~ table ~ "'::regclass" -%}
    {%- for row in run_query(query).rows -%}
        {%- do constraints.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return(constraints) }}
{% endmacro %}


{# The indexes of a history table: its key, those that undoing a sequence needs, and those that readers use. They are
   made after the first load, which the key alone would make three times slower; making one takes a SHARE lock, which
   blocks no reader. From then on there is nothing to do. #}
{% macro history_indexes(table, name, meta) %}
    create unique index if not exists {{ name }}_pkey on {{ table }} ({{ meta.key | join(', ') }}, valid_from_seq);
    create index if not exists {{ name }}_began on {{ table }} (district_id, valid_from_seq)
    where valid_from_seq > 1;
    create index if not exists {{ name }}_ended on {{ table }} (district_id, valid_to_seq)
    where valid_to_seq is not null;
    {%- for index in meta.indexes %}
    create index if not exists {{ name }}_{{ index.name }} on {{ table }} ({{ index.columns | join(', ') }})
    {%- if index.where %} where {{ index.where }}{% endif %};
    {%- endfor %}
{% endmacro %}


{# Makes the index of the key the table's primary key. That takes an ACCESS EXCLUSIVE lock for a moment: where a reader
   is at work it is not waited for, which would make other readers wait behind us; the next build or deploy tries again.
   What the key made superfluous goes with it. #}
{% macro history_primary_key(table, name) %}
    do $$
    begin
        lock table {{ table }} in access exclusive mode nowait;
        alter table {{ table }} add constraint {{ name }}_pkey primary key using index {{ name }}_pkey;
        drop index if exists {{ table.schema }}.{{ name }}_open, {{ table.schema }}.{{ name }}_key;
    exception
        when lock_not_available then null;
    end
    $$
{% endmacro %}


{# Whether a history table has its key. #}
{% macro has_history_key(table) %}
    {%- set index = table.schema ~ '.' ~ table.identifier ~ '_pkey' -%}
    {{ return(run_query("select to_regclass('" ~ index ~ "') is not null").rows[0][0]) }}
{% endmacro %}
