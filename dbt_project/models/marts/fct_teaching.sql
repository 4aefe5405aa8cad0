with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

enrollments as (
    select * from {{ ref('hist_enrollments') }}
)

select
    publications.district_id,
    enrollments.school_year,
    enrollments.source_id,
    enrollments.class_source_id,
    enrollments.user_source_id as staff_source_id,
    enrollments.school_source_id,
    enrollments.role as teaching_role,
    coalesce(enrollments.is_primary, false) as is_primary_teacher,
    enrollments.begin_date,
    enrollments.end_date,
    {{ is_active('enrollments') }} as is_active
from publications
inner join enrollments on {{ published_in('enrollments') }}
where enrollments.role <> 'student'
