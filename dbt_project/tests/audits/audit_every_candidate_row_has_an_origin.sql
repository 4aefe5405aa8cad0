-- Per district, over all files, by how many rows the candidate differs from the accepted rows plus the versions that
-- were kept without one. A record that was accepted twice shows here.
with

deliveries as (
    select * from {{ source('rollcall', 'current_build') }}
),

change_counts as (
    select * from {{ source('rollcall', 'change_count') }}
),

accepted as (
    {{ accepted_counts() }}
),

candidate as (
    {%- for entity in conformed_entities() %}
    select
        version.district_id,
        '{{ entity.file }}' as file,
        count(*) as number_of_rows
    from {{ ref(entity.history) }} as version
    where version.valid_to_seq is null and version.district_id in {{ districts_in_build() }}
    group by version.district_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

balance as (
    select
        deliveries.district_id,
        coalesce(candidate.number_of_rows, 0) as number_in_candidate,
        coalesce(accepted.number_of_rows - accepted.number_to_be_deleted, 0) + change_counts.kept as number_expected
    from deliveries
    inner join change_counts on deliveries.delivery_id = change_counts.delivery_id
    left join accepted on deliveries.district_id = accepted.district_id and change_counts.entity = accepted.file
    left join candidate on deliveries.district_id = candidate.district_id and change_counts.entity = candidate.file
)

select
    district_id,
    sum(abs(number_in_candidate - number_expected))::bigint as failures
from balance
where number_in_candidate <> number_expected
group by district_id
