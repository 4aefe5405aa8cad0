{# What the running build is frozen to, read from the ledger while the build runs: no --vars, so partial parsing stays
   valid from night to night. Empty while parsing and at a deploy. `is_first`: nothing of the district is published.
   `files_set_aside` are the files of which a row is set aside, `files_evident` those of which what they do not name is to
   be removed (law 5), separated by commas. The sources are named while parsing, too, so that lineage knows of them. #}
{% macro deliveries_in_build() %}
    {%- set current_build = source('rollcall', 'current_build') -%}
    {%- set publications = source('rollcall', 'publication') -%}
    {%- set delivery_files = source('rollcall', 'delivery_file') -%}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        select
            current_build.district_id,
            current_build.delivery_id,
            current_build.sequence,
            current_build.service_date,
            current_build.landing_schema,
            publication.sequence is null as is_first,
            coalesce(
                string_agg(delivery_file.file, ',') filter (where delivery_file.rows_set_aside > 0), ''
            ) as files_set_aside,
            coalesce(
                string_agg(delivery_file.file, ',') filter (where delivery_file.absence_is_evidence), ''
            ) as files_evident
        from {{ current_build }} as current_build
        left join {{ publications }} as publication on current_build.district_id = publication.district_id
        left join {{ delivery_files }} as delivery_file on current_build.delivery_id = delivery_file.delivery_id
        group by 1, 2, 3, 4, 5, 6
        order by 1
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{% endmacro %}


{# The districts of the running build as a parenthesised list of literals, for `district_id in …`. #}
{% macro districts_in_build() %}
    {%- set quoted = [] -%}
    {%- for delivery in deliveries_in_build() -%}
        {%- do quoted.append(dbt.string_literal(dbt.escape_single_quotes(delivery.district_id))) -%}
    {%- endfor -%}
    ({{ quoted | join(', ') if quoted else 'null' }})
{%- endmacro %}


{# The versions of a history model that are open for the districts of the running build: while staging is built, what
   is published; once history is built, the candidate for publication. #}
{% macro open_versions(relation) -%}
    select *
    from {{ relation }}
    where valid_to_seq is null and district_id in {{ districts_in_build() }}
{%- endmacro %}


{# The versions of a history model that begin with the running build. First sequences are asked for apart: the index of
   beginnings leaves them out. #}
{% macro begun_versions(relation) -%}
    select *
    from {{ relation }}
    where valid_from_seq > 1 and (district_id, valid_from_seq) in {{ sequences_in_build() }}
    union all
    select *
    from {{ relation }}
    where valid_from_seq = 1 and (district_id, 1) in {{ sequences_in_build() }}
{%- endmacro %}


{# The versions of a history model that end with the running build. #}
{% macro ended_versions(relation) -%}
    select *
    from {{ relation }}
    where valid_to_seq is not null and (district_id, valid_to_seq) in {{ sequences_in_build() }}
{%- endmacro %}


{# The districts and sequences of the running build as a parenthesised list, for `(district_id, …) in …`. #}
{% macro sequences_in_build() %}
    {%- set pairs = [] -%}
    {%- for delivery in deliveries_in_build() -%}
        {%- set district = dbt.string_literal(dbt.escape_single_quotes(delivery.district_id)) -%}
        {%- do pairs.append('(' ~ district ~ ', ' ~ delivery.sequence ~ ')') -%}
    {%- endfor -%}
    ({{ pairs | join(', ') if pairs else '(null, null)' }})
{%- endmacro %}
