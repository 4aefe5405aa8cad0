{#- By the standard's names of the files; whether their records belong to a school year. -#}
{%- set files = {
    'orgs': ('organisations', false),
    'academicSessions': ('sessions', true),
    'courses': ('courses', false),
    'users': ('users', false),
    'classes': ('classes', true),
    'enrollments': ('enrollments', true),
    'demographics': ('demographics', false),
} -%}
with

organisations as (
    {{ published(ref('hist_orgs')) }}
),

sessions as (
    {{ published(ref('hist_academic_sessions')) }}
),

courses as (
    {{ published(ref('hist_courses')) }}
),

users as (
    {{ published(ref('hist_users')) }}
),

classes as (
    {{ published(ref('hist_classes')) }}
),

enrollments as (
    {{ published(ref('hist_enrollments')) }}
),

demographics as (
    {{ published(ref('hist_demographics')) }}
)

{% for file, (records, is_of_school_year) in files.items() -%}
select
    {{ records }}.district_id,
    '{{ file }}' as file,
    {{ records ~ '.school_year' if is_of_school_year else '0 as school_year' }},
    {{ records }}.source_id,
    extension.column_name,
    extension.value
from {{ records }}
cross join lateral jsonb_each_text({{ records }}.metadata) as extension (column_name, value)
{{ 'union all\n' if not loop.last }}
{%- endfor %}
