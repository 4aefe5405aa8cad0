with

published_nights as (
    select * from {{ source('rollcall', 'published_night') }}
),

organisations as (
    select * from {{ ref('hist_orgs') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

nights as not materialized (
    {{ numbered_nights() }}
),

schools as not materialized (
    {{ schools_of_districts() }}
),

spells as not materialized (
    select
        users.district_id,
        membership.school_source_id,
        coalesce(users.grades[1], 'not stated') as grade,
        {{ first_night_from('users.valid_from_seq') }} as first_night,
        {{ first_night_past('users.valid_to_seq') }} as past_night,
        1 as students
    from users
    inner join nights on users.district_id = nights.district_id
    inner join schools on users.district_id = schools.district_id
    cross join lateral unnest(users.org_source_ids) with ordinality as membership (school_source_id, place)
    where
        users.role = 'student'
        and schools.names ? membership.school_source_id
        and membership.place = array_position(users.org_source_ids, membership.school_source_id)
),

counts as (
    {{ counted_by_night('spells', ['school_source_id', 'grade'], ['students']) }}
)

select
    district_id,
    school_source_id,
    grade,
    effective_date,
    sequence,
    students::integer as students
from counts
where students > 0
