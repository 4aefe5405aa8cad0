with

enrollments as (
    {{ published(ref('hist_enrollments')) }}
),

districts as (
    select * from {{ source('rollcall', 'district') }}
)

select
    enrollments.district_id,
    enrollments.school_year,
    enrollments.source_id,
    enrollments.class_source_id,
    enrollments.user_source_id as staff_source_id,
    enrollments.school_source_id,
    enrollments.role as teaching_role,
    coalesce(enrollments.is_primary, false) as is_primary_teacher,
    enrollments.begin_date,
    enrollments.end_date,
    {{ is_active('enrollments', 'districts') }} as is_active
from enrollments
inner join districts on enrollments.district_id = districts.district_id
where enrollments.role <> 'student'
