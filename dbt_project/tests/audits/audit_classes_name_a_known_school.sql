-- Accepted classes whose school is not in the candidate.
with

classes as (
    select * from {{ ref('stg_oneroster__classes') }}
),

organisations as (
    {{ open_versions(ref('hist_orgs')) }}
)

select
    classes.district_id,
    count(*) as failures
from classes
left join organisations
    on classes.district_id = organisations.district_id and classes.school_source_id = organisations.source_id
where not classes.is_to_be_deleted and organisations.source_id is null
group by classes.district_id
