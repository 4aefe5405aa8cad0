select * from {{ ref('stg_oneroster__academic_sessions') }}
