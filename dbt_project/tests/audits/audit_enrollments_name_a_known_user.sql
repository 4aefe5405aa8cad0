-- Accepted enrollments whose person is not in the candidate.
with

enrollments as (
    select * from {{ ref('stg_oneroster__enrollments') }}
),

users as (
    {{ open_versions(ref('hist_users')) }}
)

select
    enrollments.district_id,
    count(*) as failures
from enrollments
left join users
    on enrollments.district_id = users.district_id and enrollments.user_source_id = users.source_id
where not enrollments.is_to_be_deleted and users.source_id is null
group by enrollments.district_id
