"""Two nights compared in one query; how each district stands, for readers."""

from alembic import op

revision = "0016"
down_revision = "0015"

# What 0012 made for roster.as_of alone. The setting's own function is standard SQL: readers, who may name nothing of
# this schema, run it and what it calls.
NIGHT_ASKED_FOR = """
create function rollcall.night_asked_for(setting text, misspellings text[], latest date default null) returns date
language plpgsql stable parallel safe as $$
declare
    asked constant text := nullif(current_setting(setting, true), '');
    misspelled text;
begin
    foreach misspelled in array misspellings loop
        if nullif(current_setting(misspelled, true), '') is not null then
            raise exception 'The setting % means nothing: the night is asked for with %.', misspelled, setting
            using errcode = 'undefined_object',
                hint = format('reset %s; set %s = ''2026-10-15''', misspelled, setting);
        end if;
    end loop;
    if asked is null then
        return null;
    end if;
    if asked !~ '^\\d{4}-\\d{2}-\\d{2}$' or not pg_input_is_valid(asked, 'date') then
        raise exception '% is set to %, which is no date.', setting, quote_literal(asked)
        using errcode = 'invalid_datetime_format',
            hint = format('Say it as in: set %1$s = ''2026-10-15'', or leave it out: reset %1$s.', setting);
    end if;
    -- As rollcall.latest_night() has it, which readers may not call by its name.
    if asked::date > (now() at time zone interval '14 hours')::date then
        raise exception '% is set to %, a night that has not come anywhere on earth.', setting, asked
        using errcode = 'datetime_field_overflow',
            hint = format('Say a night that has come, or leave it out: reset %s.', setting);
    end if;
    if asked::date > latest then
        raise exception '% is set to %, which is later than roster.as_of, %.', setting, asked, latest
        using errcode = 'datetime_field_overflow',
            hint = format('The earlier one of the two nights is %s, the later one roster.as_of.', setting);
    end if;
    return asked::date;
end
$$;
comment on function rollcall.night_asked_for(text, text[], date) is
    'The night that a setting of the session asks for; null where it is not set. Refuses what is no date, a night to '
    'come or after the latest, and the likeliest misspellings of the setting: without it they would mean nothing.';

create or replace function rollcall.as_of() returns date language sql stable parallel safe begin atomic
select rollcall.night_asked_for('roster.as_of', array[
    'roster.asof', 'roster.as_off', 'roster.as_on', 'roster.as_at', 'roster.as_fo', 'roster.aso_f', 'roster.a_sof',
    'roster.sa_of', 'roster.as_o', 'roster.as_f', 'roster.a_of', 'roster.s_of', 'roster.ass_of', 'roster.as__of',
    'roster.as_of_date', 'roster.as_of_night', 'roster.asof_date', 'roster.date', 'roster.night',
    'rosters.as_of', 'rooster.as_of', 'roaster.as_of', 'rollcall.as_of', 'roster_restricted.as_of'
]);
end;

create function rollcall.compare_with() returns date language sql stable parallel safe begin atomic
select rollcall.night_asked_for('roster.compare_with', array[
    'roster.compare', 'roster.compare_to', 'roster.compared_with', 'roster.compared_to', 'roster.comparewith',
    'roster.compareto', 'roster.compare_night', 'roster.compare_with_night', 'roster.since', 'roster.from',
    'rosters.compare_with', 'rooster.compare_with', 'rollcall.compare_with', 'roster_restricted.compare_with'
], rollcall.as_of());
end;
comment on function rollcall.compare_with() is
    'The earlier one of two nights that are compared, by the setting roster.compare_with; null for the one before.';
"""

GRANTED = """
    (
        select jsonb_object_agg(granted.district_id, true) from rollcall.readable_district as granted
    )[district.district_id] is not null
    and district.district_id = any(array(select granted.district_id from rollcall.readable_district as granted))
"""

COMPARED_NIGHT = """
create view rollcall.compared_night as
select
    published.district_id,
    earlier.sequence,
    earlier.effective_date,
    earlier.published_at,
    earlier.enrollment_end_date
from rollcall.published
cross join lateral (
    select
        published_night.sequence,
        published_night.effective_date,
        published_night.published_at,
        published_night.enrollment_end_date
    from rollcall.published_night
    where
        published_night.district_id = published.district_id
        and published_night.effective_date
            <= coalesce((select rollcall.compare_with()), published.effective_date - 1)
    order by published_night.effective_date desc
    limit 1
) as earlier;
comment on view rollcall.compared_night is
    'The night that rollcall.published is compared with, a row per district that has one: with '
    '`set roster.compare_with = ''2026-10-07''` the last publication that stood for that night or an earlier one, else '
    'the night before.';
grant select on rollcall.compared_night to roster_owner, rollcall_loader, rollcall_dbt;
"""

