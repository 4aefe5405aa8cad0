{# How a landed cell is read. The gate has judged the cells; a cast that fails all the same fails the build, and the
   build is halved until the culprit is found. #}

{# Text without the spaces around it; null when nothing is left. #}
{% macro trimmed(column) -%}
    nullif(btrim({{ column }}), '')
{%- endmacro %}


{# A date, a number or a boolean; null when the cell holds nothing but spaces. #}
{% macro typed(column, type) -%}
    nullif(btrim({{ column }}), '')::{{ type }}
{%- endmacro %}


{# An enumeration in the standard's spelling; only those with a capital inside need to be named. What a district adds to
   OneRoster 1.2's lists, after "ext:", is kept as sent. #}
{% macro enumeration(column, spellings=[]) -%}
    {%- if spellings -%}
        case lower(btrim({{ column }}))
        {%- for spelling in spellings %} when '{{ spelling | lower }}' then '{{ spelling }}'{% endfor %}
        else case when lower({{ column }}) like 'ext:%' then btrim({{ column }}) else nullif(lower(btrim({{ column }})), '') end end
    {%- else -%}
        nullif(lower(btrim({{ column }})), '')
    {%- endif -%}
{%- endmacro %}


{# A list cell as an array: elements trimmed, empty ones dropped, null for an empty list. Most cells hold no space,
   and are split without a subquery. #}
{% macro list(column) -%}
    case
        when position(' ' in {{ column }}) = 0 then array_remove(string_to_array({{ column }}, ','), '')
        when {{ column }} is not null then array(
            select btrim(part.element)
            from unnest(string_to_array({{ column }}, ',')) with ordinality as part (element, place)
            where btrim(part.element) <> ''
            order by part.place
        )
    end
{%- endmacro %}


{# Whether the row says that its record is to be deleted. 1.0's "inactive" means the same. #}
{% macro is_to_be_deleted() -%}
    coalesce(lower(btrim(status)) in ('tobedeleted', 'inactive'), false)
{%- endmacro %}


{# The school year that a date lies in, named after the year in which it ends; it begins on July 1. #}
{% macro school_year_of(date) -%}
    extract(year from {{ date }} + interval '6 months')::integer
{%- endmacro %}


{# One hash over a row's attributes. The separator cannot occur in a cell, and a blank cell is null, so that no two
   different rows are concatenated to the same text. The columns that the standard does not know count when there are
   any: concat_ws passes over a null, so that a row without them keeps the hash that it always had. #}
{% macro row_hash(columns) -%}
    md5(concat_ws(
        chr(31)
        {%- for column in columns %}, coalesce({{ column }}::text, ''){% endfor %},
        metadata::text
    ))::uuid
{%- endmacro %}


{# Ends a CTE whose cells are used twice, by the row and by its hash: without this fence PostgreSQL would merge the CTE
   into the query and read every cell twice. It fetches nothing less. #}
{% macro computed_once() -%}
    offset 0
{%- endmacro %}
