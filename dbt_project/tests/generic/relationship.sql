{# Rows whose composite key, where all of it is filled in, is not one of another model's. Unlike dbt's own test it takes
   several columns: an id means something only with its district, and often only with its school year. #}
{% test relationship(model, columns, to, to_columns) %}
with

referring as (
    select * from {{ model }}
)

select {{ columns | join(', ') }}
from referring
where
    {%- for column in columns %}
    referring.{{ column }} is not null and
    {%- endfor %}
    not exists (
        select
        from {{ to }} as referred
        where
        {%- for column in columns %}
            referring.{{ column }} = referred.{{ to_columns[loop.index0] }}
            {{- ' and' if not loop.last }}
        {%- endfor %}
    )
{% endtest %}
