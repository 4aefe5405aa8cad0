{# Creates the history tables that do not exist yet, from the columns in the models' yml, and adds columns that a newer
   version brought. Runs before every invocation, because staging reads history; a deploy leaves nothing to do. #}
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
    {%- endif -%}
    {%- if not run_query("select relforcerowsecurity from pg_class where oid = '" ~ table ~ "'::regclass").rows[0][0] -%}
        {%- do run_query(history_table_security(table)) -%}
    {%- endif -%}
{% endmacro %}


{# Rollcall itself works on every row; the marts, through their owner, show the districts that whoever asks may see.

   The comparison with 0 is for the planner: of `in (subquery)` it believes that half of the rows pass, which adds up
   over the tables of a mart; of `<>` it knows that nearly all do, and the marts have asked the same before. #}
{% macro history_table_security(table) %}
    alter table {{ table }} enable row level security, force row level security;
    create policy rollcall on {{ table }} to rollcall_loader, rollcall_dbt using (true);
    create policy readers on {{ table }} for select to roster_owner
    using (
        case
            when district_id in (select readable_district.district_id from rollcall.readable_district) then 1 else 0
        end <> 0
    )
{% endmacro %}


{% macro history_table_ddl(table, node) %}
    create table {{ table }} (
    {%- for column in node.columns.values() %}
        {{ column.name }} {{ column.data_type }}
        {%- if column.constraints %} not null{% endif %}{{ ',' if not loop.last }}
    {%- endfor %}
    )
{% endmacro %}


{# The indexes of a history table: the one that keeps a record from having two open versions, the one that undoing a
   sequence needs, and those that readers use. They are made after the first load, which they would make three times
   slower; making one blocks no reader. From then on there is nothing to do. #}
{% macro history_indexes(table, name, meta) %}
    create unique index if not exists {{ name }}_open on {{ table }} ({{ meta.key | join(', ') }})
    where valid_to_seq is null;
    create index if not exists {{ name }}_ended on {{ table }} (district_id, valid_to_seq)
    where valid_to_seq is not null;
    {%- for index in meta.indexes %}
    create index if not exists {{ name }}_{{ index.name }} on {{ table }} ({{ index.columns | join(', ') }})
    {%- if index.where %} where {{ index.where }}{% endif %};
    {%- endfor %}
{% endmacro %}


{# Whether a history table has its indexes. #}
{% macro has_history_indexes(table) %}
    {%- set index = table.schema ~ '.' ~ table.identifier ~ '_open' -%}
    {{ return(run_query("select to_regclass('" ~ index ~ "') is not null").rows[0][0]) }}
{% endmacro %}
