with

districts as (
    select * from {{ source('rollcall', 'district_quality') }}
)

select
    district_id,
    district_name,
    last_good_night,
    last_published_at,
    latest_night,
    latest_outcome,
    nights_without,
    held_night,
    held_since,
    held_reasons,
    rejected_night,
    rejected_state,
    rows_set_aside,
    rows_kept
from districts
