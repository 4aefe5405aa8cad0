-- Rows that begin a version of which a cell is filled and its attribute null: nobody could read it, and no rule set the
-- row aside.
with

unread as (
    {%- for entity in conformed_entities() %}
    select beginning.district_id
    from ({{ beginning_rows(entity.table, entity.file) }}) as beginning
    where {{ has_unread_cell('beginning', entity.table) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    district_id,
    count(*) as failures
from unread
group by district_id
