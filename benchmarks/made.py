"""A warehouse with many enrollments and some nights of history, made in SQL: readers need no delivery."""

from collections.abc import Mapping

import psycopg

from benchmarks.stack import BenchStack

CHANGED_NIGHTS = 4
"""How many nights after the first have changes; each ends and begins half a percent of the enrollments and students."""

UNCHANGED_NIGHTS = 50
"""How many nights come after those, on which the district sends nothing new."""

_LEDGER = """
with made as (
    insert into rollcall.delivery (
        district_id, service_date, run_id, state, accepted_at, decided_at, published_at, accepted_sequence
    )
    select
        %(district)s, date '2026-10-01' + night - 1, 'made ' || night, 'published', now(), now(), now(), night
    from generate_series(1, %(nights)s) as night
    returning district_id, accepted_sequence, delivery_id, service_date
)

insert into rollcall.publication_event (district_id, sequence, delivery_id, effective_date, published_at)
select district_id, accepted_sequence, delivery_id, service_date, now() from made order by accepted_sequence;

insert into rollcall.publication_event (district_id, sequence, delivery_id, effective_date, published_at)
select event.district_id, event.sequence, event.delivery_id, event.effective_date + night, now()
from rollcall.publication_event as event
cross join generate_series(1, %(unchanged)s) as night
where event.district_id = %(district)s and event.sequence = %(nights)s
order by night;

insert into rollcall.change_count (delivery_id, entity, added, changed, removed, kept)
select
    delivery_id,
    'enrollments',
    case accepted_sequence when 1 then %(students)s * 7 else %(students)s / 20 end,
    0,
    0,
    0
from rollcall.delivery
where district_id = %(district)s;

insert into rollcall.history_to_fill (model, district_id, sequence)
select distinct model.name, %(district)s, event.sequence
from rollcall.publication_event as event
cross join unnest(array['hist_class_details', 'hist_doubles']) as model (name)
where event.district_id = %(district)s;

insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)
select distinct on (district_id) district_id, sequence, delivery_id, effective_date, published_at
from rollcall.publication_event
where district_id = %(district)s
order by district_id, publication_event_id desc
"""

# A tenth of the schools has more than twice the students of the others' mean.
_SCHOOLS = """
create temporary table school as
select
    number,
    'school-' || number as school,
    case number %% 10 when 0 then 1600 when 1 then 1300 when 2 then 1000 else 400 + number %% 7 * 60 end as size,
    0::bigint as past
from generate_series(1, 1 + %(students)s / 690) as number;
update school set past = summed.past
from (select number, sum(size) over (order by number) as past from school) as summed
where school.number = summed.number;

insert into history.hist_orgs (district_id, source_id, valid_from_seq, row_hash, name, type, parent_source_id)
select %(district)s, 'district', 1, gen_random_uuid(), 'The district', 'district', null
union all
select %(district)s, school, 1, gen_random_uuid(), 'School number ' || number, 'school', 'district' from school;

insert into history.hist_academic_sessions (
    district_id, school_year, source_id, valid_from_seq, row_hash, title, type, start_date, end_date
)
values
(%(district)s, 2027, 'Y', 1, gen_random_uuid(), '2026-2027', 'schoolYear', '2026-08-15', '2027-06-10'),
(%(district)s, 2027, 'F', 1, gen_random_uuid(), 'Fall', 'semester', '2026-08-15', '2026-12-20'),
(%(district)s, 2027, 'S', 1, gen_random_uuid(), 'Spring', 'semester', '2027-01-05', '2027-06-10');

insert into history.hist_courses (district_id, source_id, valid_from_seq, row_hash, title, course_code, org_source_id)
select %(district)s, 'course-' || number, 1, gen_random_uuid(), 'Course number ' || number, 'C' || number, 'district'
from generate_series(0, 999) as number
"""

_CLASSES = """
create temporary table class as
select
    school.number as school_number,
    school.school,
    section.number,
    school.number || '-' || section.number as class
from school
cross join lateral generate_series(1, school.size * 73 / 270) as section (number);

insert into history.hist_classes (
    district_id, school_year, source_id, valid_from_seq, row_hash, title, class_code, class_type, course_source_id,
    school_source_id, term_source_ids, grades, periods
)
select
    %(district)s,
    2027,
    class,
    1,
    gen_random_uuid(),
    case when number %% 3 = 0 then 'Section ' || number end,
    lpad(number::text, 5, '0'),
    'scheduled',
    'course-' || (school_number * 31 + number) %% 1000,
    school,
    case number %% 10 when 0 then '{F,S}' when 1 then '{F}' when 2 then '{F}' else '{Y}' end::text[],
    array[lpad((1 + number %% 12)::text, 2, '0')],
    array[(1 + number %% 7)::text]
from class
"""

