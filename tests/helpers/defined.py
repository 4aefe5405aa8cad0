"""The definition of `roster.roster` and `roster.dim_class` in one query each, asked of what districts sent.

The marts read what conform has worked out from it (`hist_class_details`, `hist_doubles`); this is what that is.
"""

from typing import Any

import psycopg

_VALID = """
    {0}.district_id = publications.district_id
    and {0}.valid_from_seq <= publications.sequence
    and coalesce(publications.sequence < {0}.valid_to_seq, true)
"""

_ACTIVE = """
    coalesce({0}.begin_date <= publications.effective_date, true)
    and coalesce(
        {0}.end_date + (publications.enrollment_end_date = 'inclusive')::integer > publications.effective_date, true
    )
"""


def _valid(version: str) -> str:
    return _VALID.format(version)


def _active(enrollment: str) -> str:
    return _ACTIVE.format(enrollment)


_CLASSES = f"""
    select
        publications.district_id,
        classes.school_year,
        classes.source_id,
        coalesce(
            classes.title, courses.title, teachers.family_name || '''s class', classes.class_code, classes.source_id
        ) as class_name,
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
    from rollcall.published as publications
    inner join history.hist_classes as classes on {_valid("classes")}
    left join history.hist_courses as courses on {_valid("courses")} and courses.source_id = classes.course_source_id
    left join history.hist_orgs as schools on {_valid("schools")} and schools.source_id = classes.school_source_id
    left join lateral (
        select teachings.user_source_id
        from history.hist_enrollments as teachings
        where
            {_valid("teachings")}
            and teachings.role = 'teacher'
            and teachings.school_year = classes.school_year
            and teachings.class_source_id = classes.source_id
        order by {_active("teachings")} desc, teachings.is_primary desc nulls last, teachings.source_id
        limit 1
    ) as teaching on true
    left join history.hist_users as teachers on {_valid("teachers")} and teachers.source_id = teaching.user_source_id
"""

_ROSTER = f"""
    select
        publications.district_id,
        details.school_year,
        details.school_source_id,
        details.school_name,
        terms.source_id as term_source_id,
        terms.title as term_name,
        details.course_source_id,
        details.course_name,
        courses.course_code,
        details.source_id as class_source_id,
        details.class_name,
        details.class_code,
        details.periods as class_periods,
        enrollments.user_source_id as student_source_id,
        students.identifier as student_number,
        students.given_name as student_given_name,
        students.family_name as student_family_name,
        students.grades[1] as student_grade,
        students.email as student_email,
        enrollments.begin_date as enrollment_begin_date,
        enrollments.end_date as enrollment_end_date,
        details.primary_teacher_source_id,
        details.primary_teacher_given_name,
        details.primary_teacher_family_name,
        teachers.email as primary_teacher_email
    from rollcall.published as publications
    inner join ({_CLASSES}) as details on details.district_id = publications.district_id
    inner join history.hist_enrollments as enrollments
        on
            {_valid("enrollments")}
            and enrollments.school_year = details.school_year
            and enrollments.class_source_id = details.source_id
    inner join history.hist_users as students
        on {_valid("students")} and students.source_id = enrollments.user_source_id
    left join history.hist_courses as courses on {_valid("courses")} and courses.source_id = details.course_source_id
    left join history.hist_users as teachers
        on {_valid("teachers")} and teachers.source_id = details.primary_teacher_source_id
    left join lateral (
        select
            sessions.source_id,
            sessions.title
        from unnest(details.term_source_ids) with ordinality as term (source_id, place)
        inner join history.hist_academic_sessions as sessions
            on
                {_valid("sessions")}
                and sessions.school_year = details.school_year
                and sessions.source_id = term.source_id
        order by
            publications.effective_date between sessions.start_date and sessions.end_date desc nulls last, term.place
        limit 1
    ) as terms on true
    where
        enrollments.role = 'student'
        and {_active("enrollments")}
        and not exists (
            select
            from history.hist_enrollments as doubles
            where
                {_valid("doubles")}
                and doubles.role = 'student'
                and doubles.school_year = enrollments.school_year
                and doubles.class_source_id = enrollments.class_source_id
                and doubles.user_source_id = enrollments.user_source_id
                and doubles.source_id < enrollments.source_id
                and {_active("doubles")}
        )
"""

DEFINITIONS = {"roster.dim_class": _CLASSES, "roster.roster": _ROSTER}

NIGHTS = "select distinct effective_date from rollcall.publication_event where night_correction_id is null order by 1"


def differences(connection: "psycopg.Connection[Any]") -> dict[str, tuple[int, int]]:
    """How many rows a mart lacks, and has too many, by the definition, now and on each night.

    Args:
        connection: A connection that may read history and the marts; its setting ``roster.as_of`` is reset.

    Returns:
        Per mart and night where they differ, how many; empty where nothing does.
    """
    found: dict[str, tuple[int, int]] = {}
    nights = [str(night) for (night,) in connection.execute(NIGHTS).fetchall()]
    for night in ("", *nights):
        connection.execute("select set_config('roster.as_of', %s, false)", [night])
        for mart, definition in DEFINITIONS.items():
            (counted,) = connection.execute(
                f"with shown as (select * from {mart}), defined as ({definition}) select"
                " (select count(*) from (select * from defined except all select * from shown) as lacking),"
                " (select count(*) from (select * from shown except all select * from defined) as surplus)"
            ).fetchall()
            if counted != (0, 0):
                found[f"{mart} as of {night or 'now'}"] = counted
    connection.execute("reset roster.as_of")
    return found
