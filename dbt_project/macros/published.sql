{# The published versions of a history model: those of the sequence that the district's pointer names, with the night
   that the publication stands for. #}
{% macro published(relation) -%}
    select
        version.*,
        publication.effective_date
    from {{ relation }} as version
    inner join {{ source('rollcall', 'publication') }} as publication on version.district_id = publication.district_id
    where
        version.valid_from_seq <= publication.sequence
        and (version.valid_to_seq is null or version.valid_to_seq > publication.sequence)
{%- endmacro %}


{# Whether an enrollment counts on the effective date. Its begin is the first day; whether its end is the last day or
   the day after it is the district's habit. #}
{% macro is_active(enrollment, district) -%}
    (
        coalesce({{ enrollment }}.begin_date <= {{ enrollment }}.effective_date, true)
        and case {{ district }}.enrollment_end_date
            when 'exclusive' then coalesce({{ enrollment }}.end_date > {{ enrollment }}.effective_date, true)
            else coalesce({{ enrollment }}.end_date >= {{ enrollment }}.effective_date, true)
        end
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
   effective date before others. For a `left join lateral` beside the class. #}
{% macro primary_teaching(class) -%}
    select
        teaching.user_source_id
    from ({{ published(ref('hist_enrollments')) }}) as teaching
    inner join {{ source('rollcall', 'district') }} as district on teaching.district_id = district.district_id
    where
        teaching.role = 'teacher'
        and teaching.district_id = {{ class }}.district_id
        and teaching.school_year = {{ class }}.school_year
        and teaching.class_source_id = {{ class }}.source_id
    order by
        {{ is_active('teaching', 'district') }} desc,
        teaching.is_primary desc nulls last,
        teaching.source_id
    limit 1
{%- endmacro %}
