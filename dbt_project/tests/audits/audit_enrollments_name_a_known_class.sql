-- Enrollments of the candidate whose class is not in it. Versions that are kept because tonight's row was set aside may
-- outlive their class: they are not counted.
with

enrollments as (
    {{ open_versions(ref('hist_enrollments')) }}
),

classes as (
    {{ open_versions(ref('hist_classes')) }}
),

accepted as (
    {{ accepted_rows('enrollments', 'enrollments') }}
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
where
    classes.source_id is null
    and exists (
        select
        from accepted
        where accepted.district_id = enrollments.district_id and accepted.source_id = enrollments.source_id
    )
group by enrollments.district_id
