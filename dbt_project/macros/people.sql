{# Whether a role makes a person a student or a member of staff; null for the people around a student. Roles that a
   district adds to OneRoster 1.2's, after "ext:", are staff's. #}
{% macro person_type(role) -%}
    case
        when {{ role }} = 'student' then 'student'
        when {{ role }} not in {{ guardian_roles() }} then 'staff'
    end
{%- endmacro %}


{# The roles of the people around a student, as a parenthesised list of literals. #}
{% macro guardian_roles() -%}
    ('guardian', 'parent', 'relative')
{%- endmacro %}
