{#- Counts change on few nights, so what is added up are the changes: a version of a record counts from the first night
    that showed it to the first that no longer did, and the sum of all changes up to a night is that night's count. -#}
with

published_nights as (
    select * from {{ source('rollcall', 'published_night') }}
),

organisations as not materialized (
    select * from {{ ref('hist_orgs') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

classes as (
    select * from {{ ref('hist_classes') }}
),

enrollments as (
    select * from {{ ref('hist_enrollments') }}
),

nights as not materialized (
    select
        district_id,
        array_agg(effective_date order by effective_date) as effective_dates,
        array_agg(sequence order by effective_date) as sequences,
        -- From which end date on an enrollment counts that night: by the habit that the night was published with.
        array_agg(
            effective_date + (enrollment_end_date = 'exclusive')::integer
            order by effective_date
        ) as first_end_dates
    from published_nights
    group by district_id
),

-- What counts for a school, by the sequences that have it and, for enrollments, from the first day to the day after the
-- last. Students are told apart, for those who join and leave.
versions as not materialized (
    select
        district_id,
        source_id as school_source_id,
        'school' as measure,
        null as person_source_id,
        valid_from_seq,
        valid_to_seq,
        null::date as begin_date,
        null::date as end_date,
        1 as records
    from organisations
    where type = 'school'
    union all
    select
        users.district_id,
        membership.school_source_id,
        {{ person_type('users.role') }} as measure,
        case when users.role = 'student' then users.source_id end as person_source_id,
        users.valid_from_seq,
        users.valid_to_seq,
        null as begin_date,
        null as end_date,
        1 as records
    from users
    cross join lateral unnest(users.org_source_ids) with ordinality as membership (school_source_id, place)
    where
        {{ person_type('users.role') }} is not null
        and membership.place = array_position(users.org_source_ids, membership.school_source_id)
    union all
    select
        district_id,
        school_source_id,
        'class' as measure,
        null as person_source_id,
        valid_from_seq,
        valid_to_seq,
        null as begin_date,
        null as end_date,
        count(*) as records
    from classes
    group by district_id, school_source_id, valid_from_seq, valid_to_seq
    union all
    select
        enrollments.district_id,
        enrollments.school_source_id,
        'enrollment' as measure,
        null as person_source_id,
        enrollments.valid_from_seq,
        enrollments.valid_to_seq,
        enrollments.begin_date,
        enrollments.end_date,
        count(*) as records
    from enrollments
    where enrollments.role = 'student'
    group by
        enrollments.district_id,
        enrollments.school_source_id,
        enrollments.valid_from_seq,
        enrollments.valid_to_seq,
        enrollments.begin_date,
        enrollments.end_date
),

-- Nights are numbered from 1. width_bucket tells how many of them came before: it searches a sorted list by halving.
spells as not materialized (
    select
        versions.district_id,
        versions.school_source_id,
        versions.measure,
        versions.person_source_id,
        versions.records,
        1 + greatest(
            width_bucket(versions.valid_from_seq - 1, nights.sequences),
            width_bucket(versions.begin_date - 1, nights.effective_dates)
        ) as first_night,
        1 + least(
            width_bucket(versions.valid_to_seq - 1, nights.sequences),
            width_bucket(versions.end_date, nights.first_end_dates)
        ) as past_night
    from versions
    inner join nights on versions.district_id = nights.district_id
),

-- Whoever has a new version on the night on which the old one ended has not changed the count.
changes as not materialized (
    select
        spells.district_id,
        spells.school_source_id,
        spells.measure,
        change.night,
        sum(change.records) as records
    from spells
    cross join
        lateral unnest(
            array[spells.first_night, spells.past_night],
            array[spells.records, -spells.records]
        ) as change (night, records)
    where
        change.night is not null
        and (spells.past_night is null or spells.first_night < spells.past_night)
    group by spells.district_id, spells.school_source_id, spells.measure, spells.person_source_id, change.night
),

school_changes as not materialized (
    select
        district_id,
        school_source_id,
        night,
        sum(records) filter (where measure = 'school') as schools,
        sum(records) filter (where measure = 'student') as students,
        sum(records) filter (where measure = 'staff') as staff,
        sum(records) filter (where measure = 'class') as classes,
        sum(records) filter (where measure = 'enrollment') as enrollments,
        sum(records) filter (where measure = 'student' and records > 0) as joiners,
        -sum(records) filter (where measure = 'student' and records < 0) as leavers
    from changes
    group by district_id, school_source_id, night
),

schools as not materialized (
    select distinct
        district_id,
        source_id
    from organisations
    where type = 'school'
),

school_nights as not materialized (
    select
        schools.district_id,
        schools.source_id as school_source_id,
        night.effective_date,
        night.sequence,
        night.number,
        sum(school_changes.schools) over up_to_the_night as schools,
        sum(school_changes.students) over up_to_the_night as students,
        sum(school_changes.staff) over up_to_the_night as staff,
        sum(school_changes.classes) over up_to_the_night as classes,
        sum(school_changes.enrollments) over up_to_the_night as enrollments,
        school_changes.joiners,
        school_changes.leavers
    from schools
    inner join nights on schools.district_id = nights.district_id
    cross join
        lateral unnest(nights.effective_dates, nights.sequences) with ordinality as night (
            effective_date, sequence, number
        )
    left join school_changes
        on
            schools.district_id = school_changes.district_id
            and schools.source_id = school_changes.school_source_id
            and night.number = school_changes.night
    window up_to_the_night as (partition by schools.district_id, schools.source_id order by night.number)
)

select
    district_id,
    school_source_id,
    effective_date,
    sequence,
    coalesce(students, 0)::integer as students,
    coalesce(staff, 0)::integer as staff,
    coalesce(classes, 0)::integer as classes,
    coalesce(enrollments, 0)::integer as enrollments,
    case when number > 1 then coalesce(joiners, 0)::integer end as joiners,
    case when number > 1 then coalesce(leavers, 0)::integer end as leavers
from school_nights
where schools = 1
