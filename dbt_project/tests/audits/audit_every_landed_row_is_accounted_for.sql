-- Per district the landed rows that are neither accepted nor set aside, or are both, over all files.
with

deliveries as (
    select * from {{ source('rollcall', 'current_build') }}
),

delivery_files as (
    select * from {{ source('rollcall', 'delivery_file') }}
),

set_aside as (
    {%- for entity in conformed_entities() %}
    select
        landed.delivery_id,
        '{{ entity.file }}' as file,
        count(*) as number_of_rows
    from ({{ landed(entity.table, entity.file, set_aside=true) }}) as landed
    group by landed.delivery_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

accepted as (
    {%- for entity in conformed_entities() %}
    select
        staged.delivery_id,
        '{{ entity.file }}' as file,
        count(*) as number_of_rows
    from {{ ref(entity.staging) }} as staged
    group by staged.delivery_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    deliveries.district_id,
    sum(abs(
        coalesce(delivery_files.rows_landed, 0)
        - coalesce(delivery_files.rows_ragged, 0)
        - coalesce(set_aside.number_of_rows, 0)
        - coalesce(accepted.number_of_rows, 0)
    ))::bigint as failures
from deliveries
inner join delivery_files on deliveries.delivery_id = delivery_files.delivery_id
left join set_aside
    on delivery_files.delivery_id = set_aside.delivery_id and delivery_files.file = set_aside.file
left join accepted
    on delivery_files.delivery_id = accepted.delivery_id and delivery_files.file = accepted.file
where delivery_files.file in {{ conformed_files() }}
group by deliveries.district_id
having
    bool_or(
        coalesce(delivery_files.rows_landed, 0)
        <> coalesce(delivery_files.rows_ragged, 0)
        + coalesce(set_aside.number_of_rows, 0)
        + coalesce(accepted.number_of_rows, 0)
    )
