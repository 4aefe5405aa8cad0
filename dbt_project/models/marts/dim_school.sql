with

organisations as (
    {{ published(ref('hist_orgs')) }}
),

parents as (
    {{ published(ref('hist_orgs')) }}
)

select
    schools.district_id,
    schools.source_id,
    schools.name as school_name,
    schools.identifier as school_identifier,
    schools.parent_source_id as parent_organisation_source_id,
    parents.name as parent_organisation_name
from organisations as schools
left join parents on schools.district_id = parents.district_id and schools.parent_source_id = parents.source_id
where schools.type = 'school'
