with

findings as (
    select * from {{ source('rollcall', 'open_finding') }}
)

select
    district_id,
    service_date,
    delivery_state,
    file,
    code as rule,
    severity,
    rows_failed
from findings
