{# Pairs of enrollments of one student in one class that today's publication has and that were not worked out, and pairs
   that were and are none. #}
{% test doubles_as_defined(model) %}
with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

enrollments as (
    select enrollments.*
    from publications
    inner join {{ ref('hist_enrollments') }} as enrollments
        on
            publications.district_id = enrollments.district_id
            and {{ is_of_sequence('enrollments', 'publications.sequence') }}
    where enrollments.role = 'student'
),

defined as (
    select
        enrollments.district_id,
        enrollments.school_year,
        enrollments.source_id,
        doubles.source_id as double_source_id,
        doubles.begin_date,
        doubles.end_date
    from enrollments
    inner join enrollments as doubles
        on
            enrollments.district_id = doubles.district_id
            and enrollments.school_year = doubles.school_year
            and enrollments.class_source_id = doubles.class_source_id
            and enrollments.user_source_id = doubles.user_source_id
            and enrollments.source_id > doubles.source_id
),

shown as (
    select
        doubles.district_id,
        doubles.school_year,
        doubles.source_id,
        doubles.double_source_id,
        doubles.begin_date,
        doubles.end_date
    from publications
    inner join {{ model }} as doubles
        on
            publications.district_id = doubles.district_id
            and {{ is_of_sequence('doubles', 'publications.sequence') }}
),

different as (
    (select * from defined except all select * from shown)
    union all
    (select * from shown except all select * from defined)
)

select distinct
    district_id,
    school_year,
    source_id
from different
{% endtest %}
