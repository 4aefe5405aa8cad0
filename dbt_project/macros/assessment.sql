{# A student's id as the assessment vendor wants it: the number that people know, without the zeros in front of it. #}
{% macro assessment_student_id(number, source_id) -%}
    regexp_replace(coalesce({{ number }}, {{ source_id }}), '^0+(?=.)', '')
{%- endmacro %}


{# A flag as the assessment vendor wants it. What was not stated is unknown, never no. #}
{% macro assessment_flag(column) -%}
    case {{ column }} when true then 'Y' when false then 'N' else 'U' end
{%- endmacro %}
