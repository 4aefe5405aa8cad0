{# Creates the history tables that do not exist yet, from the columns in the models' yml, and adds columns that a newer
   version brought. Runs before every invocation; from the second deploy on there is nothing to do. #}
{% macro create_history_tables() %}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.materialized == 'history' -%}
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
{% endmacro %}


{% macro history_table_ddl(table, node) %}
    create table {{ table }} (
    {%- for column in node.columns.values() %}
        {{ column.name }} {{ column.data_type }}
        {%- if column.constraints %} not null{% endif %}{{ ',' if not loop.last }}
    {%- endfor %}
    );
    create unique index {{ node.name }}_open on {{ table }} ({{ node.config.meta.key | join(', ') }})
    where valid_to_seq is null;
    create index {{ node.name }}_begun on {{ table }} (district_id, valid_from_seq);
    create index {{ node.name }}_ended on {{ table }} (district_id, valid_to_seq) where valid_to_seq is not null;
    create index {{ node.name }}_key on {{ table }} ({{ node.config.meta.key | join(', ') }});
    {%- for index in node.config.meta.get('indexes', []) %}
    create index on {{ table }} ({{ index.columns | join(', ') }})
    {%- if index.where %} where {{ index.where }}{% endif %};
    {%- endfor %}
{% endmacro %}
