-- Accepted enrollments whose class is not in the candidate. Versions that are kept because tonight's row was set aside
-- may outlive their class: they are not counted.
with

enrollments as (
    select * from {{ ref('stg_oneroster__enrollments') }}
),

classes as (
    {{ open_versions(ref('hist_classes')) }}
)

select
    enrollments.district_id,
    count(*) as failures
from enrollments
left join classes
    on
        enrollments.district_id = classes.district_id
        and enrollments.school_year = classes.school_year
        and enrollments.class_source_id = classes.source_id
where not enrollments.is_to_be_deleted and classes.source_id is null
group by enrollments.district_id
