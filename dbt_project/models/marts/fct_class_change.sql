with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

compared_nights as (
    select * from {{ source('rollcall', 'compared_night') }}
),

enrollments as not materialized (
    select * from {{ ref('hist_enrollments') }}
),

classes as not materialized (
    select * from {{ ref('hist_classes') }}
),

users as not materialized (
    select * from {{ ref('hist_users') }}
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

both_nights as not materialized (
    select
        district_id,
        sequence,
        effective_date,
        enrollment_end_date,
        true as is_later
    from publications
    union all
    select
        district_id,
        sequence,
        effective_date,
        enrollment_end_date,
        false as is_later
    from compared_nights
),

-- Only places of which a record began or ended in between, or an enrollment by its dates.
candidates as (
    select
        nights.*,
        enrollments.school_year,
        coalesce(class_ids.first_source_id, enrollments.class_source_id) as first_class_source_id,
        coalesce(user_ids.first_source_id, enrollments.user_source_id) as first_user_source_id
    from nights
    inner join enrollments
        on
            nights.district_id = enrollments.district_id
            and {{ began_between('enrollments', 'nights.earlier_sequence', 'nights.sequence') }}
    {{ join_first_id('enrollments', 'classes', 'enrollments.class_source_id', 'class_ids') }}
    {{ join_first_id('enrollments', 'users', 'enrollments.user_source_id', 'user_ids') }}
    where enrollments.role = 'student'
    union distinct
    select
        nights.*,
        enrollments.school_year,
        coalesce(class_ids.first_source_id, enrollments.class_source_id) as first_class_source_id,
        coalesce(user_ids.first_source_id, enrollments.user_source_id) as first_user_source_id
    from nights
    inner join enrollments
        on
            nights.district_id = enrollments.district_id
            and {{ ended_between('enrollments', 'nights.earlier_sequence', 'nights.sequence') }}
    {{ join_first_id('enrollments', 'classes', 'enrollments.class_source_id', 'class_ids') }}
    {{ join_first_id('enrollments', 'users', 'enrollments.user_source_id', 'user_ids') }}
    where enrollments.role = 'student'
    union distinct
    select
        nights.*,
        enrollments.school_year,
        coalesce(class_ids.first_source_id, enrollments.class_source_id) as first_class_source_id,
        coalesce(user_ids.first_source_id, enrollments.user_source_id) as first_user_source_id
    from nights
    inner join enrollments
        on
            nights.district_id = enrollments.district_id
            and (
                enrollments.begin_date between nights.earlier_date + 1 and nights.effective_date
                or enrollments.end_date between nights.earlier_date and nights.effective_date
            )
    {{ join_first_id('enrollments', 'classes', 'enrollments.class_source_id', 'class_ids') }}
    {{ join_first_id('enrollments', 'users', 'enrollments.user_source_id', 'user_ids') }}
    where enrollments.role = 'student'
),

changed_places as (
    select
        candidates.*,
        bool_or(publications.is_later) as is_there
    from candidates
    inner join both_nights as publications on candidates.district_id = publications.district_id
    {{ join_id_in('candidates', 'publications.sequence', 'classes', 'candidates.first_class_source_id', 'class_ids') }}
    {{ join_id_in('candidates', 'publications.sequence', 'users', 'candidates.first_user_source_id', 'user_ids') }}
    inner join enrollments
        on
            {{ published_in('enrollments', beside='candidates') }}
            and candidates.school_year = enrollments.school_year
            and coalesce(class_ids.source_id, candidates.first_class_source_id) = enrollments.class_source_id
            and coalesce(user_ids.source_id, candidates.first_user_source_id) = enrollments.user_source_id
    where
        enrollments.role = 'student'
        and {{ is_active('enrollments') }}
    group by
        candidates.district_id,
        candidates.sequence,
        candidates.effective_date,
        candidates.earlier_sequence,
        candidates.earlier_date,
        candidates.school_year,
        candidates.first_class_source_id,
        candidates.first_user_source_id
    having count(distinct publications.is_later) = 1
),

places as (
    select
        changed_places.*,
        coalesce(class_ids.source_id, changed_places.first_class_source_id) as class_source_id,
        coalesce(user_ids.source_id, changed_places.first_user_source_id) as user_source_id,
        {{ all_ids('changed_places', 'classes', 'changed_places.first_class_source_id') }} as class_source_ids,
        {{ all_ids('changed_places', 'users', 'changed_places.first_user_source_id') }} as user_source_ids
    from changed_places
    {{ join_id_in(
        'changed_places', 'changed_places.sequence', 'classes', 'changed_places.first_class_source_id', 'class_ids'
    ) }}
    {{ join_id_in(
        'changed_places', 'changed_places.sequence', 'users', 'changed_places.first_user_source_id', 'user_ids'
    ) }}
)

select
    places.district_id,
    places.school_year,
    places.class_source_id,
    places.user_source_id as student_source_id,
    case when places.is_there then 'joined' else 'left' end as change,
    case when not places.is_there then coalesce(last_enrollment.end_reason, 'ended') end as reason,
    class.school_source_id,
    class.title as class_title,
    class.class_code,
    student.identifier as student_number,
    student.given_name,
    student.family_name,
    places.earlier_date as compared_with,
    places.effective_date
from places
left join lateral (
    -- One that is still sent is over by its dates.
    select case when enrollments.valid_to_seq <= places.sequence then enrollments.end_reason end as end_reason
    from enrollments
    where
        places.district_id = enrollments.district_id
        and places.school_year = enrollments.school_year
        and enrollments.class_source_id = any(places.class_source_ids)
        and enrollments.user_source_id = any(places.user_source_ids)
        and places.sequence >= enrollments.valid_from_seq
        and enrollments.role = 'student'
    order by enrollments.valid_to_seq desc nulls first, enrollments.source_id asc
    limit 1
) as last_enrollment on true
left join lateral (
    select
        classes.school_source_id,
        classes.title,
        classes.class_code
    from classes
    where
        places.district_id = classes.district_id
        and places.school_year = classes.school_year
        and places.class_source_id = classes.source_id
        and places.sequence >= classes.valid_from_seq
    order by classes.valid_from_seq desc
    limit 1
) as class on true
left join lateral (
    select
        users.identifier,
        users.given_name,
        users.family_name
    from users
    where
        places.district_id = users.district_id
        and places.user_source_id = users.source_id
        and places.sequence >= users.valid_from_seq
    order by users.valid_from_seq desc
    limit 1
) as student on true
