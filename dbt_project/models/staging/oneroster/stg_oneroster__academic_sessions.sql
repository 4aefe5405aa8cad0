{%- set attributes = ['title', 'type', 'start_date', 'end_date', 'parent_source_id'] -%}

with

landed as (
    {{ landed('academic_sessions', 'academicSessions') }}
),

typed as (
    select
        district_id,
        delivery_id,
        sequence,
        {{ trimmed('sourced_id') }} as source_id,
        {{ is_to_be_deleted() }} as is_to_be_deleted,
        coalesce(
            {{ typed('school_year', 'integer') }},
            {{ school_year_of('coalesce(' ~ typed('start_date', 'date') ~ ', service_date)') }}
        ) as school_year,
        {{ trimmed('title') }} as title,
        {{ enumeration('type', ['gradingPeriod', 'schoolYear']) }} as type,
        {{ typed('start_date', 'date') }} as start_date,
        {{ typed('end_date', 'date') }} as end_date,
        {{ trimmed('parent_sourced_id') }} as parent_source_id,
        _metadata::jsonb as metadata
    from landed
    {{ computed_once() }}
)

select
    *,
    {{ row_hash(attributes) }} as row_hash
from typed
