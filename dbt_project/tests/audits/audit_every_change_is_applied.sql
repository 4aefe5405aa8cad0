-- Per district, over all files, by how many versions what began and ended in this build differs from what was judged.
with

counted as (
    {%- for entity in conformed_entities() %}
    select
        begun.district_id,
        '{{ entity.file }}' as file,
        count(*) as number_begun,
        0 as number_ended
    from ({{ begun_versions(ref(entity.history)) }}) as begun
    group by begun.district_id
    union all
    select
        ended.district_id,
        '{{ entity.file }}' as file,
        0 as number_begun,
        count(*) as number_ended
    from ({{ ended_versions(ref(entity.history)) }}) as ended
    group by ended.district_id
    union all
    select
        staged.district_id,
        '{{ entity.file }}' as file,
        -count(*) filter (where staged.change in ('added', 'changed')) as number_begun,
        -count(*) filter (
            where
            staged.change in ('missing', 'tobedeleted', 'rekeyed')
            or (staged.change = 'changed' and staged.valid_from_seq is not null)
        ) as number_ended
    from {{ ref(entity.staging) }} as staged
    group by staged.district_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

differences as (
    select
        district_id,
        file,
        abs(sum(number_begun)) + abs(sum(number_ended)) as number_of_versions
    from counted
    group by district_id, file
)

select
    district_id,
    sum(number_of_versions)::bigint as failures
from differences
where number_of_versions > 0
group by district_id
