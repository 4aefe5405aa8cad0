with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

class_details as (
    select * from {{ ref('hist_class_details') }}
)

select
    publications.district_id,
    class_details.school_year,
    class_details.source_id,
    class_details.class_name,
    class_details.class_title,
    class_details.class_code,
    class_details.class_type,
    class_details.location,
    class_details.periods,
    class_details.grades,
    class_details.subjects,
    class_details.subject_codes,
    class_details.school_source_id,
    class_details.school_name,
    class_details.course_source_id,
    class_details.course_name,
    class_details.term_source_ids,
    class_details.primary_teacher_source_id,
    class_details.primary_teacher_given_name,
    class_details.primary_teacher_family_name
from publications
inner join class_details on {{ details_of_the_day('class_details') }}
