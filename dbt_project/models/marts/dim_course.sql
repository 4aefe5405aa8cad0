with

courses as (
    {{ published(ref('hist_courses')) }}
)

select
    district_id,
    source_id,
    title as course_name,
    course_code,
    org_source_id as organization_source_id,
    grades,
    subjects,
    subject_codes
from courses
