-- Records that this build removed as missing although their file is no evidence of absence, or tonight's row was only
-- set aside, or may be any row that was set aside under an id that nobody ever saw (law 5).
with

deliveries as (
    select * from {{ source('rollcall', 'current_build') }}
),

delivery_files as (
    select * from {{ source('rollcall', 'delivery_file') }}
),

set_aside as (
    {{ rows_set_aside() }}
),

-- Rows that were set aside without a sourcedId, or under one that was never published, and no person approved them. A
-- copy of a row that was taken is not in doubt.
doubtful_files as (
    {%- for entity in conformed_entities() %}
    select
        set_aside.delivery_id,
        set_aside.file
    from deliveries
    inner join set_aside on deliveries.delivery_id = set_aside.delivery_id
    where
        set_aside.file = '{{ entity.file }}'
        and set_aside.code not like '%\_row\_repeated'
        and not exists (
            select
            from {{ ref(entity.history) }} as version
            where
                version.district_id = deliveries.district_id
                and version.source_id = set_aside.source_id
                and version.valid_from_seq < deliveries.sequence
        )
        and not exists (
            select
            from {{ source('rollcall', 'hold') }} as hold
            where hold.delivery_id = deliveries.delivery_id and hold.settlement = 'approved'
        )
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

removed as (
    {%- for entity in conformed_entities() %}
    select
        version.district_id,
        version.source_id,
        version.valid_to_seq as sequence,
        '{{ entity.file }}' as file
    from ({{ ended_versions(ref(entity.history)) }}) as version
    where version.end_reason = 'missing'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    deliveries.district_id,
    count(*) as failures
from deliveries
inner join removed on deliveries.district_id = removed.district_id and deliveries.sequence = removed.sequence
left join delivery_files on deliveries.delivery_id = delivery_files.delivery_id and removed.file = delivery_files.file
where
    not coalesce(delivery_files.absence_is_evidence, false)
    or exists (
        select
        from set_aside
        where
            set_aside.delivery_id = deliveries.delivery_id
            and set_aside.file = removed.file
            and set_aside.source_id = removed.source_id
    )
    or (deliveries.delivery_id, removed.file) in (
        select
            doubtful_files.delivery_id,
            doubtful_files.file
        from doubtful_files
    )
group by deliveries.district_id
