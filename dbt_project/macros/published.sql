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
   that one alone. #}
{% macro published_in(version, beside='publications') -%}
    {{ beside }}.district_id = {{ version }}.district_id
    and {{ version }}.valid_from_seq {{ at_most() }} publications.sequence
    and ({{ version }}.valid_to_seq is null or publications.sequence < {{ version }}.valid_to_seq)
{%- endmacro %}


{# `<=` between two columns, of which PostgreSQL's planner knows that it is true of nearly every row. #}
{% macro at_most() -%}
    operator(rollcall.<=)
{%- endmacro %}


{# Whether an enrollment counts on the effective date of `publications`. Its begin is the first day; whether its end is
   the last day or the day after it is the habit of the district. Where there is no date, nothing begins or ends. #}
{% macro is_active(enrollment) -%}
    (
        (
            {{ enrollment }}.begin_date is null
            or {{ enrollment }}.begin_date {{ at_most() }} publications.effective_date
        )
        and (
            {{ enrollment }}.end_date is null
            or publications.effective_date + 1 {{ at_most() }} {{ enrollment }}.end_date
            or (
                publications.enrollment_end_date = 'inclusive'
                and publications.effective_date {{ at_most() }} {{ enrollment }}.end_date
            )
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


{# The row of a class in `publications`, by the alias of `hist_class_details`: that of the day, and of the publication's
   habit or any. `<>` rather than a list of two: of that, too, PostgreSQL knows that nearly every row passes. #}
{% macro details_of_the_day(class, beside='publications') -%}
    {{ published_in(class, beside) }}
    and {{ class }}.counts_from {{ at_most() }} publications.effective_date
    and publications.effective_date + 1 {{ at_most() }} {{ class }}.counts_until
    and {{ class }}.enrollment_end_date
    <> case publications.enrollment_end_date when 'inclusive' then 'exclusive' else 'inclusive' end
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
