{# The accepted rows of one file, over the deliveries of the running build: everything landed but the rows that a
   critical finding sets aside. Without a running build (a deploy), the empty template. #}
{% macro landed(table, file) %}
    {%- set template = source('landing', table) -%}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) }}::text as district_id,
        {{ delivery.delivery_id }}::bigint as delivery_id,
        {{ delivery.sequence }}::integer as sequence,
        '{{ delivery.service_date }}'::date as service_date,
        landed.*
    from {{ landed_table(delivery, table) }} as landed
    where not exists (
        select
        from ({{ rows_set_aside(delivery, file) }}) as finding
        where finding.row_number = landed._row
    )
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


{# The other landed rows of one file: one row per record that was set aside. Ragged records were never landed. Only of
   the deliveries that have such a finding: a query over every file of a hundred deliveries takes long to plan. #}
{% macro landed_set_aside(table, file) %}
    {%- set concerned = deliveries_with_rows_set_aside(file) -%}
    {%- for delivery in deliveries_in_build() if delivery.delivery_id in concerned %}
    select {{ delivery.delivery_id }}::bigint as delivery_id
    from (select distinct row_number from ({{ rows_set_aside(delivery, file) }}) as found) as finding
    inner join {{ landed_table(delivery, table) }} as landed on finding.row_number = landed._row
    {{ 'union all' if not loop.last }}
    {%- else %}
    select null::bigint as delivery_id
    where false
    {%- endfor %}
{% endmacro %}


{# The deliveries of the running build with a row of one file that a critical finding sets aside: their numbers. #}
{% macro deliveries_with_rows_set_aside(file) %}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        select distinct current_build.delivery_id
        from rollcall.current_build
        inner join rollcall.row_finding on current_build.delivery_id = row_finding.delivery_id
        where row_finding.file = '{{ file }}' and row_finding.severity = 'critical'
    {%- endset -%}
    {{ return(run_query(query).rows | map(attribute=0) | list) }}
{% endmacro %}


{# Where the rows of one file of one delivery lie. #}
{% macro landed_table(delivery, table) -%}
    {{ delivery.landing_schema }}.{{ table }}
{%- endmacro %}


{# The rows of one file of one delivery that a critical finding sets aside. #}
{% macro rows_set_aside(delivery, file) -%}
    select row_number
    from {{ source('rollcall', 'row_finding') }}
    where delivery_id = {{ delivery.delivery_id }} and file = '{{ file }}' and severity = 'critical'
{%- endmacro %}
