with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

organisations as (
    select * from {{ ref('hist_orgs') }}
)

select
    publications.district_id,
    organisations.source_id,
    organisations.name as organization_name,
    organisations.type as organization_type,
    organisations.identifier as organization_identifier,
    parents.source_id as parent_organization_source_id,
    parents.name as parent_organization_name
from publications
inner join organisations on {{ published_in('organisations') }}
left join organisations as parents
    on {{ published_in('parents', beside='organisations') }} and organisations.parent_source_id = parents.source_id
