{# Versions counted in the district's accepted sequence: `[valid_from_seq, valid_to_seq)`. The model's SQL selects what
   the running build changes, as it was judged; only that is written, in one transaction. #}
{% materialization history, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set deliveries = deliveries_in_build() -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if deliveries -%}
        {%- do run_query("set local work_mem = '96MB'") -%}
        {%- set changes_much = run_query(history_count(sql)).rows[0].changes_much -%}
        {%- do run_query(history_close(target_relation, sql)) -%}
        {%- call statement('main') -%}
            {{ history_insert(target_relation, sql) }}
        {%- endcall -%}
        {%- do run_query(history_indexes(target_relation, this.name, config.get('meta'))) -%}
        {%- if changes_much -%}
            {%- do run_query('analyze ' ~ target_relation) -%}
        {%- endif -%}
    {%- else -%}
        {%- call statement('main') -%} select 'no build runs' {%- endcall -%}
        {%- do run_query(history_table_statistics(target_relation, model.columns)) -%}
        {%- do persist_docs(target_relation, model) -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Writes the ledger's counts: of what changes, and of the versions that stay although no row names them. Answers
   whether so much changes that readers' plans would suffer from the old statistics. #}
{% macro history_count(changes) %}
    insert into rollcall.change_count (delivery_id, entity, added, changed, removed, kept)
    select
        current_build.delivery_id,
        '{{ config.get('meta').file }}',
        coalesce(counted.added, 0),
        coalesce(counted.changed, 0),
        coalesce(counted.missing + counted.to_be_deleted, 0),
        unnamed.number_of_versions - coalesce(counted.missing, 0)
    from rollcall.current_build
    inner join ({{ unnamed_versions(config.get('meta').file) }}) as unnamed
        on current_build.delivery_id = unnamed.delivery_id
    left join (
        select
            staged.delivery_id,
            count(*) filter (where staged.change = 'added') as added,
            count(*) filter (where staged.change = 'changed') as changed,
            count(*) filter (where staged.change = 'missing') as missing,
            count(*) filter (where staged.change = 'tobedeleted') as to_be_deleted
        from ({{ changes }}) as staged
        group by staged.delivery_id
    ) as counted on current_build.delivery_id = counted.delivery_id
    on conflict (delivery_id, entity) do update set
        added = excluded.added, changed = excluded.changed, removed = excluded.removed, kept = excluded.kept;
    select (
        (
            select sum(added + changed + removed)
            from rollcall.change_count
            inner join rollcall.current_build using (delivery_id)
            where entity = '{{ config.get('meta').file }}'
        )
        > (select 0.1 * reltuples from pg_class where oid = '{{ this }}'::regclass)
    ) as changes_much
{% endmacro %}


{% macro history_close(history, changes) %}
    update {{ history }} as history
    set valid_to_seq = staged.sequence, end_reason = staged.change, ended_on = staged.service_date
    from ({{ changes }}) as staged
    where
        history.valid_from_seq = staged.valid_from_seq
        {%- for column in config.get('meta').key %}
        and history.{{ column }} = staged.{{ column }}
        {%- endfor %}
        and staged.change in ('changed', 'missing', 'tobedeleted', 'rekeyed')
{% endmacro %}


{# A key that was staged twice (the gate sets such rows aside) gets one version, and the audits tell; in the very first
   load, which has no key yet, it fails the build. #}
{% macro history_insert(history, changes) %}
    {%- set columns = history_columns() -%}
    insert into {{ history }} (valid_from_seq, {{ columns | join(', ') }})
    select sequence, {{ columns | join(', ') }}
    from ({{ changes }}) as staged
    where change in ('added', 'changed')
    {%- if has_history_key(history) %}
    on conflict ({{ config.get('meta').key | join(', ') }}, valid_from_seq) do nothing
    {%- endif %}
{% endmacro %}


{# The columns that a history table takes over; of the model at hand, if no other one is named. #}
{% macro history_columns(node=none) %}
    {%- set own = ['valid_from_seq', 'valid_to_seq', 'end_reason', 'ended_on'] -%}
    {{ return((node or model).columns.keys() | reject('in', own) | list) }}
{% endmacro %}
