{# Under which ids the records were known first that the running build gives other ones. What a history model begins: a
   row per new id, which takes the place of one that had it in an earlier rekeying. What it ends: a row per id that such
   a record had in between. #}
{% macro former_ids() -%}
    select
        current_build.district_id,
        current_build.delivery_id,
        current_build.sequence,
        current_build.service_date,
        case when replaced.valid_from_seq is null then 'added' else 'changed' end as change,
        replaced.valid_from_seq,
        rekeyed_record.file,
        rekeyed_record.new_id as source_id,
        coalesce(known.first_source_id, rekeyed_record.old_id) as first_source_id,
        md5(coalesce(known.first_source_id, rekeyed_record.old_id))::uuid as row_hash
    from {{ source('rollcall', 'current_build') }} as current_build
    inner join {{ source('rollcall', 'rekeyed_record') }} as rekeyed_record
        on current_build.delivery_id = rekeyed_record.delivery_id
    left join {{ this }} as known
        on
            current_build.district_id = known.district_id
            and rekeyed_record.file = known.file
            and rekeyed_record.old_id = known.source_id
            -- What ends is ended before what begins is asked for.
            and (known.valid_to_seq is null or known.valid_to_seq = current_build.sequence)
    left join {{ this }} as replaced
        on
            current_build.district_id = replaced.district_id
            and rekeyed_record.file = replaced.file
            and rekeyed_record.new_id = replaced.source_id
            and replaced.valid_to_seq is null
    union all
    select
        current_build.district_id,
        current_build.delivery_id,
        current_build.sequence,
        current_build.service_date,
        'rekeyed' as change,
        known.valid_from_seq,
        known.file,
        known.source_id,
        null as first_source_id,
        null as row_hash
    from {{ source('rollcall', 'current_build') }} as current_build
    inner join {{ source('rollcall', 'rekeyed_record') }} as rekeyed_record
        on current_build.delivery_id = rekeyed_record.delivery_id
    inner join {{ this }} as known
        on
            current_build.district_id = known.district_id
            and rekeyed_record.file = known.file
            and rekeyed_record.old_id = known.source_id
            and known.valid_to_seq is null
{%- endmacro %}


{# Joins, to the versions of a history model, the row of `former_ids` that tells under which id the record in `source_id`
   was known first; none where it never had another one. A version speaks of the record that had the id when it began; other
   rows say of which sequence they speak. #}
{% macro join_first_id(rows, file, source_id, alias, sequence=none) -%}
    left join former_ids as {{ alias }}
        on
            {{ rows }}.district_id = {{ alias }}.district_id
            and {{ alias }}.file = '{{ file }}'
            and {{ source_id }} = {{ alias }}.source_id
            and {{ is_of_sequence(alias, sequence or rows ~ '.valid_from_seq') }}
{%- endmacro %}


{# Joins, to rows with a record's first id, the row of the id that it had in a sequence; none where that is the first. #}
{% macro join_id_in(rows, sequence, file, first_source_id, alias) -%}
    left join former_ids as {{ alias }}
        on
            {{ rows }}.district_id = {{ alias }}.district_id
            and {{ alias }}.file = '{{ file }}'
            and {{ first_source_id }} = {{ alias }}.first_source_id
            and {{ is_of_sequence(alias, sequence) }}
{%- endmacro %}


{# Every id that a record ever had, as an array, beside rows with its first one. #}
{% macro all_ids(rows, file, first_source_id) -%}
    array(
        select former_ids.source_id
        from former_ids
        where
            former_ids.district_id = {{ rows }}.district_id
            and former_ids.file = '{{ file }}'
            and former_ids.first_source_id = {{ first_source_id }}
    ) || {{ first_source_id }}
{%- endmacro %}
