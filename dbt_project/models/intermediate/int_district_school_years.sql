{#- The school year that a row belongs to when nothing of its own says so: the one in which the delivery's sessions put
    the night. -#}
with

deliveries as (
    select * from {{ source('rollcall', 'current_build') }}
),

sessions as (
    select * from {{ ref('stg_oneroster__academic_sessions') }}
),

-- The session that contains the night, else the one that started last, else the first to come.
ranked as (
    select distinct on (deliveries.district_id)
        deliveries.district_id,
        deliveries.service_date,
        sessions.school_year
    from deliveries
    left join sessions on deliveries.district_id = sessions.district_id and not sessions.is_to_be_deleted
    order by
        deliveries.district_id asc,
        deliveries.service_date between sessions.start_date and sessions.end_date desc nulls last,
        deliveries.service_date >= sessions.start_date desc nulls last,
        case when deliveries.service_date >= sessions.start_date then sessions.start_date end desc nulls last,
        sessions.start_date asc,
        sessions.school_year desc
)

select
    district_id,
    coalesce(school_year, {{ school_year_of('service_date') }}) as school_year
from ranked
