{# Versions that name a record which is not in the candidate, per district: of those that begin with the running build,
   and of those whose record ends with it; what neither began nor lost anything was looked at before. Versions that are
   kept because tonight's row was set aside, or because their absence is no evidence, may outlive their record: they are
   not counted. Nor is last year's version of an id that tonight's row uses again.

   `names` says which columns of a version are the record's key: each column of the record, and the version's. `in_class`
   is the column that says of which class, and so of which school year, a row of the file is. #}
{% macro versions_without_their_record(history, file, table, in_class, record_history, names) %}
    with

    begun as (
        {{ begun_versions(history) }}
    ),

    ended_records as (
        {{ ended_versions(record_history) }}
    ),

    versions as (
        {{ open_versions(history) }}
    ),

    -- Not materialized, so that a few versions look their records up by the key.
    records as not materialized (
        {{ open_versions(record_history) }}
    ),

    accepted as (
        {{ accepted_rows(table, file) }}
    ),

    class_years as (
        {{ class_years() }}
    ),

    -- What begins is looked up before it is put together with the rest: of a first load that is every version, and hardly
    -- one is left. Materialized, so that it comes before what was accepted, too.
    without_their_record as materialized (
        select
            {{ version_columns(names) }}
        from begun as version
        where
            version.valid_to_seq is null
            and not exists (
                select
                from records as record
                where {{ is_named('version', 'record', names) }}
            )
        union
        select
            {{ version_columns(names) }}
        from ended_records as ended
        inner join versions as version on {{ is_named('version', 'ended', names) }}
        where
            not exists (
                select
                from records as record
                where {{ is_named('version', 'record', names) }}
            )
    )

    select
        without_their_record.district_id,
        count(*) as failures
    from without_their_record
    where
        exists (
            select
            from accepted
            inner join class_years
                on accepted.delivery_id = class_years.delivery_id and accepted.{{ in_class }} = class_years.source_id
            where
                accepted.district_id = without_their_record.district_id
                and accepted.source_id = without_their_record.source_id
                and class_years.school_year = without_their_record.school_year
        )
    group by without_their_record.district_id
{% endmacro %}


{# A version's identity, and the record that it names. #}
{% macro version_columns(names) -%}
    {%- for column in (['district_id', 'source_id', 'school_year', 'valid_from_seq'] + names.values() | list) | unique %}
            version.{{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{# Whether a version names a record. #}
{% macro is_named(version, record, names) -%}
    {{ version }}.district_id = {{ record }}.district_id
    {%- for column, naming in names.items() %} and {{ version }}.{{ naming }} = {{ record }}.{{ column }}{% endfor %}
{%- endmacro %}
