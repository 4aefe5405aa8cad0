with

enrollments as (
    {{ published(ref('hist_enrollments')) }}
),

classes as not materialized (
    {{ published(ref('hist_classes')) }}
),

courses as (
    {{ published(ref('hist_courses')) }}
),

organisations as (
    {{ published(ref('hist_orgs')) }}
),

sessions as (
    {{ published(ref('hist_academic_sessions')) }}
),

students as (
    {{ published(ref('hist_users')) }}
),

teachers as (
    {{ published(ref('hist_users')) }}
),

districts as (
    select * from {{ source('rollcall', 'district') }}
),

-- Two enrollments of a student in one class are one row; the class decides the school.
student_classes as (
    select
        classes.district_id,
        classes.school_source_id,
        classes.school_year,
        classes.source_id as class_source_id,
        enrollments.user_source_id as student_source_id,
        min(enrollments.begin_date) as begin_date,
        nullif(max(coalesce(enrollments.end_date, 'infinity')), 'infinity') as end_date
    from classes
    inner join enrollments
        on
            classes.district_id = enrollments.district_id
            and classes.school_year = enrollments.school_year
            and classes.source_id = enrollments.class_source_id
    inner join districts on enrollments.district_id = districts.district_id
    where enrollments.role = 'student' and {{ is_active('enrollments', 'districts') }}
    group by
        classes.district_id,
        classes.school_source_id,
        classes.school_year,
        classes.source_id,
        enrollments.user_source_id
)

select
    student_classes.district_id,
    student_classes.school_year,
    student_classes.school_source_id,
    schools.name as school_name,
    terms.source_id as term_source_id,
    terms.title as term_name,
    classes.course_source_id,
    courses.title as course_name,
    courses.course_code,
    student_classes.class_source_id,
    {{ class_name('classes', 'courses', 'teachers') }} as class_name,
    classes.class_code,
    classes.periods as class_periods,
    student_classes.student_source_id,
    students.identifier as student_number,
    students.given_name as student_given_name,
    students.family_name as student_family_name,
    students.grades[1] as student_grade,
    students.email as student_email,
    student_classes.begin_date as enrollment_begin_date,
    student_classes.end_date as enrollment_end_date,
    teachers.source_id as primary_teacher_source_id,
    teachers.given_name as primary_teacher_given_name,
    teachers.family_name as primary_teacher_family_name,
    teachers.email as primary_teacher_email
from student_classes
inner join classes
    on
        student_classes.district_id = classes.district_id
        and student_classes.school_year = classes.school_year
        and student_classes.class_source_id = classes.source_id
inner join students
    on
        student_classes.district_id = students.district_id
        and student_classes.student_source_id = students.source_id
left join organisations as schools
    on classes.district_id = schools.district_id and classes.school_source_id = schools.source_id
left join courses
    on classes.district_id = courses.district_id and classes.course_source_id = courses.source_id
left join lateral (
    -- The class's term that contains the effective date, else the first it names.
    select
        sessions.source_id,
        sessions.title
    from unnest(classes.term_source_ids) with ordinality as term (source_id, place)
    inner join sessions
        on
            term.source_id = sessions.source_id
            and classes.district_id = sessions.district_id
            and classes.school_year = sessions.school_year
    order by classes.effective_date between sessions.start_date and sessions.end_date desc nulls last, term.place
    limit 1
) as terms on true
left join lateral ({{ primary_teaching('classes') }}) as primary_teaching on true
left join teachers
    on classes.district_id = teachers.district_id and primary_teaching.user_source_id = teachers.source_id
