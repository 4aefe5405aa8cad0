with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

organisations as (
    select * from {{ ref('hist_orgs') }}
)

select
    publications.district_id,
    users.source_id as person_source_id,
    schools.source_id as school_source_id,
    schools.name as school_name,
    {{ person_type('users.role') }} as person_type,
    users.role as person_role,
    not exists (
        select
        from unnest(users.org_source_ids[:membership.place - 1]) as earlier (source_id)
        inner join organisations as earlier_schools
            on {{ published_in('earlier_schools', beside='users') }} and earlier.source_id = earlier_schools.source_id
        where earlier_schools.type = 'school'
    ) as is_primary_school,
    case when users.role = 'student' then users.grades[1] end as student_grade
from publications
inner join users on {{ published_in('users') }}
cross join lateral unnest(users.org_source_ids) with ordinality as membership (school_source_id, place)
inner join organisations as schools
    on {{ published_in('schools') }} and membership.school_source_id = schools.source_id
where
    schools.type = 'school'
    and {{ person_type('users.role') }} is not null
    -- A school that the list names twice counts where it comes first.
    and membership.place = array_position(users.org_source_ids, membership.school_source_id)
