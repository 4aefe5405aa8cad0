with

publications as not materialized (
    select * from {{ source('rollcall', 'published') }}
),

class_details as (
    select * from {{ ref('hist_class_details') }}
),

enrollments as (
    select * from {{ ref('hist_enrollments') }}
),

doubles as (
    select * from {{ ref('hist_doubles') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

-- Most doubles are over. Those of the night alone are so few that looking for each place among them costs little.
doubles_of_the_day as (
    select
        doubles.district_id,
        doubles.school_year,
        doubles.source_id
    from publications
    inner join doubles on {{ published_in('doubles') }}
    where {{ is_active('doubles') }}
)

select
    publications.district_id,
    classes.school_year,
    classes.school_source_id,
    classes.school_name,
    classes.term_source_id,
    classes.term_name,
    classes.course_source_id,
    classes.course_name,
    classes.course_code,
    classes.source_id as class_source_id,
    classes.class_name,
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
    classes.primary_teacher_source_id,
    classes.primary_teacher_given_name,
    classes.primary_teacher_family_name,
    classes.primary_teacher_email
from publications
inner join class_details as classes on {{ details_of_the_day('classes') }}
inner join enrollments
    on
        {{ published_in('enrollments') }}
        and classes.school_year = enrollments.school_year
        and classes.source_id = enrollments.class_source_id
inner join users as students
    on {{ published_in('students') }} and enrollments.user_source_id = students.source_id
where
    enrollments.role = 'student'
    and {{ is_active('enrollments') }}
    -- Of two enrollments of a student in one class, the first by id stands for both.
    and not exists (
        select
        from doubles_of_the_day
        where
            enrollments.district_id = doubles_of_the_day.district_id
            and enrollments.school_year = doubles_of_the_day.school_year
            and enrollments.source_id = doubles_of_the_day.source_id
    )
