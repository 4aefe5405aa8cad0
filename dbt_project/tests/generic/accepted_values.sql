{# Rows with a value that is none of a list. Unlike dbt's own test it tells whose rows they are. #}
{% test accepted_values(model, column_name, values) %}
select district_id
from {{ model }}
where {{ column_name }} not in ('{{ values | join("', '") }}')
{% endtest %}