_PEOPLE = """
create temporary table student as
select
    series.number,
    'S' || lpad(series.number::text, 7, '0') as student,
    school.number as school_number,
    school.school,
    school.size
from school
cross join lateral generate_series(school.past - school.size + 1, least(school.past, %(students)s)) as series (number);

insert into history.hist_users (
    district_id, source_id, valid_from_seq, row_hash, is_enabled, role, username, given_name, family_name, identifier,
    email, org_source_ids, grades
)
select
    %(district)s, student, 1, gen_random_uuid(), true, 'student', 'user' || number, 'Given' || number %% 997,
    'Family' || number %% 9973, number::text, 'student' || number || '@example.org', array[school],
    array[lpad((1 + number %% 12)::text, 2, '0')]
from student
union all
select
    %(district)s, 'T' || class, 1, gen_random_uuid(), true, 'teacher', 't' || class, 'Given' || number %% 997,
    'Family' || (school_number * 7 + number) %% 9973, class, 't' || class || '@example.org', array[school], null
from class
where number %% 5 = 1;

insert into history.hist_demographics (district_id, source_id, valid_from_seq, row_hash, birth_date, sex)
select
    %(district)s, student, 1, gen_random_uuid(), date '2010-01-01' + (number %% 4000)::integer,
    case number %% 2 when 0 then 'female' else 'male' end
from student
"""

# A student has seven or eight classes: one of the next grade, the others of the own, each of which has a twelfth of the
# school's. One place in twenty has ended, one in three hundred was left and taken again.
_ENROLLMENTS = """
insert into history.hist_enrollments (
    district_id, school_year, source_id, valid_from_seq, row_hash, class_source_id, school_source_id, user_source_id,
    role, is_primary, begin_date, end_date
)
select
    %(district)s,
    2027,
    'E' || place.number || copy.suffix,
    1,
    gen_random_uuid(),
    student.school_number || '-' || place.class,
    student.school,
    student.student,
    'student',
    null,
    case copy.suffix when 'b' then date '2026-09-15' else date '2026-08-15' end,
    case
        when copy.suffix = 'a' and place.number %% 20 = 0 then date '2026-09-20'
        when copy.suffix = 'a' and place.number %% 300 = 1 then date '2026-09-15'
        else date '2027-06-10'
    end
from student
cross join lateral (
    select
        student.number * 10 + period as number,
        1 + (student.number + (period = 7)::integer) %% 12 * grade.classes
        + (student.number / 12 + period * grade.classes / 8) %% grade.classes as class
    from (select student.size * 73 / 270 / 12 as classes) as grade
    cross join generate_series(1, 7 + (student.number %% 4 = 0)::integer) as period
) as place
cross join lateral (
    select 'a' as suffix
    union all
    select 'b' where place.number %% 300 = 1
) as copy
union all
select
    %(district)s, 2027, 'L' || class.class || '-' || teacher.place, 1, gen_random_uuid(), class.class, class.school,
    'T' || class.school_number || '-' || (class.number - 1) / 5 * 5 + 1, 'teacher', teacher.place = 1, '2026-08-15',
    case when class.number %% 50 = 0 and teacher.place = 1 then date '2026-09-30' end
from class
cross join lateral generate_series(1, 1 + (class.number %% 10 = 0)::integer) as teacher (place)
"""

# Of every two hundred records one changes: another in each night.
_CHANGE = """
with ended as (
    update history.hist_{table} set valid_to_seq = %(sequence)s, end_reason = 'changed', ended_on = '2026-10-01'
    where
        district_id = %(district)s
        and valid_to_seq is null
        and role = 'student'
        and hashtext(source_id) & 16383 between %(sequence)s * 82 and %(sequence)s * 82 + 81
    returning {columns}
)

insert into history.hist_{table} ({columns}, valid_from_seq, row_hash, {changed})
select {columns}, %(sequence)s, gen_random_uuid(), {to} from ended
"""

_CHANGES = {
    "enrollments": (
        "district_id, school_year, source_id, class_source_id, school_source_id, user_source_id, role, is_primary,"
        " begin_date",
        "end_date",
        "date '2027-06-11'",
    ),
    "users": (
        "district_id, source_id, is_enabled, role, username, given_name, family_name, identifier, org_source_ids,"
        " grades",
        "email",
        "'changed@example.org'",
    ),
}


def make_district(stack: BenchStack, district_id: str, students: int) -> None:
    """Fill a district's history and publish it, as if its deliveries had been conformed.

    Args:
        stack: A stack whose warehouse is deployed.
        district_id: The district, which nobody knows yet.
        students: How many it has; 7.25 times as many places in classes.
    """
    values: dict[str, object] = {
        "district": district_id,
        "students": students,
        "nights": 1 + CHANGED_NIGHTS,
        "unchanged": UNCHANGED_NIGHTS,
    }
    with psycopg.connect(stack.url) as connection:
        connection.execute("set local role rollcall_dbt")
        connection.execute("set local work_mem = '256MB'")
        for script in (_SCHOOLS, _CLASSES, _PEOPLE, _ENROLLMENTS):
            _run(connection, script, values)
        for sequence in range(2, 2 + CHANGED_NIGHTS):
            for table, (columns, changed, to) in _CHANGES.items():
                statement = _CHANGE.format(table=table, columns=columns, changed=changed, to=to)
                _run(connection, statement, values | {"sequence": sequence})
        connection.execute("drop table school, class, student")
        connection.execute("reset role")
        connection.execute("insert into rollcall.district values (%s, %s)", (district_id, f"District {district_id}"))
        _run(connection, _LEDGER, values)


def _run(connection: "psycopg.Connection[tuple[object, ...]]", script: str, values: Mapping[str, object]) -> None:
    """Run a script of several statements with values in them."""
    psycopg.ClientCursor(connection).execute(script, values)
