{# Rows without a value. Unlike dbt's own test it tells whose rows they are, and shows nothing else of them. #}
{% test not_null(model, column_name) %}
select district_id
from {{ model }}
where {{ column_name }} is null
{% endtest %}
