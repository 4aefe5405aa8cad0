with

publications as (
    select * from {{ source('rollcall', 'published') }}
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

users as (
    select * from {{ ref('hist_users') }}
),

enrollments as (
    select * from {{ ref('hist_enrollments') }}
)

select
    publications.district_id,
    classes.school_year,
    classes.source_id,
    {{ class_name('classes', 'courses', 'teachers') }} as class_name,
    classes.title as class_title,
    classes.class_code,
    classes.class_type,
    classes.location,
    classes.periods,
    classes.grades,
    classes.subjects,
    classes.subject_codes,
    classes.school_source_id,
    schools.name as school_name,
    classes.course_source_id,
    courses.title as course_name,
    classes.term_source_ids,
    teachers.source_id as primary_teacher_source_id,
    teachers.given_name as primary_teacher_given_name,
    teachers.family_name as primary_teacher_family_name
from publications
inner join classes on {{ published_in('classes') }}
left join courses
    on {{ published_in('courses', beside='classes') }} and classes.course_source_id = courses.source_id
left join organisations as schools
    on {{ published_in('schools', beside='classes') }} and classes.school_source_id = schools.source_id
left join lateral ({{ primary_teaching('classes') }}) as primary_teaching on true
left join users as teachers
    on {{ published_in('teachers', beside='classes') }} and primary_teaching.user_source_id = teachers.source_id
