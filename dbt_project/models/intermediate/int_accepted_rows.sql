{#- How many rows of each file were accepted, for the audits. -#}
with

accepted as (
    {%- for entity in conformed_entities() %}
    select
        staged.district_id,
        staged.delivery_id,
        '{{ entity.file }}' as file,
        count(*) as number_of_rows,
        count(*) filter (where staged.is_to_be_deleted) as number_to_be_deleted
    from {{ ref(entity.staging) }} as staged
    group by staged.district_id, staged.delivery_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select * from accepted
