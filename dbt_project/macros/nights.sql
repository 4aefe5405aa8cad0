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


{# A row per night and combination of key columns, with the sum of each measure. `spells` has, beside `district_id`, the
   keys and the measures, the nights `first_night` up to, not including, `past_night` in which a record counts. Counts
   change on few nights, so what is added up are the changes. `nights` is the CTE of `numbered_nights`. The first measure
   decides whether there is a row. -#}
{% macro counted_by_night(spells, keys, measures) -%}
    select
        combinations.district_id,
        {%- for key in keys %}
        combinations.{{ key }},
        {%- endfor %}
        night.effective_date,
        night.sequence,
        {%- for measure in measures %}
        sum(changes.{{ measure }}) over up_to_the_night as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        select distinct district_id, {{ keys | join(', ') }}
        from {{ spells }}
        where first_night < past_night
    ) as combinations
    inner join nights on combinations.district_id = nights.district_id
    cross join
        lateral unnest(nights.effective_dates, nights.sequences) with ordinality as night (
            effective_date, sequence, number
        )
    left join (
        select
            spells.district_id,
            {%- for key in keys %}
            spells.{{ key }},
            {%- endfor %}
            change.night,
            {%- for measure in measures %}
            sum(change.direction * spells.{{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ spells }} as spells
        cross join
            lateral unnest(array[spells.first_night, spells.past_night], array[1, -1]) as change (night, direction)
        where spells.first_night < spells.past_night
        group by spells.district_id, {% for key in keys %}spells.{{ key }}, {% endfor %}change.night
    ) as changes
        on
            combinations.district_id = changes.district_id
            {%- for key in keys %}
            and combinations.{{ key }} = changes.{{ key }}
            {%- endfor %}
            and night.number = changes.night
    window
        up_to_the_night as (
            partition by combinations.district_id{% for key in keys %}, combinations.{{ key }}{% endfor %}
            order by night.number
        )
{%- endmacro %}
