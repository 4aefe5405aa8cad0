{%- set attributes = [
    'title', 'class_code', 'class_type', 'location', 'course_source_id', 'school_source_id', 'term_source_ids',
    'grades', 'subjects', 'subject_codes', 'periods'
] -%}

with

landed as (
    {{ landed('classes', 'classes') }}
),

delivered_sessions as (
    select * from {{ ref('stg_oneroster__academic_sessions') }}
),

published_sessions as (
    {{ open_versions(source('published', 'hist_academic_sessions')) }}
),

published_classes as (
    {{ open_versions(source('published', 'hist_classes')) }}
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
        {{ trimmed('title') }} as title,
        {{ trimmed('class_code') }} as class_code,
        {{ enumeration('class_type') }} as class_type,
        {{ trimmed('location') }} as location,
        {{ trimmed('course_sourced_id') }} as course_source_id,
        {{ trimmed('school_sourced_id') }} as school_source_id,
        {{ list('term_sourced_ids') }} as term_source_ids,
        {{ list('grades') }} as grades,
        {{ list('subjects') }} as subjects,
        {{ list('subject_codes') }} as subject_codes,
        {{ list('periods') }} as periods,
        _metadata::jsonb as metadata
    from landed
    {{ computed_once() }}
),

-- What a term's id means tonight: the delivery's word before the published one.
session_years as (
    select
        district_id,
        source_id,
        school_year,
        1 as preference
    from delivered_sessions
    union all
    select
        district_id,
        source_id,
        school_year,
        2 as preference
    from published_sessions
),

-- The first term in the list that is known.
term_years as (
    select distinct on (typed.district_id, typed.source_id)
        typed.district_id,
        typed.source_id,
        session_years.school_year
    from typed
    cross join lateral unnest(typed.term_source_ids) with ordinality as term (source_id, place)
    inner join session_years
        on typed.district_id = session_years.district_id and term.source_id = session_years.source_id
    order by
        typed.district_id asc,
        typed.source_id asc,
        session_years.preference asc,
        term.place asc,
        session_years.school_year desc
),

-- A class whose terms are unknown keeps the year it was first seen with.
class_years as (
    select
        district_id,
        source_id,
        max(school_year) as school_year
    from published_classes
    group by district_id, source_id
)

select
    typed.*,
    coalesce(
        term_years.school_year, class_years.school_year, district_school_years.school_year
    ) as school_year,
    {{ row_hash(attributes) }} as row_hash
from typed
left join district_school_years on typed.district_id = district_school_years.district_id
left join term_years on typed.district_id = term_years.district_id and typed.source_id = term_years.source_id
left join class_years on typed.district_id = class_years.district_id and typed.source_id = class_years.source_id
