with

publications as (
    select * from {{ source('rollcall', 'published') }}
)

select
    district_id,
    district_name,
    effective_date,
    sequence,
    published_at,
    as_of
from publications
