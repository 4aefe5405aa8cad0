{# Versions of what is worked out from other history: counted in the same sequences, undone, gone back to and read as of a
   night by the same means. The model's macro (`meta: macro`) says how the rows of some units (`meta: unit`), a class for
   instance, are to be; what is open of these units and is not so is ended, what is so and not open is begun, in one
   transaction. An older warehouse's sequences, which wait in the ledger, are made up for first. #}
{% materialization worked_out_history, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- do make_up_for_history(target_relation) -%}
    {%- if deliveries_in_build() -%}
        {%- do write_worked_out(target_relation, nights_in_build(), sql) -%}
    {%- else -%}
        {%- do run_query(history_table_statistics(target_relation, model.columns)) -%}
        {%- do persist_docs(target_relation, model) -%}
    {%- endif -%}
    {%- call statement('main') -%} select 'written' {%- endcall -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Works off the list `rollcall.history_to_fill`, each sequence of a district in a transaction of its own: after a crash
   the next deploy or build goes on with what is left. #}
{% macro make_up_for_history(history) %}
    {%- set parts = run_query(
        "select district_id, sequence from rollcall.history_to_fill where model = '" ~ this.name
        ~ "' order by sequence, district_id"
    ).rows -%}
    {%- for waiting in parts -%}
        {%- set night -%}
            select
                district_id,
                accepted_sequence as sequence,
                service_date as night
            from rollcall.delivery
            where district_id = '{{ waiting.district_id }}' and accepted_sequence = {{ waiting.sequence }}
        {%- endset -%}
        {%- set rows = context[config.get('meta').macro](night, whole=waiting.sequence == 1) -%}
        {%- do write_worked_out(history, night, rows) -%}
        {%- set done -%}
            delete from rollcall.history_to_fill
            where
                model = '{{ this.name }}'
                and district_id = '{{ waiting.district_id }}'
                and sequence = {{ waiting.sequence }};
            commit;
            begin
        {%- endset -%}
        {%- do run_query(done) -%}
    {%- endfor -%}
{% endmacro %}


{# Writes what differs. What PostgreSQL expects of conditions on several columns is too little by orders of magnitude: it is
   kept from merging by the district alone, which compares all of a district's rows with one another, and where much has
   changed also from going through it row by row. Its hash tables may take twice `work_mem` each, three at a time. #}
{% macro write_worked_out(history, sequences, rows) %}
    {%- set meta = config.get('meta') -%}
    {%- call statement('begin') -%} set local work_mem = '64MB'; set local jit = off; set local enable_mergejoin = off {%- endcall -%}
    {%- if has_much_changed(sequences) -%}
        {%- do run_query('set local enable_nestloop = off') -%}
    {%- endif -%}
    {%- set changes_much -%}
        {{ wanted_rows(model, rows) }};
        select
            (select count(*) from wanted)
            > (select 0.1 * greatest(reltuples, 0) from pg_class where oid = '{{ history }}'::regclass)
            as changes_much
    {%- endset -%}
    {%- set changes_much = run_query(changes_much).rows[0].changes_much -%}
    {%- do run_query(worked_out_changes(history, model)) -%}
    {%- do run_query(history_indexes(history, this.name, meta)) -%}
    {%- if changes_much -%}
        {%- do run_query('analyze ' ~ history) -%}
    {%- endif -%}
{% endmacro %}


{# The rows as they are to be, in the temporary table `wanted`. #}
{% macro wanted_rows(node, rows) -%}
    {%- set content = history_columns(node) | reject('in', node.config.meta.key + ['row_hash']) | list -%}
    create temporary table wanted on commit drop as
    select
        worked_out.*,
        hash_record_extended(row(worked_out.{{ content | join(', worked_out.') }}), 0) as row_hash
    from ({{ rows }}) as worked_out;
    analyze wanted
{%- endmacro %}


{# What makes history of `wanted`: it ends what is not so any more, and begins what is. #}
{% macro worked_out_changes(history, node) -%}
    {%- set meta = node.config.meta -%}
    {%- set is_the_same -%}
        wanted.is_there
        and wanted.row_hash = history.row_hash
        {%- for column in meta.key %}
        and wanted.{{ column }} = history.{{ column }}
        {%- endfor %}
    {%- endset -%}
    update {{ history }} as history
    set valid_to_seq = unit.sequence, end_reason = 'changed', ended_on = unit.night
    from (select distinct {{ meta.unit | join(', ') }}, sequence, night from wanted) as unit
    where
        history.valid_to_seq is null
        {%- for column in meta.unit %}
        and history.{{ column }} = unit.{{ column }}
        {%- endfor %}
        and not exists (select from wanted where {{ is_the_same }});

    insert into {{ history }} (valid_from_seq, {{ history_columns(node) | join(', ') }})
    select wanted.sequence, wanted.{{ history_columns(node) | join(', wanted.') }}
    from wanted
    where
        wanted.is_there
        and not exists (
            select from {{ history }} as history where history.valid_to_seq is null and {{ is_the_same }}
        );

    drop table wanted
{%- endmacro %}


{# Whether so many records begin or end with these sequences that reading whole tables is quicker than looking up what
   they touch: more than some, and where the model looks its units up in one that is long (`meta: looked_up_in`), more
   than one in fifty of that one's versions. #}
{% macro has_much_changed(sequences) %}
    {%- set looked_up_in = config.get('meta').looked_up_in -%}
    {%- set query -%}
        select
            coalesce(sum(added + changed + removed), 0) > greatest(
                20000
                {%- if looked_up_in %},
                (select 0.02 * reltuples from pg_class where oid = '{{ ref(looked_up_in) }}'::regclass)
                {%- endif %}
            )
        from ({{ sequences }}) as written
        inner join rollcall.delivery
            on written.district_id = delivery.district_id and written.sequence = delivery.accepted_sequence
        inner join rollcall.change_count using (delivery_id)
    {%- endset -%}
    {{ return(run_query(query).rows[0][0]) }}
{% endmacro %}
