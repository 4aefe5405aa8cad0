{# The conformed entities: the standard's file, and the models that hold it. #}
{% macro conformed_entities() %}
    {%- set entities = [] -%}
    {%- for name, file in [
        ('orgs', 'orgs'),
        ('academic_sessions', 'academicSessions'),
        ('courses', 'courses'),
        ('users', 'users'),
        ('classes', 'classes'),
        ('enrollments', 'enrollments'),
        ('demographics', 'demographics'),
    ] -%}
        {%- do entities.append({'file': file, 'table': name, 'staging': 'stg_oneroster__' ~ name, 'history': 'hist_' ~ name}) -%}
    {%- endfor -%}
    {{ return(entities) }}
{% endmacro %}


{# Their files as a parenthesised list of literals. #}
{% macro conformed_files() -%}
    ('{{ conformed_entities() | map(attribute='file') | join("', '") }}')
{%- endmacro %}
