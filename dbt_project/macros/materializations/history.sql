{# Versions counted in the district's accepted sequence: `[valid_from_seq, valid_to_seq)`. The model's SQL selects the
   staged rows of the running build, and the ctid of each as `staged_row`; only what differs from the open versions is
   written, in one transaction. #}
{% materialization history, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set deliveries = deliveries_in_build() -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if deliveries -%}
        {%- do run_query("set local work_mem = '96MB'; set local enable_nestloop = off") -%}
        {%- if has_open_versions(target_relation) -%}
            {%- do run_query(history_diff(target_relation, sql)) -%}
            {%- do run_query('set local enable_nestloop = on') -%}
            {%- set changes_much = run_query(history_count()).rows[0].changes_much -%}
            {%- do run_query(history_close(target_relation)) -%}
            {%- set newly = history_new(sql) -%}
        {%- else -%}
            {%- do run_query(history_count_first(sql)) -%}
            {%- set changes_much = true -%}
            {%- set newly = history_first(sql) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            {{ history_insert(target_relation, newly) }}
        {%- endcall -%}
        {%- do run_query(history_indexes(target_relation, this.name, config.get('meta'))) -%}
        {%- if changes_much -%}
            {%- do run_query('analyze ' ~ target_relation) -%}
        {%- endif -%}
        {%- do run_query('drop table if exists row_change') -%}
    {%- else -%}
        {%- call statement('main') -%} select 'no build runs' {%- endcall -%}
        {%- do persist_docs(target_relation, model) -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# What differs between the staged rows and the open versions, and which open versions stay although no row names
   them ('kept'): the file is no evidence of absence, or tonight's row was set aside. Rows are named by their places,
   so that no more than the key and the hash of each goes through the join. #}
{% macro history_diff(history, staged) %}
    {%- set key = config.get('meta').key -%}
    create temporary table row_change on commit drop as
    with

    delivery as (
        select
            current_build.district_id,
            current_build.delivery_id,
            current_build.sequence,
            current_build.service_date,
            coalesce(delivery_file.absence_is_evidence, false) as absence_is_evidence
        from rollcall.current_build
        left join rollcall.delivery_file
            on
                current_build.delivery_id = delivery_file.delivery_id
                and delivery_file.file = '{{ config.get('meta').file }}'
    ),

    set_aside as (
        select
            aside.district_id,
            aside.source_id
        from ({{ rows_set_aside() }}) as aside
        where aside.file = '{{ config.get('meta').file }}' and aside.source_id is not null
    ),

    staged as (
        {{ staged }}
    ),

    opened as (
        select
            history.ctid as open_version,
            {{ key | join(', ') }},
            history.row_hash as open_row_hash
        from {{ history }} as history
        where valid_to_seq is null and district_id in {{ districts_in_build() }}
    ),

    difference as (
        select
            case
                when staged.row_hash is null then
                    case
                        when not delivery.absence_is_evidence then 'kept'
                        when (district_id, source_id) in (select district_id, source_id from set_aside) then 'kept'
                        else 'missing'
                    end
                when staged.is_to_be_deleted then case when opened.open_version is not null then 'tobedeleted' end
                when opened.open_version is null then 'added'
                else 'changed'
            end as kind,
            opened.open_version,
            staged.staged_row,
            delivery.delivery_id,
            delivery.sequence,
            delivery.service_date
        from staged
        full join opened using ({{ key | join(', ') }})
        inner join delivery using (district_id)
        where
            staged.is_to_be_deleted
            or staged.row_hash is null
            or opened.open_row_hash is null
            or staged.row_hash <> opened.open_row_hash
    )

    select * from difference
    where kind is not null;
    analyze row_change
{% endmacro %}


{# Writes the ledger's counts. Answers whether so much changes that readers' plans would suffer from the old statistics. #}
{% macro history_count() %}
    insert into rollcall.change_count (delivery_id, entity, added, changed, removed, kept)
    select
        current_build.delivery_id,
        '{{ config.get('meta').file }}',
        count(*) filter (where row_change.kind = 'added'),
        count(*) filter (where row_change.kind = 'changed'),
        count(*) filter (where row_change.kind in ('missing', 'tobedeleted')),
        count(*) filter (where row_change.kind = 'kept')
    from rollcall.current_build
    left join row_change on current_build.delivery_id = row_change.delivery_id
    group by current_build.delivery_id
    on conflict (delivery_id, entity) do update set
        added = excluded.added, changed = excluded.changed, removed = excluded.removed, kept = excluded.kept;
    select (
        (select count(*) from row_change where kind <> 'kept')
        > (select 0.1 * reltuples from pg_class where oid = '{{ this }}'::regclass)
    ) as changes_much
{% endmacro %}


{% macro history_close(history) %}
    update {{ history }} as history
    set valid_to_seq = row_change.sequence, end_reason = row_change.kind, ended_on = row_change.service_date
    from row_change
    where
        history.ctid = row_change.open_version
        and row_change.kind in ('changed', 'missing', 'tobedeleted')
{% endmacro %}


{# The staged rows that begin a version. #}
{% macro history_new(staged) %}
    select staged.*
    from row_change
    inner join ({{ staged }}) as staged on row_change.staged_row = staged.staged_row
    where row_change.kind in ('added', 'changed')
{% endmacro %}


{# The same where no district of the build has an open version: there is nothing to compare with. #}
{% macro history_first(staged) %}
    select *
    from ({{ staged }}) as staged
    where not is_to_be_deleted
{% endmacro %}


{# Writes the ledger's counts for a build of which nothing is published yet. #}
{% macro history_count_first(staged) %}
    insert into rollcall.change_count (delivery_id, entity, added, changed, removed, kept)
    select
        current_build.delivery_id,
        '{{ config.get('meta').file }}',
        count(first.delivery_id),
        0,
        0,
        0
    from rollcall.current_build
    left join ({{ history_first(staged) }}) as first on current_build.delivery_id = first.delivery_id
    group by current_build.delivery_id
    on conflict (delivery_id, entity) do update set
        added = excluded.added, changed = excluded.changed, removed = excluded.removed, kept = excluded.kept
{% endmacro %}


{# A key that was staged twice (the gate sets such rows aside) gets one version, and the audits tell; in the very first
   load, which has no key yet, it fails the build. #}
{% macro history_insert(history, newly) %}
    {%- set columns = history_columns() -%}
    insert into {{ history }} (valid_from_seq, {{ columns | join(', ') }})
    select sequence, {{ columns | join(', ') }}
    from ({{ newly }}) as newly
    {%- if has_history_key(history) %}
    on conflict ({{ config.get('meta').key | join(', ') }}, valid_from_seq) do nothing
    {%- endif %}
{% endmacro %}


{# Whether anything is open of the districts of the running build. #}
{% macro has_open_versions(history) %}
    {%- set query -%}
        select exists (select from {{ history }} where valid_to_seq is null and district_id in {{ districts_in_build() }})
    {%- endset -%}
    {{ return(run_query(query).rows[0][0]) }}
{% endmacro %}


{# The columns that a history table takes over from staging. #}
{% macro history_columns() %}
    {%- set own = ['valid_from_seq', 'valid_to_seq', 'end_reason', 'ended_on'] -%}
    {{ return(model.columns.keys() | reject('in', own) | list) }}
{% endmacro %}
