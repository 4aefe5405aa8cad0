with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

enrollments as not materialized (
    select * from {{ ref('hist_enrollments') }}
),

classes as (
    select * from {{ ref('hist_classes') }}
),

courses as (
    select * from {{ ref('hist_courses') }}
),

organisations as (
    select * from {{ ref('hist_orgs') }}
),

sessions as (
    select * from {{ ref('hist_academic_sessions') }}
),

users as not materialized (
    select * from {{ ref('hist_users') }}
)

select
    publications.district_id,
    classes.school_year,
    classes.school_source_id,
    schools.name as school_name,
    terms.source_id as term_source_id,
    terms.title as term_name,
    classes.course_source_id,
    courses.title as course_name,
    courses.course_code,
    classes.source_id as class_source_id,
    {{ class_name('classes', 'courses', 'teachers') }} as class_name,
    classes.class_code,
    classes.periods as class_periods,
    enrollments.user_source_id as student_source_id,
    students.identifier as student_number,
    students.given_name as student_given_name,
    students.family_name as student_family_name,
    students.grades[1] as student_grade,
    students.email as student_email,
    enrollments.begin_date as enrollment_begin_date,
    enrollments.end_date as enrollment_end_date,
    teachers.source_id as primary_teacher_source_id,
    teachers.given_name as primary_teacher_given_name,
    teachers.family_name as primary_teacher_family_name,
    teachers.email as primary_teacher_email
from publications
inner join classes on {{ published_in('classes') }}
inner join enrollments
    on
        {{ published_in('enrollments') }}
        and classes.school_year = enrollments.school_year
        and classes.source_id = enrollments.class_source_id
inner join users as students
    on {{ published_in('students') }} and enrollments.user_source_id = students.source_id
left join organisations as schools
    on {{ published_in('schools', beside='classes') }} and classes.school_source_id = schools.source_id
left join courses
    on {{ published_in('courses', beside='classes') }} and classes.course_source_id = courses.source_id
left join lateral (
    -- The class's term that contains the effective date, else the first it names.
    select
        sessions.source_id,
        sessions.title
    from unnest(classes.term_source_ids) with ordinality as term (source_id, place)
    inner join sessions
        on
            {{ published_in('sessions', beside='classes') }}
            and classes.school_year = sessions.school_year
            and term.source_id = sessions.source_id
    order by
        publications.effective_date between sessions.start_date and sessions.end_date desc nulls last,
        term.place asc
    limit 1
) as terms on true
left join lateral ({{ primary_teaching('classes') }}) as primary_teaching on true
left join users as teachers
    on {{ published_in('teachers', beside='classes') }} and primary_teaching.user_source_id = teachers.source_id
where
    enrollments.role = 'student'
    and {{ is_active('enrollments') }}
    -- Of two enrollments of a student in one class, the first by id stands for both.
    and not exists (
        select
        from enrollments as doubles
        where
            {{ published_in('doubles', beside='enrollments') }}
            and doubles.school_year = enrollments.school_year
            and doubles.class_source_id = enrollments.class_source_id
            and doubles.user_source_id = enrollments.user_source_id
            and doubles.source_id < enrollments.source_id
            and doubles.role = 'student'
            and {{ is_active('doubles') }}
    )
