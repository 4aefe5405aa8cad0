{# The published versions of one history model, with the night that the publication stands for: for a mart that reads
   nothing else. #}
{% macro published(relation) -%}
    select
        version.*,
        publications.effective_date
    from {{ relation }} as version
    inner join {{ source('rollcall', 'published') }} as publications on {{ published_in('version') }}
{%- endmacro %}


{# The condition that a version of a history model, by its alias, belongs to the publication in `publications`: for a
   mart that joins several models, and should ask the pointer once. `beside` is the alias that the version is joined to
   by an id, where that is not `publications` itself: in an outer or anti join PostgreSQL looks rows up by the columns of
   that one alone.

   The second line says `valid_from_seq <= sequence`. PostgreSQL takes every such comparison of two columns for one
   that lets a third of the rows through; over the models of a mart that adds up to plans for a hundredth of the rows.
   Of `<>` it knows that nearly all pass, which here is the truth. #}
{% macro published_in(version, beside='publications') -%}
    {{ beside }}.district_id = {{ version }}.district_id
    and greatest({{ version }}.valid_from_seq, publications.sequence + 1) <> {{ version }}.valid_from_seq
    and ({{ version }}.valid_to_seq is null or publications.sequence < {{ version }}.valid_to_seq)
{%- endmacro %}


{# Whether an enrollment counts on the effective date of `publications`. Its begin is the first day; whether its end is
   the last day or the day after it is the habit of the district. #}
{% macro is_active(enrollment) -%}
    (
        coalesce({{ enrollment }}.begin_date <= publications.effective_date, true)
        and coalesce(
            {{ enrollment }}.end_date > publications.effective_date
            or (
                {{ enrollment }}.end_date = publications.effective_date
                and publications.enrollment_end_date = 'inclusive'
            ),
            true
        )
    )
{%- endmacro %}


{# What a class is called: its title, else its course's, else its teacher's class, else its code or id. #}
{% macro class_name(class, course, teacher) -%}
    coalesce(
        {{ class }}.title,
        {{ course }}.title,
        {{ teacher }}.family_name || '''s class',
        {{ class }}.class_code,
        {{ class }}.source_id
    )
{%- endmacro %}


{# The one teacher who stands for a class: marked primary, else the first by enrollment id; those active on the
   effective date before others. For a `left join lateral` beside the class, in a mart that has `publications`
   and `enrollments`. #}
{% macro primary_teaching(class) -%}
    select teachings.user_source_id
    from enrollments as teachings
    where
        teachings.role = 'teacher'
        and {{ published_in('teachings', beside=class) }}
        and teachings.school_year = {{ class }}.school_year
        and teachings.class_source_id = {{ class }}.source_id
    order by
        {{ is_active('teachings') }} desc,
        teachings.is_primary desc nulls last,
        teachings.source_id asc
    limit 1
{%- endmacro %}


{# The first school that a list of organisations names, by the name that it had last: it may have closed since. For a
   `cross join lateral` beside rows with a `published_sequence`, in a mart that has `organisations`. #}
{% macro first_school(rows, list) -%}
    select
        organisations.source_id,
        organisations.name
    from unnest({{ rows }}.{{ list }}) with ordinality as listed (source_id, place)
    inner join organisations
        on
            {{ rows }}.district_id = organisations.district_id
            and listed.source_id = organisations.source_id
            and {{ rows }}.published_sequence >= organisations.valid_from_seq
    where organisations.type = 'school'
    order by listed.place asc, organisations.valid_from_seq desc
    limit 1
{%- endmacro %}
