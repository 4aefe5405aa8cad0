{# Creates the history tables that do not exist yet, from the columns in the models' yml, adds columns and constraints
   that a newer version brought, and the primary key after the first load. Runs before every invocation, because staging
   reads history. #}
{% macro create_history_tables() %}
    {%- if execute -%}
        {%- set nodes = graph.nodes.values() | selectattr('config.materialized', 'in', ('history', 'worked_out_history')) | list -%}
        {%- set existing = tables_as_they_are(nodes | map(attribute='schema') | unique) -%}
        {%- for node in nodes -%}
            {%- do create_history_table(node, existing.get(node.schema ~ '.' ~ node.name)) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{# Creates a history table, or brings it up to date. `existing` says what there is of it; none where it is not there. #}
{% macro create_history_table(node, existing) %}
    {%- set table = api.Relation.create(database=node.database, schema=node.schema, identifier=node.name) -%}
    {%- if not existing -%}
        {%- do run_query(history_table_ddl(table, node)) -%}
    {%- else -%}
        {%- for column in node.columns.values() if column.name not in existing.columns -%}
            {%- do run_query('alter table ' ~ table ~ ' add column ' ~ column.name ~ ' ' ~ column.data_type) -%}
        {%- endfor -%}
        {%- for name, condition in history_checks().items() if name not in existing.constraints -%}
            {%- do run_query('alter table ' ~ table ~ ' add constraint ' ~ name ~ ' check (' ~ condition ~ ')') -%}
        {%- endfor -%}
        {%- if 'p' not in existing.constraints.values() and has_history_key(table) -%}
            {%- do run_query(history_primary_key(table, node.name)) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if not existing or existing.policies != ['backup', 'readable_districts', 'rollcall'] -%}
        {%- do run_query(history_table_security(table)) -%}
    {%- endif -%}
{% endmacro %}


{# What there is of the tables in some schemas, by schema and name: their columns, the kind of each constraint by its
   name, and their policies. One question for all of them: dbt takes longer over each than PostgreSQL over all. #}
{% macro tables_as_they_are(schemas) %}
    {%- set query -%}
        select
            namespace.nspname || '.' || relation.relname as name,
            jsonb_build_object(
                'columns', coalesce((
                    select jsonb_agg(attname) from pg_attribute
                    where attrelid = relation.oid and attnum > 0 and not attisdropped
                ), '[]'),
                'constraints', coalesce((
                    select jsonb_object_agg(conname, contype) from pg_constraint where conrelid = relation.oid
                ), '{}'),
                'policies', coalesce((
                    select jsonb_agg(polname order by polname) from pg_policy where polrelid = relation.oid
                ), '[]')
            )::text as details
        from pg_class as relation
        inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
        where namespace.nspname in ('{{ schemas | join("', '") }}') and relation.relkind = 'r'
    {%- endset -%}
    {%- set tables = {} -%}
    {%- for row in run_query(query).rows -%}
        {%- do tables.update({row['name']: fromjson(row['details'])}) -%}
    {%- endfor -%}
    {{ return(tables) }}
{% endmacro %}


{# Rollcall itself works on every row; the marts, through their owner, show the districts that whoever asks may see, and
   exports read what is published by the same policy.

   Both halves of the policy say so. The array is a condition of the index, so that no row of another district is looked
   at. The other half is for scans: it costs nothing in the planner's reckoning, which is why it is asked first. Readers'
   own conditions on rows of another district would be seen in EXPLAIN: by what a filter took away, or by a subquery that
   ran or did not. And it believes that nearly every row passes; ten conditions that halve the rows add up. Its values are
   empty objects, which are handed out sooner than `true`. #}
{% macro history_table_security(table) %}
    alter table {{ table }} enable row level security, force row level security;
    drop policy if exists rollcall on {{ table }};
    drop policy if exists readers on {{ table }};
    drop policy if exists backup on {{ table }};
    drop policy if exists granted_districts on {{ table }};
    drop policy if exists readable_districts on {{ table }};
    create policy rollcall on {{ table }} to rollcall_loader, rollcall_dbt using (true);
    create policy backup on {{ table }} for select to rollcall_backup using (true);
    create policy readable_districts on {{ table }} for select to roster_owner, roster_exporter
    using (
        (select jsonb_object_agg(granted.district_id, '{}'::jsonb) from rollcall.readable_district as granted)[district_id]
        is not null
        and district_id = any(array(select granted.district_id from rollcall.readable_district as granted))
    );
    grant select on {{ table }}
    to {{ 'roster_restricted_exporter' if table.identifier == 'hist_demographics' else 'roster_exporter' }}
{% endmacro %}


{# What the planner knows of a history table. What ANALYZE would keep of a column are values of every district, and
   anybody who may EXPLAIN reads them out of the estimates; it keeps them of codes and counters alone. Of the ids by which
   rows are looked up and joined the planner is told how many rows of a district have the same one, which is true of
   every district, more or less.

   A deploy says it, and says it again. That there are ten districts is chosen for the planner: ten is the length that it gives an array which it does not
   know, so that the policy, by its reckoning, lets two of three rows pass, whoever asks; the ids' numbers are such that
   district and id together are right. Readers of one district of a thousand get good plans, too: what is looked up by
   an index lies side by side. #}
{% macro history_table_statistics(table, columns) %}
    {%- set districts = 10 -%}
    {%- for column in columns.values() if not column.config.meta.planner_keeps_values %}
        alter table {{ table }} alter column {{ column.name }} set statistics 0;
        select pg_clear_attribute_stats('{{ table.schema }}', '{{ table.identifier }}', '{{ column.name }}', false);
        {%- set rows_per_value = column.config.meta.rows_per_value %}
        {%- if column.name == 'district_id' %}
        select {{ attribute_statistics(table, column.name, districts, correlation=1) }};
        {%- elif rows_per_value %}
        select {{ attribute_statistics(table, column.name, -1 / (districts * rows_per_value), correlation=0) }};
        {%- endif %}
    {%- endfor %}
{% endmacro %}


{# Tells the planner how many values a column has (their number, or as a negative one their share of the rows), and
   whether rows lie in its order. #}
{% macro attribute_statistics(table, column, distinct_values, correlation) -%}
    pg_restore_attribute_stats(
        'schemaname', '{{ table.schema }}', 'relname', '{{ table.identifier }}', 'attname', '{{ column }}',
        'inherited', false, 'null_frac', 0::real, 'avg_width', 12, 'n_distinct', {{ distinct_values }}::real,
        'correlation', {{ correlation }}::real
    )
{%- endmacro %}


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
