-- Classes of the candidate whose school is not in it. Versions that are kept because tonight's row was set aside may
-- outlive their school: they are not counted.
with

classes as (
    {{ open_versions(ref('hist_classes')) }}
),

organisations as (
    {{ open_versions(ref('hist_orgs')) }}
),

accepted as (
    {{ accepted_rows('classes', 'classes') }}
)

select
    classes.district_id,
    count(*) as failures
from classes
left join organisations
    on
        classes.district_id = organisations.district_id
        and classes.school_source_id = organisations.source_id
where
    organisations.source_id is null
    and exists (
        select
        from accepted
        where accepted.district_id = classes.district_id and accepted.source_id = classes.source_id
    )
group by classes.district_id
