with

sessions as (
    {{ published(ref('hist_academic_sessions')) }}
)

select
    district_id,
    school_year,
    source_id,
    title as term_name,
    type as term_type,
    start_date,
    end_date,
    parent_source_id as parent_term_source_id,
    coalesce(effective_date between start_date and end_date, false) as is_current
from sessions
