{# The nights that each district was published for, as arrays in their order: a night's number is its place in them. For
   a CTE `nights` beside `published_nights`. -#}
{% macro numbered_nights() -%}
    select
        district_id,
        array_agg(effective_date order by effective_date) as effective_dates,
        array_agg(sequence order by effective_date) as sequences
    from published_nights
    group by district_id
{%- endmacro %}


{# The schools that each district had on any of its nights, as one value by the name that each had last; one may have closed
   since. For a CTE beside `organisations` and `nights`. As rows, they would be joined by the district alone, for all that
   the planner knows. -#}
{% macro schools_of_districts() -%}
    select
        organisations.district_id,
        jsonb_object_agg(organisations.source_id, organisations.name order by organisations.valid_from_seq) as names
    from organisations
    inner join nights on organisations.district_id = nights.district_id
    where
        organisations.type = 'school'
        and organisations.valid_from_seq <= nights.sequences[cardinality(nights.sequences)]
    group by organisations.district_id
{%- endmacro %}


{# The number of the first night that showed a sequence or a later one, beside `nights`; one more than there are for what
   is not shown yet. width_bucket counts the nights before: it searches a sorted list by halving. -#}
{% macro first_night_from(sequence) -%}
    1 + width_bucket({{ sequence }} - 1, nights.sequences)
{%- endmacro %}


{# The number of the first night that no longer showed what ends with a sequence; one more than there are for what lasts.
   -#}
{% macro first_night_past(sequence) -%}
    1 + coalesce(width_bucket({{ sequence }} - 1, nights.sequences), cardinality(nights.sequences))
{%- endmacro %}


{# By how many records a count changes, a row per combination of key columns and night on which one begins or ceases to
   count. `spells` has, beside `district_id`, the keys and `records`, the nights `first_night` up to, not including,
   `past_night`, which is null for what lasts. -#}
{% macro changes_by_night(spells, keys) -%}
    select
        spells.district_id,
        {%- for key in keys %}
        spells.{{ key }},
        {%- endfor %}
        change.night,
        sum(change.records) as records
    from {{ spells }} as spells
    cross join
        lateral unnest(
            array[spells.first_night, spells.past_night],
            array[spells.records, -spells.records]
        ) as change (night, records)
    where
        change.night is not null
        and (spells.past_night is null or spells.first_night < spells.past_night)
    group by spells.district_id, {% for key in keys %}spells.{{ key }}, {% endfor %}change.night
{%- endmacro %}


{# Counts of schools that change by what `changes` says, a row per school: as arrays, the nights on which something
   changes, and how many there are of each measure from then on. `changes` has `district_id`, `school_source_id`, `night`
   and the measures. -#}
{% macro counts_in_time(changes, measures) -%}
    select
        sums.district_id,
        sums.school_source_id,
        array_agg(sums.night order by sums.night) as nights
        {%- for measure in measures %},
        array_agg(sums.{{ measure }} order by sums.night) as {{ measure }}
        {%- endfor %}
    from (
        select
            changes.district_id,
            changes.school_source_id,
            changes.night
            {%- for measure in measures %},
            sum(changes.{{ measure }}) over in_time as {{ measure }}
            {%- endfor %}
        from {{ changes }} as changes
        window in_time as (partition by changes.district_id, changes.school_source_id order by changes.night)
    ) as sums
    group by sums.district_id, sums.school_source_id
{%- endmacro %}


{# How many there are on a night by its number, of what `counts_in_time` counts: as of the last change up to that night. -#}
{% macro count_up_to(night, counts, changes) -%}
    coalesce({{ counts }}[width_bucket({{ night }}, {{ changes }})], 0)::integer
{%- endmacro %}


{# How many of them are that night's. -#}
{% macro count_on(night, counts, changes) -%}
    {{ count_up_to(night, counts, changes) }} - {{ count_up_to(night ~ ' - 1', counts, changes) }}
{%- endmacro %}


{# A row per night and combination of key columns, with the sum of each measure. `spells` has, beside `district_id`, the
   keys and the measures, the nights `first_night` up to, not including, `past_night` in which a record counts. Counts
   change on few nights, so what is added up are the changes, and each sum stands until the next one. `nights` is the CTE
   of `numbered_nights`. -#}
{% macro counted_by_night(spells, keys, measures) -%}
    select
        sums.district_id,
        {%- for column in keys + measures %}
        sums.{{ column }},
        {%- endfor %}
        shown.effective_date,
        shown.sequence
    from (
        select
            changes.*,
            {%- for measure in measures %}
            sum(changes.change_of_{{ measure }}) over in_time as {{ measure }},
            {%- endfor %}
            lead(changes.night) over in_time as next_night
        from (
            select
                spells.district_id,
                {%- for key in keys %}
                spells.{{ key }},
                {%- endfor %}
                change.night
                {%- for measure in measures %},
                sum(change.direction * spells.{{ measure }}) as change_of_{{ measure }}
                {%- endfor %}
            from {{ spells }} as spells
            cross join
                lateral unnest(array[spells.first_night, spells.past_night], array[1, -1]) as change (night, direction)
            where spells.first_night < spells.past_night
            group by spells.district_id, {% for key in keys %}spells.{{ key }}, {% endfor %}change.night
        ) as changes
        window in_time as (partition by district_id, {{ keys | join(', ') }} order by night)
    ) as sums
    inner join nights on sums.district_id = nights.district_id
    cross join
        lateral unnest(
            nights.effective_dates[sums.night:coalesce(sums.next_night - 1, cardinality(nights.sequences))],
            nights.sequences[sums.night:coalesce(sums.next_night - 1, cardinality(nights.sequences))]
        ) as shown (effective_date, sequence)
{%- endmacro %}


{# Whether a version of a history model is the one of a sequence. -#}
{% macro is_of_sequence(version, sequence) -%}
    (
        {{ version }}.valid_from_seq <= {{ sequence }}
        and ({{ version }}.valid_to_seq is null or {{ sequence }} < {{ version }}.valid_to_seq)
    )
{%- endmacro %}


{# Whether a version of a history model began between two sequences, the later one included. The first line is what its
   index says. -#}
{% macro began_between(version, earlier, later) -%}
    {{ version }}.valid_from_seq > 1
    and {{ version }}.valid_from_seq > {{ earlier }}
    and {{ version }}.valid_from_seq <= {{ later }}
{%- endmacro %}


{# Whether it ended between them. -#}
{% macro ended_between(version, earlier, later) -%}
    {{ version }}.valid_to_seq > {{ earlier }}
    and {{ version }}.valid_to_seq <= {{ later }}
{%- endmacro %}
