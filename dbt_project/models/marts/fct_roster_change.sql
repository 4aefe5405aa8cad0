with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

compared_nights as (
    select * from {{ source('rollcall', 'compared_night') }}
),

users as not materialized (
    select * from {{ ref('hist_users') }}
),

organisations as not materialized (
    select * from {{ ref('hist_orgs') }}
),

former_ids as not materialized (
    select * from {{ ref('hist_former_ids') }}
),

nights as not materialized (
    select
        publications.district_id,
        publications.sequence,
        publications.effective_date,
        compared_nights.sequence as earlier_sequence,
        compared_nights.effective_date as earlier_date
    from publications
    inner join compared_nights on publications.district_id = compared_nights.district_id
),

-- Only whose record began or ended in between can have changed.
candidates as (
    select
        nights.*,
        coalesce(first_ids.first_source_id, users.source_id) as first_source_id
    from nights
    inner join users
        on
            nights.district_id = users.district_id
            and {{ began_between('users', 'nights.earlier_sequence', 'nights.sequence') }}
    {{ join_first_id('users', 'users', 'users.source_id', 'first_ids') }}
    where users.role = 'student'
    union distinct
    select
        nights.*,
        coalesce(first_ids.first_source_id, users.source_id) as first_source_id
    from nights
    inner join users
        on
            nights.district_id = users.district_id
            and {{ ended_between('users', 'nights.earlier_sequence', 'nights.sequence') }}
    {{ join_first_id('users', 'users', 'users.source_id', 'first_ids') }}
    where users.role = 'student'
),

-- Under the ids that they had on either night.
identified as (
    select
        candidates.*,
        coalesce(ids.source_id, candidates.first_source_id) as source_id,
        coalesce(earlier_ids.source_id, candidates.first_source_id) as earlier_source_id
    from candidates
    {{ join_id_in('candidates', 'candidates.sequence', 'users', 'candidates.first_source_id', 'ids') }}
    {{ join_id_in('candidates', 'candidates.earlier_sequence', 'users', 'candidates.first_source_id', 'earlier_ids') }}
),

students as (
    select
        identified.*,
        identified.sequence as published_sequence,
        earlier.source_id is not null as was_there,
        later.source_id is not null as is_there,
        earlier.org_source_ids as earlier_org_source_ids,
        later.org_source_ids,
        case when later.source_id is null then earlier.identifier else later.identifier end as student_number,
        case when later.source_id is null then earlier.given_name else later.given_name end as given_name,
        case when later.source_id is null then earlier.family_name else later.family_name end as family_name,
        case when later.source_id is null then earlier.grades[1] else later.grades[1] end as grade
    from identified
    left join users as earlier
        on
            identified.district_id = earlier.district_id
            and identified.earlier_source_id = earlier.source_id
            and {{ is_of_sequence('earlier', 'identified.earlier_sequence') }}
            and earlier.role = 'student'
    left join users as later
        on
            identified.district_id = later.district_id
            and identified.source_id = later.source_id
            and {{ is_of_sequence('later', 'identified.sequence') }}
            and later.role = 'student'
)

select
    students.district_id,
    students.source_id as student_source_id,
    case
        when not students.was_there then 'joined'
        when not students.is_there then 'left'
        else 'moved'
    end as change,
    case when not students.is_there then last_version.end_reason end as reason,
    students.student_number,
    students.given_name,
    students.family_name,
    students.grade,
    earlier_school.source_id as from_school_source_id,
    earlier_school.name as from_school_name,
    school.source_id as to_school_source_id,
    school.name as to_school_name,
    students.earlier_date as compared_with,
    students.effective_date
from students
left join lateral ({{ first_school('students', 'earlier_org_source_ids') }}) as earlier_school on true
left join lateral ({{ first_school('students', 'org_source_ids') }}) as school on true
left join lateral (
    select users.end_reason
    from users
    where
        students.district_id = users.district_id
        and students.source_id = users.source_id
        and students.sequence >= users.valid_to_seq
    order by users.valid_from_seq desc
    limit 1
) as last_version on true
{{ join_first_id('students', 'orgs', 'school.source_id', 'school_ids', sequence='students.sequence') }}
{{ join_first_id(
    'students', 'orgs', 'earlier_school.source_id', 'earlier_school_ids', sequence='students.earlier_sequence'
) }}
where
    students.was_there <> students.is_there
    or (
        students.was_there
        and students.is_there
        and coalesce(earlier_school_ids.first_source_id, earlier_school.source_id)
        is distinct from coalesce(school_ids.first_source_id, school.source_id)
    )
