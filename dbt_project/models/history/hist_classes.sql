select * from {{ ref('stg_oneroster__classes') }}
