with

publications as (
    select * from {{ source('rollcall', 'published') }}
),

organisations as (
    select * from {{ ref('hist_orgs') }}
)

select
    publications.district_id,
    schools.source_id,
    schools.name as school_name,
    schools.identifier as school_identifier,
    schools.parent_source_id as parent_organization_source_id,
    hierarchy.ancestor_names[1] as parent_organization_name,
    hierarchy.district_source_id as district_organization_source_id,
    hierarchy.district_name as district_organization_name,
    coalesce(hierarchy.ancestor_source_ids, '{}') as ancestor_source_ids,
    coalesce(hierarchy.ancestor_names, '{}') as ancestor_names
from publications
inner join organisations as schools on {{ published_in('schools') }}
left join lateral ( -- noqa: ST05
    -- Upwards from the parent, beside each school: a CTE of its own would climb in all districts for a reader of one.
    with recursive ancestors as (
        select
            1 as height,
            parents.source_id,
            parents.name,
            parents.type,
            parents.parent_source_id,
            array[schools.source_id, parents.source_id] as path
        from organisations as parents
        where
            {{ published_in('parents', beside='schools') }}
            and parents.source_id = schools.parent_source_id
            and parents.source_id <> schools.source_id
        union all
        select
            ancestors.height + 1 as height,
            parents.source_id,
            parents.name,
            parents.type,
            parents.parent_source_id,
            ancestors.path || parents.source_id as path
        from ancestors
        inner join organisations as parents
            on {{ published_in('parents', beside='schools') }} and ancestors.parent_source_id = parents.source_id
        where parents.source_id <> all(ancestors.path)
    )

    select
        array_agg(ancestors.source_id order by ancestors.height) as ancestor_source_ids,
        array_agg(ancestors.name order by ancestors.height) as ancestor_names,
        (array_agg(ancestors.source_id order by ancestors.height) filter (where ancestors.type = 'district'))[1]
            as district_source_id,
        (array_agg(ancestors.name order by ancestors.height) filter (where ancestors.type = 'district'))[1]
            as district_name
    from ancestors
) as hierarchy on true
where schools.type = 'school'
