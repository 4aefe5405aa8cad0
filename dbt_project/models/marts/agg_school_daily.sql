{#- Counts change on few nights, so what is added up are the changes: a version of a record counts from the first night
    that showed it to the first that no longer did, and the sum of all changes up to a night is that night's count. Each
    kind of record has one row per school, with all its nights: PostgreSQL leaves out the kinds that a query does not ask
    for, and joins schools rather than nights. -#}
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

-- For each kind of record, the nights by number between which its versions count: from the first up to the one past the
-- last, which is null for what lasts.
school_spells as not materialized (
    select
        organisations.district_id,
        organisations.source_id as school_source_id,
        {{ first_night_from('organisations.valid_from_seq') }} as first_night,
        1 + width_bucket(organisations.valid_to_seq - 1, nights.sequences) as past_night,
        1 as records
    from organisations
    inner join nights on organisations.district_id = nights.district_id
    where organisations.type = 'school'
),

-- Students are told apart, for those who join and leave.
person_spells as not materialized (
    select
        users.district_id,
        membership.school_source_id,
        {{ person_type('users.role') }} as person_type,
        case when users.role = 'student' then users.source_id end as person_source_id,
        {{ first_night_from('users.valid_from_seq') }} as first_night,
        1 + width_bucket(users.valid_to_seq - 1, nights.sequences) as past_night,
        1 as records
    from users
    inner join nights on users.district_id = nights.district_id
    cross join lateral unnest(users.org_source_ids) with ordinality as membership (school_source_id, place)
    where
        {{ person_type('users.role') }} is not null
        and membership.place = array_position(users.org_source_ids, membership.school_source_id)
),

class_spells as not materialized (
    select
        versions.district_id,
        versions.school_source_id,
        {{ first_night_from('versions.valid_from_seq') }} as first_night,
        1 + width_bucket(versions.valid_to_seq - 1, nights.sequences) as past_night,
        versions.records
    from (
        select
            district_id,
            school_source_id,
            valid_from_seq,
            valid_to_seq,
            count(*) as records
        from classes
        group by district_id, school_source_id, valid_from_seq, valid_to_seq
    ) as versions
    inner join nights on versions.district_id = nights.district_id
),

-- From the first day to the day after the last, too.
enrollment_spells as not materialized (
    select
        versions.district_id,
        versions.school_source_id,
        1 + greatest(
            width_bucket(versions.valid_from_seq - 1, nights.sequences),
            width_bucket(versions.begin_date - 1, nights.effective_dates)
        ) as first_night,
        1 + least(
            width_bucket(versions.valid_to_seq - 1, nights.sequences),
            width_bucket(versions.end_date, nights.first_end_dates)
        ) as past_night,
        versions.records
    from (
        select
            district_id,
            school_source_id,
            valid_from_seq,
            valid_to_seq,
            begin_date,
            end_date,
            count(*) as records
        from enrollments
        where role = 'student'
        group by district_id, school_source_id, valid_from_seq, valid_to_seq, begin_date, end_date
    ) as versions
    inner join nights on versions.district_id = nights.district_id
),

-- Whoever has a new version on the night on which the old one ended has not changed the count.
person_changes as not materialized (
    select
        district_id,
        school_source_id,
        night,
        sum(records) filter (where person_type = 'student') as students,
        sum(records) filter (where person_type = 'staff') as staff,
        sum(records) filter (where person_type = 'student' and records > 0) as joiners,
        -sum(records) filter (where person_type = 'student' and records < 0) as leavers
    from ({{ changes_by_night('person_spells', ['school_source_id', 'person_type', 'person_source_id']) }}) as changes
    group by district_id, school_source_id, night
),

school_counts as not materialized (
    {{ counts_in_time('(' ~ changes_by_night('school_spells', ['school_source_id']) ~ ')', ['records']) }}
),

person_counts as not materialized (
    {{ counts_in_time('person_changes', ['students', 'staff', 'joiners', 'leavers']) }}
),

class_counts as not materialized (
    {{ counts_in_time('(' ~ changes_by_night('class_spells', ['school_source_id']) ~ ')', ['records']) }}
),

enrollment_counts as not materialized (
    {{ counts_in_time('(' ~ changes_by_night('enrollment_spells', ['school_source_id']) ~ ')', ['records']) }}
),

-- A row per night made after the joins: PostgreSQL would otherwise join nights with what it has yet to count.
school_nights as not materialized (
    select
        school_counts.district_id,
        school_counts.school_source_id,
        unnest(nights.effective_dates) as effective_date,
        unnest(nights.sequences) as sequence,
        generate_subscripts(nights.sequences, 1) as number,
        school_counts.nights as school_changes,
        school_counts.records as schools,
        person_counts.nights as person_changes,
        person_counts.students,
        person_counts.staff,
        person_counts.joiners,
        person_counts.leavers,
        class_counts.nights as class_changes,
        class_counts.records as classes,
        enrollment_counts.nights as enrollment_changes,
        enrollment_counts.records as enrollments
    from school_counts
    inner join nights on school_counts.district_id = nights.district_id
    {%- for counts in ('person_counts', 'class_counts', 'enrollment_counts') %}
    left join {{ counts }}
        on
            school_counts.district_id = {{ counts }}.district_id
            and school_counts.school_source_id = {{ counts }}.school_source_id
    {%- endfor %}
)

select
    district_id,
    school_source_id,
    effective_date,
    sequence,
    {{ count_up_to('number', 'students', 'person_changes') }} as students,
    {{ count_up_to('number', 'staff', 'person_changes') }} as staff,
    {{ count_up_to('number', 'classes', 'class_changes') }} as classes,
    {{ count_up_to('number', 'enrollments', 'enrollment_changes') }} as enrollments,
    case when number > 1 then {{ count_on('number', 'joiners', 'person_changes') }} end as joiners,
    case when number > 1 then {{ count_on('number', 'leavers', 'person_changes') }} end as leavers
from school_nights
where {{ count_up_to('number', 'schools', 'school_changes') }} = 1
