{# The sequences that the running build gives its districts, with their nights, as a relation to select from: what a
   model that works something out from other history is asked for. #}
{% macro nights_in_build() -%}
    select
        district_id,
        sequence,
        service_date as night
    from {{ source('rollcall', 'current_build') }}
{%- endmacro %}


{# Whether the running build is the first of all its districts: then nothing but what there is has to be looked at. #}
{% macro is_first_build() -%}
    {%- set later = deliveries_in_build() | rejectattr('sequence', 'equalto', 1) | list -%}
    {{ return(not later) }}
{%- endmacro %}


{# The records of a history model, by a CTE's name, that begin or end a version with a sequence of `publications`. Apart,
   so that the indexes of what did not come with a first load, and of what has ended, are of use. #}
{% macro touched(versions, columns, condition='true') -%}
    select distinct {{ columns }}
    from publications
    inner join {{ versions }} as version on publications.district_id = version.district_id
    where {{ condition }} and version.valid_from_seq = publications.sequence and version.valid_from_seq > 1
    union
    select distinct {{ columns }}
    from publications
    inner join {{ versions }} as version on publications.district_id = version.district_id
    where {{ condition }} and version.valid_from_seq = 1 and publications.sequence = 1
    union
    select distinct {{ columns }}
    from publications
    inner join {{ versions }} as version on publications.district_id = version.district_id
    where {{ condition }} and version.valid_to_seq = publications.sequence
{%- endmacro %}


{# What the marts say of each class, worked out once: with its names, its term and the one teacher who stands for it, from
   which day to which they are these. Of the classes that a sequence touches, in whatever way, of all (`whole`), or of those
   in a table (`units`); one that is not there any more has a row without a day.

   Where several terms or teachers compete, the days on which one of them begins or has ended part the year. Whether an
   end date is the last day is the habit of the publication that reads it: where it matters, there are rows for either. #}
{% macro class_details(sequences, whole=false, units=none) -%}
with

publications as (
    {{ sequences }}
),

classes as not materialized (
    select * from {{ ref('hist_classes') }}
),

courses as not materialized (
    select * from {{ ref('hist_courses') }}
),

organisations as not materialized (
    select * from {{ ref('hist_orgs') }}
),

sessions as not materialized (
    select * from {{ ref('hist_academic_sessions') }}
),

users as not materialized (
    select * from {{ ref('hist_users') }}
),

enrollments as not materialized (
    select * from {{ ref('hist_enrollments') }}
),

affected as (
    {%- if units %}
    select
        district_id,
        school_year,
        source_id
    from {{ units }}
    {%- elif whole %}
    select
        classes.district_id,
        classes.school_year,
        classes.source_id
    from publications
    inner join classes on {{ published_in('classes') }}
    {%- else %}
    select
        district_id,
        school_year,
        source_id
    from ({{ touched('classes', 'version.district_id, version.school_year, version.source_id') }}) as of_itself
    union
    select
        classes.district_id,
        classes.school_year,
        classes.source_id
    from publications
    inner join classes on {{ published_in('classes') }}
    inner join ({{ touched('courses', 'version.district_id, version.source_id') }}) as of_course
        on classes.district_id = of_course.district_id and classes.course_source_id = of_course.source_id
    union
    select
        classes.district_id,
        classes.school_year,
        classes.source_id
    from publications
    inner join classes on {{ published_in('classes') }}
    inner join ({{ touched('organisations', 'version.district_id, version.source_id') }}) as of_school
        on classes.district_id = of_school.district_id and classes.school_source_id = of_school.source_id
    union
    select
        classes.district_id,
        classes.school_year,
        classes.source_id
    from publications
    inner join classes on {{ published_in('classes') }}
    inner join ({{ touched('sessions', 'version.district_id, version.school_year, version.source_id') }}) as of_term
        on
            classes.district_id = of_term.district_id
            and classes.school_year = of_term.school_year
            and of_term.source_id = any(classes.term_source_ids)
    union
    select
        district_id,
        school_year,
        class_source_id
    from (
        {{ touched(
            'enrollments',
            'version.district_id, version.school_year, version.class_source_id',
            "version.role = 'teacher'"
        ) }}
    ) as of_teaching
    union
    select
        enrollments.district_id,
        enrollments.school_year,
        enrollments.class_source_id
    from publications
    inner join enrollments on {{ published_in('enrollments') }}
    inner join (
        {{ touched('users', 'version.district_id, version.source_id', "version.role is distinct from 'student'") }}
    ) as of_teacher
        on enrollments.district_id = of_teacher.district_id and enrollments.user_source_id = of_teacher.source_id
    where enrollments.role = 'teacher'
    {%- endif %}
),

teachings as (
    select
        affected.district_id,
        affected.school_year,
        affected.source_id,
        enrollments.source_id as enrollment_source_id,
        enrollments.user_source_id,
        enrollments.is_primary,
        enrollments.begin_date,
        enrollments.end_date
    from affected
    inner join publications on affected.district_id = publications.district_id
    inner join enrollments
        on
            {{ published_in('enrollments') }}
            and affected.school_year = enrollments.school_year
            and affected.source_id = enrollments.class_source_id
    where enrollments.role = 'teacher'
),

terms as (
    select
        affected.district_id,
        affected.school_year,
        affected.source_id,
        term.place,
        sessions.source_id as term_source_id,
        sessions.title,
        sessions.start_date,
        sessions.end_date
    from affected
    inner join publications on affected.district_id = publications.district_id
    inner join classes
        on
            {{ published_in('classes') }}
            and affected.school_year = classes.school_year
            and affected.source_id = classes.source_id
    cross join lateral unnest(classes.term_source_ids) with ordinality as term (source_id, place)
    inner join sessions
        on
            {{ published_in('sessions') }}
            and affected.school_year = sessions.school_year
            and term.source_id = sessions.source_id
),

contested_terms as (
    select
        district_id,
        school_year,
        source_id
    from terms
    group by district_id, school_year, source_id
    having count(*) > 1
),

contested_teachings as (
    select
        district_id,
        school_year,
        source_id,
        count(end_date) > 0 as depends_on_habit
    from teachings
    group by district_id, school_year, source_id
    having count(*) > 1
),

choices as (
    select
        affected.district_id,
        affected.school_year,
        affected.source_id,
        habit.enrollment_end_date
    from affected
    left join contested_teachings using (district_id, school_year, source_id)
    cross join
        lateral unnest(
            case when contested_teachings.depends_on_habit then array['exclusive', 'inclusive'] else array['any'] end
        ) as habit (enrollment_end_date)
),

days as (
    select
        *,
        '-infinity'::date as counts_from
    from choices
    union
    select
        choices.*,
        day.counts_from
    from contested_terms
    inner join choices using (district_id, school_year, source_id)
    inner join terms using (district_id, school_year, source_id)
    cross join lateral unnest(array[terms.start_date, terms.end_date + 1]) as day (counts_from)
    where day.counts_from is not null
    union
    select
        choices.*,
        day.counts_from
    from contested_teachings
    inner join choices using (district_id, school_year, source_id)
    inner join teachings using (district_id, school_year, source_id)
    cross join
        lateral unnest(
            array[teachings.begin_date, teachings.end_date + (choices.enrollment_end_date = 'inclusive')::integer]
        ) as day (counts_from)
    where day.counts_from is not null
),

-- The class's term that contains the day, else the first it names.
chosen_terms as (
    select distinct on (days.district_id, days.school_year, days.source_id, days.enrollment_end_date, days.counts_from)
        days.*,
        terms.term_source_id,
        terms.title as term_name
    from days
    inner join terms using (district_id, school_year, source_id)
    order by
        days.district_id,
        days.school_year,
        days.source_id,
        days.enrollment_end_date,
        days.counts_from,
        days.counts_from between terms.start_date and terms.end_date desc nulls last,
        terms.place
),

-- Those active on the day before others, then the one marked primary, then the first by enrollment id.
chosen_teachers as (
    select distinct on (days.district_id, days.school_year, days.source_id, days.enrollment_end_date, days.counts_from)
        days.*,
        teachings.user_source_id
    from days
    inner join teachings using (district_id, school_year, source_id)
    order by
        days.district_id,
        days.school_year,
        days.source_id,
        days.enrollment_end_date,
        days.counts_from,
        coalesce(teachings.begin_date <= days.counts_from, true)
        and coalesce(teachings.end_date + (days.enrollment_end_date = 'inclusive')::integer > days.counts_from, true)
        desc,
        teachings.is_primary desc nulls last,
        teachings.enrollment_source_id
),

chosen as (
    select
        days.*,
        chosen_terms.term_source_id,
        chosen_terms.term_name,
        chosen_teachers.user_source_id,
        lag(chosen_terms.term_source_id) over day_by_day as former_term_source_id,
        lag(chosen_teachers.user_source_id) over day_by_day as former_user_source_id
    from days
    left join chosen_terms using (district_id, school_year, source_id, enrollment_end_date, counts_from)
    left join chosen_teachers using (district_id, school_year, source_id, enrollment_end_date, counts_from)
    window day_by_day as (
        partition by days.district_id, days.school_year, days.source_id, days.enrollment_end_date
        order by days.counts_from
    )
)

select
    publications.district_id,
    chosen.school_year,
    chosen.source_id,
    publications.sequence,
    publications.night,
    classes.source_id is not null as is_there,
    chosen.enrollment_end_date,
    chosen.counts_from,
    lead(chosen.counts_from, 1, 'infinity') over (
        partition by chosen.district_id, chosen.school_year, chosen.source_id, chosen.enrollment_end_date
        order by chosen.counts_from
    ) as counts_until,
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
    courses.course_code,
    classes.term_source_ids,
    chosen.term_source_id,
    chosen.term_name,
    teachers.source_id as primary_teacher_source_id,
    teachers.given_name as primary_teacher_given_name,
    teachers.family_name as primary_teacher_family_name,
    teachers.email as primary_teacher_email
from publications
inner join chosen on publications.district_id = chosen.district_id
left join classes
    on
        {{ published_in('classes') }}
        and chosen.school_year = classes.school_year
        and chosen.source_id = classes.source_id
left join courses
    on {{ published_in('courses', beside='classes') }} and classes.course_source_id = courses.source_id
left join organisations as schools
    on {{ published_in('schools', beside='classes') }} and classes.school_source_id = schools.source_id
left join users as teachers
    on {{ published_in('teachers', beside='chosen') }} and chosen.user_source_id = teachers.source_id
where
    chosen.counts_from = '-infinity'
    or chosen.term_source_id is distinct from chosen.former_term_source_id
    or chosen.user_source_id is distinct from chosen.former_user_source_id
{%- endmacro %}


{# A script that brings the details of the classes in one table to the sequence in another one: what a build does, for
   those who work some classes out once more, sequence by sequence. #}
{% macro class_details_anew(nights, units) -%}
    {%- set node = graph.nodes['model.' ~ project_name ~ '.hist_class_details'] -%}
    {%- set history = api.Relation.create(database=node.database, schema=node.schema, identifier=node.name) -%}
    {{ wanted_rows(node, class_details('select * from ' ~ nights, units=units)) }};
    {{ worked_out_changes(history, node) }}
{%- endmacro %}


{# Pairs of enrollments of one student in one class: the first by id stands for both on the days on which it counts. Of
   the places that a sequence touches, or of all (`whole`). A pair that was open and is touched has a row to say so. #}
{% macro doubles(sequences, whole=false) -%}
with

publications as (
    {{ sequences }}
),

enrollments as not materialized (
    select * from {{ ref('hist_enrollments') }}
),

touched as (
    {{ touched(
        'enrollments',
        'version.district_id, version.school_year, version.class_source_id, version.user_source_id',
        "version.role = 'student' and publications.sequence > 1"
    ) }}
),

shared as (
    select
        enrollments.district_id,
        enrollments.school_year,
        enrollments.class_source_id,
        enrollments.user_source_id
    from publications
    inner join enrollments on {{ published_in('enrollments') }}
    where enrollments.role = 'student' {{ 'and publications.sequence = 1' if not whole }}
    group by
        enrollments.district_id, enrollments.school_year, enrollments.class_source_id, enrollments.user_source_id
    having count(*) > 1
    {%- if not whole %}
    union all
    select * from touched
    {%- endif %}
)

select
    enrollments.district_id,
    enrollments.school_year,
    enrollments.source_id,
    publications.sequence,
    publications.night,
    true as is_there,
    doubles.source_id as double_source_id,
    enrollments.class_source_id,
    enrollments.user_source_id,
    doubles.begin_date,
    doubles.end_date
from publications
inner join shared on publications.district_id = shared.district_id
inner join enrollments
    on
        {{ published_in('enrollments') }}
        and shared.school_year = enrollments.school_year
        and shared.class_source_id = enrollments.class_source_id
        and shared.user_source_id = enrollments.user_source_id
inner join enrollments as doubles
    on
        {{ published_in('doubles', beside='shared') }}
        and shared.school_year = doubles.school_year
        and shared.class_source_id = doubles.class_source_id
        and shared.user_source_id = doubles.user_source_id
        and enrollments.source_id > doubles.source_id
where enrollments.role = 'student' and doubles.role = 'student'
{%- if not whole %}
union all
select
    paired.district_id,
    paired.school_year,
    paired.source_id,
    publications.sequence,
    publications.night,
    false as is_there,
    paired.double_source_id,
    paired.class_source_id,
    paired.user_source_id,
    paired.begin_date,
    paired.end_date
from publications
inner join {{ this }} as paired on publications.district_id = paired.district_id
inner join touched
    on
        paired.district_id = touched.district_id
        and paired.school_year = touched.school_year
        and paired.class_source_id = touched.class_source_id
        and paired.user_source_id = touched.user_source_id
where paired.valid_to_seq is null
{%- endif %}
{%- endmacro %}
