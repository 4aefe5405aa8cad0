with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

rosters as (
    select * from {{ ref('roster') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

demographics as (
    select * from {{ ref('hist_demographics') }}
),

-- Ids that would make one student of several: 0042 and 42, or a number that two names share.
shared_student_ids as (
    select
        publications.district_id,
        {{ assessment_student_id('users.identifier', 'users.source_id') }} as student_id
    from publications
    inner join users on {{ published_in('users') }}
    where users.role = 'student'
    group by publications.district_id, student_id
    having
        count(distinct row(coalesce(users.identifier, users.source_id), users.given_name, users.family_name)) > 1
),

-- Addresses that would make one account of several members of staff.
shared_staff_emails as (
    select
        publications.district_id,
        lower(users.email) as staff_email
    from publications
    inner join users on {{ published_in('users') }}
    where {{ person_type('users.role') }} = 'staff'
    group by publications.district_id, staff_email
    having count(distinct row(users.given_name, users.family_name)) > 1
),

records as (
    select
        publications.district_id,
        rosters.school_year,
        rosters.school_source_id,
        rosters.class_source_id,
        rosters.student_source_id,
        {{ assessment_student_id('rosters.student_number', 'rosters.student_source_id') }} as student_id,
        rosters.student_family_name as student_last_name,
        rosters.student_given_name as student_first_name,
        case demographics.sex when 'female' then 'F' when 'male' then 'M' else 'U' end as gender,
        to_char(demographics.birth_date, 'MM/DD/YYYY') as date_of_birth,
        rosters.student_grade,
        case
            when rosters.student_grade in ('KG', 'K') then 'K'
            when rosters.student_grade ~ '^(0?[1-9]|1[0-2])$' then ltrim(rosters.student_grade, '0')
        end as grade_level,
        {{ assessment_flag('demographics.american_indian_or_alaska_native') }} as american_indian_or_alaskan_native,
        {{ assessment_flag('demographics.asian') }} as asian,
        {{ assessment_flag('demographics.black_or_african_american') }} as black_or_african_american,
        {{ assessment_flag('demographics.hispanic_or_latino_ethnicity') }} as hispanic_or_latinx,
        {{ assessment_flag('demographics.native_hawaiian_or_other_pacific_islander') }}
            as native_hawaiian_or_pacific_islander,
        {{ assessment_flag('demographics.white') }} as white,
        'U' as other_race,
        rosters.primary_teacher_source_id is not null as has_teacher,
        rosters.primary_teacher_family_name as staff_last_name,
        rosters.primary_teacher_given_name as staff_first_name,
        rosters.primary_teacher_email as staff_email,
        rosters.school_name as site_name,
        rosters.class_name,
        rosters.class_code,
        array_to_string(rosters.class_periods, ', ') as class_period
    from publications
    inner join rosters on publications.district_id = rosters.district_id
    left join demographics
        on {{ published_in('demographics', beside='rosters') }} and rosters.student_source_id = demographics.source_id
)

select
    records.district_id,
    records.school_year,
    records.school_source_id,
    records.class_source_id,
    records.student_source_id,
    records.student_id,
    records.student_last_name,
    records.student_first_name,
    records.gender,
    records.date_of_birth,
    records.grade_level,
    records.american_indian_or_alaskan_native,
    records.asian,
    records.black_or_african_american,
    records.hispanic_or_latinx,
    records.native_hawaiian_or_pacific_islander,
    records.white,
    records.other_race,
    records.staff_last_name,
    records.staff_first_name,
    records.staff_email,
    records.site_name,
    records.class_name,
    records.class_code,
    records.class_period,
    array_remove(
        array[
            case when shared_student_ids.student_id is not null then 'student id is shared' end,
            case when records.student_last_name is null then 'student has no last name' end,
            case when records.student_first_name is null then 'student has no first name' end,
            case when records.date_of_birth is null then 'student has no birth date' end,
            case
                when records.student_grade is null then 'student has no grade'
                when records.grade_level is null then 'grade has no counterpart'
            end,
            case when not records.has_teacher then 'class has no teacher' end,
            case when records.has_teacher and records.staff_last_name is null then 'teacher has no last name' end,
            case when records.has_teacher and records.staff_first_name is null then 'teacher has no first name' end,
            case
                when records.has_teacher and records.staff_email is null then 'teacher has no e-mail address'
                when records.staff_email !~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'
                    then 'teacher''s e-mail address is malformed'
                when shared_staff_emails.staff_email is not null then 'teacher''s e-mail address is shared'
            end,
            case when records.site_name is null then 'school is unknown' end
        ],
        null
    ) as unbuildable_reasons
from records
left join shared_student_ids
    on records.district_id = shared_student_ids.district_id and records.student_id = shared_student_ids.student_id
left join shared_staff_emails
    on
        records.district_id = shared_staff_emails.district_id
        and lower(records.staff_email) = shared_staff_emails.staff_email
