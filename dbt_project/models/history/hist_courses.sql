select
    ctid as staged_row,
    *
from {{ ref('stg_oneroster__courses') }}
