{# What the running build changes of one file, over its deliveries: a row per record that begins a version or may end
   one, as `rollcall.decision.changes` left it in the delivery's schema. What a bulk file does not name is missing where
   that is evidence, and stays otherwise (law 5). Without a running build (a deploy) there is nothing to select. #}
{% macro changes(table, file) %}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) }}::text as district_id,
        {{ delivery.delivery_id }}::bigint as delivery_id,
        {{ delivery.sequence }}::integer as sequence,
        '{{ delivery.service_date }}'::date as service_date,
        case change.kind
            when 'absent' then '{{ 'missing' if file in delivery.files_evident.split(',') else 'kept' }}'
            when 'aside' then 'kept'
            else change.kind
        end as change,
        change.*
    from {{ delivery.landing_schema }}.change_{{ table }} as change
    {{ 'union all' if not loop.last }}
    {%- else %}
    select null as nothing
    where false
    {%- endfor %}
{% endmacro %}


{# How many published versions no row of one file names, per delivery of the running build. #}
{% macro unnamed_versions(file) %}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ delivery.delivery_id }}::bigint as delivery_id,
        compared.unnamed as number_of_versions
    from {{ delivery.landing_schema }}.compared
    where compared.file = '{{ file }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}


{# The accepted rows of one file, over the deliveries of the running build: everything landed but the rows that a
   critical finding sets aside. #}
{% macro accepted_rows(table, file) %}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) }}::text as district_id,
        {{ delivery.delivery_id }}::bigint as delivery_id,
        typed.*
    from {{ delivery.landing_schema }}.typed_{{ table }} as typed
    where
        typed.source_id is not null
        {%- if file in delivery.files_set_aside.split(',') %}
        and not exists (
            select
            from {{ delivery.landing_schema }}.row_set_aside as aside
            where aside.file = '{{ file }}' and aside.row_number = typed._row
        )
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        null::text as district_id,
        null::bigint as delivery_id,
        null::text as source_id,
        null::text as class_source_id,
        false as is_to_be_deleted
    where false
    {%- endfor %}
{% endmacro %}


{# The school year of each class that the rows of a delivery may name, over the deliveries of the running build, as
   `rollcall.decision.school_years` worked it out. #}
{% macro class_years() %}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ delivery.delivery_id }}::bigint as delivery_id,
        class_school_year.source_id,
        class_school_year.school_year
    from {{ delivery.landing_schema }}.class_school_year
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        null::bigint as delivery_id,
        null::text as source_id,
        null::integer as school_year
    where false
    {%- endfor %}
{% endmacro %}


{# The accepted rows of one file that begin a version, over the deliveries of the running build. What is as it was
   published was read then: fenced, so that no such row is read again. Of a first delivery all rows begin one, or are to be
   deleted. #}
{% macro beginning_rows(table, file) %}
    {%- for delivery in deliveries_in_build() %}
    select
        {{ dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) }}::text as district_id,
        typed.*
    from
        {%- if delivery.is_first %}
        {{ delivery.landing_schema }}.typed_{{ table }} as typed
    where
        typed._row not in (
            select aside.row_number from {{ delivery.landing_schema }}.row_set_aside as aside where aside.file = '{{ file }}'
        )
        {%- else %}
        (
            select *
            from {{ delivery.landing_schema }}.typed_{{ table }}
            where
                _row in (
                    select change._row
                    from {{ delivery.landing_schema }}.change_{{ table }} as change
                    where change.kind in ('added', 'changed')
                )
            offset 0
        ) as typed
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select null::text as district_id
    where false
    {%- endfor %}
{% endmacro %}


{# Whether a cell of a delivered row is filled, and what is read from it null; text is always read. #}
{% macro has_unread_cell(row, table) %}
    {%- set conditions = ['false'] -%}
    {%- for delivery in deliveries_in_build()[:1] -%}
        {%- set typed = api.Relation.create(schema=delivery.landing_schema, identifier='typed_' ~ table) -%}
        {%- for column in adapter.get_columns_in_relation(typed) if column.dtype in ('date', 'boolean', 'jsonb') -%}
            {%- if column.name != 'is_to_be_deleted' -%}
                {%- do conditions.append(
                    row ~ '.' ~ column.name ~ ' is null and btrim(' ~ row ~ '.sent_' ~ column.name ~ ") <> ''"
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ conditions | join(' or ') }}
{%- endmacro %}


{# How many rows of each file were accepted. #}
{% macro accepted_counts() %}
    {%- for entity in conformed_entities() %}
    select
        accepted.district_id,
        accepted.delivery_id,
        '{{ entity.file }}' as file,
        count(*) as number_of_rows,
        count(*) filter (where accepted.is_to_be_deleted) as number_to_be_deleted
    from ({{ accepted_rows(entity.table, entity.file) }}) as accepted
    group by accepted.district_id, accepted.delivery_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}


{# How many landed rows of each file are set aside, over the deliveries of the running build. Ragged records, set aside
   too, were never landed. #}
{% macro set_aside_counts() %}
    {%- for delivery in deliveries_in_build() if delivery.files_set_aside %}
    select
        {{ delivery.delivery_id }}::bigint as delivery_id,
        aside.file,
        count(distinct aside.row_number) as number_of_rows
    from {{ delivery.landing_schema }}.row_set_aside as aside
    where
        not exists (
            select
            from {{ delivery.landing_schema }}.ragged_row as ragged
            where ragged.file = aside.file and ragged._row = aside.row_number
        )
    group by aside.file
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        null::bigint as delivery_id,
        null::text as file,
        null::bigint as number_of_rows
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
    from {{ delivery.landing_schema }}.row_set_aside
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
