with

published_nights as (
    select * from {{ source('rollcall', 'published_night') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

organisations as (
    select * from {{ ref('hist_orgs') }}
),

former_ids as not materialized (
    select * from {{ ref('hist_former_ids') }}
),

nights as not materialized (
    {{ numbered_nights() }}
),

schools as not materialized (
    {{ schools_of_districts() }}
),

versions as (
    select
        users.district_id,
        users.source_id,
        coalesce(first_ids.first_source_id, users.source_id) as person,
        {{ person_type('users.role') }} as person_type,
        users.org_source_ids,
        users.valid_from_seq,
        users.end_reason,
        {{ first_night_from('users.valid_from_seq') }} as first_night,
        {{ first_night_past('users.valid_to_seq') }} as past_night
    from users
    inner join nights on users.district_id = nights.district_id
    {{ join_first_id('users', 'users', 'users.source_id', 'first_ids') }}
    where {{ person_type('users.role') }} is not null
),

-- Several sequences may pass between two nights: why somebody is gone says the last of them.
ended_versions as (
    select
        *,
        last_value(end_reason) over (
            partition by district_id, person, past_night
            order by valid_from_seq
            rows between unbounded preceding and unbounded following
        ) as reason_of_absence
    from versions
),

-- What some night showed, and until and from when the person was shown before and after it.
shown_versions as (
    select
        *,
        last_value(source_id) over (
            person_in_time rows between unbounded preceding and unbounded following
        ) as person_source_id,
        lag(past_night) over person_in_time as shown_before_until,
        lead(first_night) over person_in_time as shown_again_from
    from ended_versions
    where first_night < past_night
    window person_in_time as (partition by district_id, person order by valid_from_seq)
),

memberships as (
    select
        shown_versions.district_id,
        shown_versions.person_source_id,
        coalesce(first_ids.first_source_id, membership.school_source_id) as school,
        last_value(membership.school_source_id) over (
            school_in_time rows between unbounded preceding and unbounded following
        ) as school_source_id,
        shown_versions.person_type,
        shown_versions.first_night,
        shown_versions.past_night,
        case
            when shown_versions.first_night = 1 then 'first_publication'
            when shown_versions.shown_before_until is null then 'joined'
            when shown_versions.shown_before_until < shown_versions.first_night then 'returned'
            else 'moved'
        end as begin_reason,
        case
            when shown_versions.shown_again_from = shown_versions.past_night then 'moved'
            when shown_versions.reason_of_absence = 'changed' then 'moved'
            else shown_versions.reason_of_absence
        end as end_reason,
        lag(shown_versions.past_night) over school_in_time as at_school_until,
        lead(shown_versions.first_night) over school_in_time as at_school_again_from
    from shown_versions
    cross join lateral unnest(shown_versions.org_source_ids) with ordinality as membership (school_source_id, place)
    {{ join_first_id('shown_versions', 'orgs', 'membership.school_source_id', 'first_ids') }}
    -- A school that the list names twice counts once.
    where membership.place = array_position(shown_versions.org_source_ids, membership.school_source_id)
    window
        school_in_time as (
            partition by
                shown_versions.district_id,
                shown_versions.person_source_id,
                coalesce(first_ids.first_source_id, membership.school_source_id),
                shown_versions.person_type
            order by shown_versions.first_night
        )
),

numbered_memberships as (
    select
        *,
        count(*) filter (where at_school_until is distinct from first_night) over (
            partition by district_id, person_source_id, school, person_type
            order by first_night
        ) as spell
    from memberships
),

spells as (
    select
        district_id,
        person_source_id,
        school_source_id,
        person_type,
        min(first_night) as first_night,
        max(past_night) as past_night,
        min(begin_reason) filter (where at_school_until is distinct from first_night) as begin_reason,
        min(end_reason) filter (where at_school_again_from is distinct from past_night) as end_reason
    from numbered_memberships
    group by district_id, person_source_id, school_source_id, person_type, spell
)

select
    spells.district_id,
    spells.person_source_id,
    spells.school_source_id,
    schools.names ->> spells.school_source_id as school_name,
    spells.person_type,
    nights.effective_dates[spells.first_night] as began_on,
    spells.begin_reason,
    nights.effective_dates[spells.past_night - 1] as last_night,
    nights.effective_dates[spells.past_night] as ended_on,
    case when spells.past_night <= cardinality(nights.sequences) then spells.end_reason end as end_reason,
    spells.past_night > cardinality(nights.sequences) as is_current
from spells
inner join nights on spells.district_id = nights.district_id
inner join schools on spells.district_id = schools.district_id
where schools.names ? spells.school_source_id
