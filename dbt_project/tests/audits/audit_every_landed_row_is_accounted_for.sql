-- Per district the landed rows that are neither accepted nor set aside, or are both, over all files. Materialized, so
-- that they are counted once, and not for each delivery again, where PostgreSQL knows little of tables just made.
with

deliveries as (
    select * from {{ source('rollcall', 'current_build') }}
),

delivery_files as (
    select * from {{ source('rollcall', 'delivery_file') }}
),

set_aside as materialized (
    {{ set_aside_counts() }}
),

accepted as materialized (
    {{ accepted_counts() }}
),

balance as (
    select
        deliveries.district_id,
        coalesce(delivery_files.rows_landed, 0) - coalesce(delivery_files.rows_ragged, 0) as number_landed,
        coalesce(accepted.number_of_rows, 0) + coalesce(set_aside.number_of_rows, 0) as number_accounted_for
    from deliveries
    inner join delivery_files on deliveries.delivery_id = delivery_files.delivery_id
    left join set_aside
        on delivery_files.delivery_id = set_aside.delivery_id and delivery_files.file = set_aside.file
    left join accepted on delivery_files.delivery_id = accepted.delivery_id and delivery_files.file = accepted.file
    where delivery_files.file in {{ conformed_files() }}
)

select
    district_id,
    sum(abs(number_landed - number_accounted_for))::bigint as failures
from balance
where number_landed <> number_accounted_for
group by district_id
