-- Enrollments of the candidate whose person is not in it. Versions that are kept because tonight's row was set aside
-- may outlive their person: they are not counted.
with

enrollments as (
    {{ open_versions(ref('hist_enrollments')) }}
),

users as (
    {{ open_versions(ref('hist_users')) }}
),

accepted as (
    {{ accepted_rows('enrollments', 'enrollments') }}
)

select
    enrollments.district_id,
    count(*) as failures
from enrollments
left join users
    on
        enrollments.district_id = users.district_id
        and enrollments.user_source_id = users.source_id
where
    users.source_id is null
    and exists (
        select
        from accepted
        where accepted.district_id = enrollments.district_id and accepted.source_id = enrollments.source_id
    )
group by enrollments.district_id
