{%- set attributes = [
    'class_source_id', 'school_source_id', 'user_source_id', 'role', 'is_primary', 'begin_date', 'end_date'
] -%}

with

landed as (
    {{ landed('enrollments', 'enrollments') }}
),

class_school_years as (
    select * from {{ ref('int_class_school_years') }}
),

district_school_years as (
    select * from {{ ref('int_district_school_years') }}
),

typed as (
    select
        district_id,
        delivery_id,
        sequence,
        {{ trimmed('sourced_id') }} as source_id,
        {{ is_to_be_deleted() }} as is_to_be_deleted,
        {{ trimmed('class_sourced_id') }} as class_source_id,
        {{ trimmed('school_sourced_id') }} as school_source_id,
        {{ trimmed('user_sourced_id') }} as user_source_id,
        {{ enumeration('role') }} as role,
        {{ typed('is_primary', 'boolean') }} as is_primary,
        {{ typed('begin_date', 'date') }} as begin_date,
        {{ typed('end_date', 'date') }} as end_date,
        _metadata::jsonb as metadata
    from landed
    {{ computed_once() }}
)

select
    typed.*,
    -- The subquery runs only for enrollments whose class is unknown: they keep the year they were first seen with.
    coalesce(
        class_school_years.school_year,
        (
            select max(published.school_year)
            from {{ source('published', 'hist_enrollments') }} as published
            where
                published.valid_to_seq is null
                and published.district_id = typed.district_id
                and published.source_id = typed.source_id
        ),
        district_school_years.school_year
    ) as school_year,
    {{ row_hash(attributes) }} as row_hash
from typed
left join district_school_years on typed.district_id = district_school_years.district_id
left join class_school_years
    on typed.district_id = class_school_years.district_id and typed.class_source_id = class_school_years.source_id
