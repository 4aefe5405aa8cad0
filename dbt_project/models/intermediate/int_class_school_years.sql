{#- The school year of every class that an enrollment of this build may name: those delivered, and those published. -#}
with

delivered_classes as (
    select * from {{ ref('stg_oneroster__classes') }}
),

published_classes as (
    {{ open_versions(source('published', 'hist_classes')) }}
),

candidates as (
    select
        district_id,
        source_id,
        school_year,
        true as is_delivered
    from delivered_classes
    union all
    select
        district_id,
        source_id,
        school_year,
        false as is_delivered
    from published_classes
)

select distinct on (district_id, source_id)
    district_id,
    source_id,
    school_year
from candidates
order by district_id asc, source_id asc, is_delivered desc, school_year desc
