{# The accepted rows of one file, over the deliveries of the running build: everything landed but the rows that a
   critical finding sets aside. Without a running build (a deploy), the empty template. #}
{% macro landed(table, file) %}
    {%- set template = source('landing', table) -%}
    {%- do source('landing', 'row_set_aside') -%}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) }}::text as district_id,
        {{ delivery.delivery_id }}::bigint as delivery_id,
        {{ delivery.sequence }}::integer as sequence,
        '{{ delivery.service_date }}'::date as service_date,
        landed.*
    from {{ landed_table(delivery, table) }} as landed
    {%- if file in delivery.files_set_aside.split(',') %}
    where not exists (
        select
        from {{ set_aside_table(delivery) }} as aside
        where aside.file = '{{ file }}' and aside.row_number = landed._row
    )
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        null::text as district_id,
        null::bigint as delivery_id,
        null::integer as sequence,
        null::date as service_date,
        template.*
    from {{ template }} as template
    where false
    {%- endfor %}
{% endmacro %}


{# The other landed rows of one file: one row per record that was set aside. Ragged records were never landed. #}
{% macro landed_set_aside(table, file) %}
    {%- for delivery in deliveries_in_build() if file in delivery.files_set_aside.split(',') %}
    select {{ delivery.delivery_id }}::bigint as delivery_id
    from (select distinct row_number from {{ set_aside_table(delivery) }} where file = '{{ file }}') as aside
    inner join {{ landed_table(delivery, table) }} as landed on aside.row_number = landed._row
    {{ 'union all' if not loop.last }}
    {%- else %}
    select null::bigint as delivery_id
    where false
    {%- endfor %}
{% endmacro %}


{# The rows of all files that are set aside, over the deliveries of the running build: one row per record and code. Only
   of the deliveries that have some: a query over every table of a hundred deliveries takes long to plan. #}
{% macro rows_set_aside() %}
    {%- for delivery in deliveries_in_build() if delivery.files_set_aside %}
    select
        {{ dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) }}::text as district_id,
        {{ delivery.delivery_id }}::bigint as delivery_id,
        file,
        code,
        btrim(sourced_id) as source_id
    from {{ set_aside_table(delivery) }}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        null::text as district_id,
        null::bigint as delivery_id,
        null::text as file,
        null::text as code,
        null::text as source_id
    where false
    {%- endfor %}
{% endmacro %}


{# Where the rows of one file of one delivery lie. #}
{% macro landed_table(delivery, table) -%}
    {{ delivery.landing_schema }}.{{ table }}
{%- endmacro %}


{# Where it is told which rows of one delivery are set aside. #}
{% macro set_aside_table(delivery) -%}
    {{ delivery.landing_schema }}.row_set_aside
{%- endmacro %}
