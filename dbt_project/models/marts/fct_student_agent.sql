with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

users as not materialized (
    select * from {{ ref('hist_users') }}
),

people as not materialized (
    select
        users.district_id,
        users.source_id,
        users.role,
        users.given_name,
        users.family_name,
        users.agent_source_ids
    from publications
    inner join users on {{ published_in('users') }}
),

-- Either side may name the other, or both.
pairs as (
    select
        people.district_id,
        people.source_id as student_source_id,
        agent.source_id as agent_source_id
    from people
    cross join lateral unnest(people.agent_source_ids) as agent (source_id)
    where people.role = 'student'
    union distinct
    select
        people.district_id,
        student.source_id as student_source_id,
        people.source_id as agent_source_id
    from people
    cross join lateral unnest(people.agent_source_ids) as student (source_id)
    where people.role in {{ guardian_roles() }}
)

select
    pairs.district_id,
    pairs.student_source_id,
    pairs.agent_source_id,
    agents.role as agent_role,
    agents.given_name as agent_given_name,
    agents.family_name as agent_family_name
from pairs
inner join people as students
    on pairs.district_id = students.district_id and pairs.student_source_id = students.source_id
inner join people as agents
    on pairs.district_id = agents.district_id and pairs.agent_source_id = agents.source_id
where students.role = 'student'
