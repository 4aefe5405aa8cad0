{# A view that readers never notice being deployed: left alone when its definition is the same, replaced in place when
   columns were only added at its end, else dropped and created within one transaction. #}
{% materialization published_view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}
    {%- do run_query('create temporary view candidate with (security_barrier) as ' ~ sql) -%}
    {%- set comparison = run_query(view_comparison(target_relation)).rows[0] -%}
    {%- do run_query('drop view pg_temp.candidate') -%}

    {%- call statement('main') -%}
        {%- if comparison.is_same -%}
            select 'unchanged'
        {%- else -%}
            {% if not comparison.is_replaceable %}drop view {{ target_relation }};{% endif %}
            create or replace view {{ target_relation }} with (security_barrier) as
            {{ sql }};
            alter view {{ target_relation }} owner to roster_owner
        {%- endif -%}
    {%- endcall -%}

    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=True) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Whether the view in place has the candidate's definition, and whether its columns are the candidate's first ones. #}
{% macro view_comparison(relation) %}
    with

    deployed_columns as (
        select attnum, attname, atttypid
        from pg_attribute
        where attrelid = to_regclass('{{ relation }}') and attnum > 0
    ),

    candidate_columns as (
        select attnum, attname, atttypid
        from pg_attribute
        where attrelid = 'pg_temp.candidate'::regclass and attnum > 0
    )

    select
        coalesce(
            pg_get_viewdef(to_regclass('{{ relation }}')) = pg_get_viewdef('pg_temp.candidate'::regclass), false
        ) as is_same,
        not exists (select * from deployed_columns except select * from candidate_columns) as is_replaceable
{% endmacro %}
