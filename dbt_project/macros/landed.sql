{# The accepted rows of one file, over the deliveries of the running build: everything landed but the rows that a
   critical finding sets aside, or, on request, just those. Without a running build (a deploy), the empty template. #}
{% macro landed(table, file, set_aside=false) %}
    {%- set template = source('landing', table) -%}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) }}::text as district_id,
        {{ delivery.delivery_id }}::bigint as delivery_id,
        {{ delivery.sequence }}::integer as sequence,
        '{{ delivery.service_date }}'::date as service_date,
        landed.*
    from {{ delivery.landing_schema }}.{{ table }} as landed
    where {{ 'not ' if not set_aside }}exists (
        select
        from rollcall.row_finding as finding
        where
            finding.delivery_id = {{ delivery.delivery_id }}
            and finding.file = '{{ file }}'
            and finding.severity = 'critical'
            and finding.row_number = landed._row
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
