-- Per district, over all files, by how many versions what began and ended in this build differs from what was judged.
with

deliveries as (
    select * from {{ source('rollcall', 'current_build') }}
),

judged as (
    {%- for entity in conformed_entities() %}
    select
        staged.district_id,
        '{{ entity.file }}' as file,
        count(*) filter (where staged.change in ('added', 'changed')) as number_begun,
        count(*) filter (where staged.change in ('changed', 'missing', 'tobedeleted')) as number_ended
    from {{ ref(entity.staging) }} as staged
    group by staged.district_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Asked for by sequence, so that a long history costs no more than a short one.
applied as (
    {%- for entity in conformed_entities() %}
    select
        deliveries.district_id,
        '{{ entity.file }}' as file,
        (
            select count(*) from {{ ref(entity.history) }} as version
            where version.district_id = deliveries.district_id and version.valid_from_seq = deliveries.sequence
        ) as number_begun,
        (
            select count(*) from {{ ref(entity.history) }} as version
            where version.district_id = deliveries.district_id and version.valid_to_seq = deliveries.sequence
        ) as number_ended
    from deliveries
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    applied.district_id,
    sum(
        abs(applied.number_begun - coalesce(judged.number_begun, 0))
        + abs(applied.number_ended - coalesce(judged.number_ended, 0))
    )::bigint as failures
from applied
left join judged on applied.district_id = judged.district_id and applied.file = judged.file
where
    applied.number_begun <> coalesce(judged.number_begun, 0)
    or applied.number_ended <> coalesce(judged.number_ended, 0)
group by applied.district_id
