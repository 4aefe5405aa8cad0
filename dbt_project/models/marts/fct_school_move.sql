with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

published_nights as (
    select * from {{ source('rollcall', 'published_night') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

organisations as not materialized (
    select * from {{ ref('hist_orgs') }}
),

former_ids as not materialized (
    select * from {{ ref('hist_former_ids') }}
),

-- What a student's list of schools was, and what it was before: a student of one school for years has many versions.
lists as (
    select
        users.district_id,
        last_value(users.source_id) over (
            student_in_time rows between unbounded preceding and unbounded following
        ) as source_id,
        users.valid_from_seq,
        publications.sequence as published_sequence,
        users.org_source_ids,
        lag(users.org_source_ids) over student_in_time as earlier_org_source_ids,
        lag(users.valid_from_seq) over student_in_time as earlier_valid_from_seq
    from users
    inner join publications on users.district_id = publications.district_id
    {{ join_first_id('users', 'users', 'users.source_id', 'first_ids') }}
    where users.role = 'student' and users.valid_from_seq <= publications.sequence
    window
        student_in_time as (
            partition by users.district_id, coalesce(first_ids.first_source_id, users.source_id)
            order by users.valid_from_seq
        )
)

select
    lists.district_id,
    lists.source_id as student_source_id,
    lists.valid_from_seq as sequence,
    first_night.effective_date as moved_on,
    earlier_school.source_id as from_school_source_id,
    earlier_school.name as from_school_name,
    school.source_id as to_school_source_id,
    school.name as to_school_name
from lists
cross join lateral ({{ first_school('lists', 'org_source_ids') }}) as school
cross join lateral ({{ first_school('lists', 'earlier_org_source_ids') }}) as earlier_school
cross join
    lateral (
        select min(published_nights.effective_date) as effective_date
        from published_nights
        where
            lists.district_id = published_nights.district_id
            and lists.valid_from_seq <= published_nights.sequence
    ) as first_night
{{ join_first_id('lists', 'orgs', 'school.source_id', 'school_ids') }}
{{ join_first_id(
    'lists', 'orgs', 'earlier_school.source_id', 'earlier_school_ids', sequence='lists.earlier_valid_from_seq'
) }}
where
    lists.org_source_ids <> lists.earlier_org_source_ids
    and coalesce(school_ids.first_source_id, school.source_id)
    <> coalesce(earlier_school_ids.first_source_id, earlier_school.source_id)