# Looked up per district, behind a limit or an aggregate, so that no condition of a reader's reaches a table of the
# ledger, whose statistics hold values of every district. A night that has come nowhere on earth, as an older version
# let in, is no district's latest.
QUALITY = """
create view rollcall.district_quality as
select
    district.district_id,
    coalesce(published.district_name, district.name) as district_name,
    published.effective_date as last_good_night,
    published.published_at as last_published_at,
    latest.service_date as latest_night,
    latest.outcome as latest_outcome,
    since.nights_without,
    held.service_date as held_night,
    held.opened_at as held_since,
    coalesce(held.reasons, '{{}}') as held_reasons,
    rejected.service_date as rejected_night,
    rejected.state as rejected_state,
    coalesce(good.rows_set_aside, 0) as rows_set_aside,
    coalesce(good.rows_kept, 0) as rows_kept
from rollcall.district
left join rollcall.published on published.district_id = district.district_id
left join lateral (
    select
        night.service_date,
        case night.outcome when 'failed' then 'failed' else coalesce(delivery.state, night.outcome) end as outcome
    from rollcall.night
    left join rollcall.delivery on delivery.delivery_id = night.delivery_id
    where night.district_id = district.district_id
        and night.service_date <= coalesce((select rollcall.as_of()), (now() at time zone interval '14 hours')::date)
    order by night.service_date desc
    limit 1
) as latest on true
cross join lateral (
    select count(*)::integer as nights_without
    from rollcall.night
    left join rollcall.delivery on delivery.delivery_id = night.delivery_id
    where night.district_id = district.district_id
        and night.service_date > coalesce(published.effective_date, '-infinity')
        and night.service_date <= coalesce((select rollcall.as_of()), (now() at time zone interval '14 hours')::date)
        and night.outcome <> 'not_expected'
        and (
            night.outcome not in ('waiting', 'in_progress') or delivery.state = 'held'
            or night.service_date < latest.service_date
        )
) as since
left join lateral (
    select
        delivery.service_date,
        hold.opened_at,
        array(
            select distinct reason ->> 'code' from jsonb_array_elements(hold.reasons) as reason order by 1
        ) as reasons
    from rollcall.delivery
    inner join rollcall.hold on hold.delivery_id = delivery.delivery_id
    where delivery.district_id = district.district_id and delivery.state = 'held'
        and coalesce(delivery.service_date <= (select rollcall.as_of()), true)
    order by delivery.service_date desc, delivery.arrived_at desc
    limit 1
) as held on true
left join lateral (
    select delivery.service_date, delivery.state
    from rollcall.delivery
    where delivery.district_id = district.district_id
        and delivery.state in ('rejected', 'audit_failed', 'conform_failed')
        and delivery.service_date > coalesce(published.effective_date, '-infinity')
        and coalesce(delivery.service_date <= (select rollcall.as_of()), true)
    order by delivery.service_date desc, delivery.arrived_at desc
    limit 1
) as rejected on true
left join lateral (
    select
        (
            select sum(coalesce(file.rows_set_aside, 0) + coalesce(file.rows_ragged, 0))::integer
            from rollcall.delivery_file as file
            where file.delivery_id = delivery.delivery_id
        ) as rows_set_aside,
        (
            select sum(change.kept)::integer
            from rollcall.change_count as change
            where change.delivery_id = delivery.delivery_id
        ) as rows_kept
    from rollcall.delivery
    where delivery.district_id = district.district_id and delivery.accepted_sequence = published.sequence
    limit 1
) as good on true
where {granted};
comment on view rollcall.district_quality is
    'How each district stands that whoever asks may see: the last good night, what came since, what is held or '
    'rejected now. With roster.as_of, of the nights up to that one.';

create view rollcall.open_finding as
select
    district.district_id,
    delivery.service_date,
    delivery.state as delivery_state,
    finding.file,
    finding.code,
    finding.severity,
    finding.rows_failed
from rollcall.district
left join rollcall.published on published.district_id = district.district_id
cross join lateral (
    select distinct on (delivery.service_date)
        delivery.delivery_id,
        delivery.service_date,
        delivery.state
    from rollcall.delivery
    where delivery.district_id = district.district_id
        and (
            delivery.accepted_sequence = published.sequence
            or delivery.state in ('held', 'rejected', 'audit_failed', 'conform_failed')
            and delivery.service_date > coalesce(published.effective_date, '-infinity')
            and coalesce(delivery.service_date <= (select rollcall.as_of()), true)
        )
    order by delivery.service_date desc, delivery.arrived_at desc
    offset 0
) as delivery
cross join lateral (
    select check_result.file, check_result.code, check_result.severity, check_result.rows_failed
    from rollcall.check_result
    where check_result.delivery_id = delivery.delivery_id and check_result.rows_failed > 0
    offset 0
) as finding
where {granted};
comment on view rollcall.open_finding is
    'What the checks found in the delivery that each district shows, and in those that were held or rejected since: a '
    'row per delivery, file and code. Holds no values.';
grant select on rollcall.district_quality, rollcall.open_finding to roster_owner, rollcall_loader, rollcall_dbt;
"""


def upgrade() -> None:
    """Make the settings' functions, and the views that marts read beside the pointer."""
    op.execute(NIGHT_ASKED_FOR)
    op.execute(COMPARED_NIGHT)
    op.execute(QUALITY.format(granted=GRANTED))
