"""A delivery that was accepted once, landed and judged again, and then taken as it was judged then."""

from psycopg import sql
from psycopg.types.json import Jsonb

from rollcall.ledger import landing_schema
from rollcall.oneroster import FILE_BY_NAME
from rollcall.recovery.differences import Difference
from rollcall.recovery.recorded import Recorded, Row
from rollcall.steps import check_again
from rollcall.warehouse import Connection, connect, values

_TOLD = "jsonb_to_recordset(%(told)s) as told (file text, code text, row_number bigint)"

_OTHERWISE = f"""
    select distinct file from (
        (select file, code, row_number from {{table}} except select file, code, row_number from {_TOLD})
        union all
        (select file, code, row_number from {_TOLD} except select file, code, row_number from {{table}})
    ) as either
    where file = any(%(known)s)
    order by file
"""

_SET_ASIDE = f"""
    insert into {{table}} (file, code, row_number, sourced_id)
    select told.file, told.code, told.row_number, landed.sourced_id
    from {_TOLD}
    left join {{landed}} as landed on told.row_number = landed._row
    where told.file = {{file}}
"""

_AS_THEN = """
    update rollcall.delivery_file as present
    set verdict = told.verdict, verdict_reason = told.verdict_reason, mode = told.mode,
        absence_is_evidence = told.absence_is_evidence,
        rows_set_aside = case
            when present.file = any(%(known)s) then told.rows_set_aside else present.rows_set_aside
        end,
        rule_book = case when present.file = any(%(otherwise)s) then null else present.rule_book end
    from jsonb_populate_recordset(null::rollcall.delivery_file, %(files)s) as told
    where present.delivery_id = told.delivery_id and present.file = told.file
"""
"""Without its rule book, the file of the night after is judged in full."""

_JUDGED = "{}, sequence {}: today's rules set other rows aside; those of then were set aside."
_UNKNOWN = "{}, sequence {}: today's rules set another number of rows aside; which ones were then is not on record."

_COUNTED_OTHERWISE = """
    select file from rollcall.delivery_file as present
    inner join jsonb_populate_recordset(null::rollcall.delivery_file, %(files)s) as told using (delivery_id, file)
    where coalesce(present.rows_set_aside, 0) <> coalesce(told.rows_set_aside, 0) and not (
        coalesce(present.rows_set_aside, 0) < coalesce(told.rows_set_aside, 0)
        and present.archive_path in (select archive_path from rollcall.rewritten_file)
    )
    order by file
"""
"""Of a file that was written anew without a person, their rows are not set aside any more."""


def judge_as_recorded(recorded: Recorded, delivery: Row) -> list[Difference]:
    """Land and judge a delivery by today's rules, then let count what counted then.

    Args:
        recorded: What the archive tells of the district.
        delivery: The ledger's row, as the archive tells it.

    Returns:
        The files that today's rules judge otherwise; and those of which it is not known what counted then.
    """
    delivery_id = delivery["delivery_id"]
    check_again(delivery_id)
    (told, known), files = recorded.set_aside(delivery), Jsonb(recorded.rows("delivery_file", delivery_id))
    with connect() as connection:
        otherwise = _set_aside_as_then(connection, delivery_id, told, known)
        unknown = set(values(connection, _COUNTED_OTHERWISE, {"files": files})) - known
        parameters = {"files": files, "known": list(known), "otherwise": [*otherwise, *unknown]}
        connection.execute(_AS_THEN, parameters)
    sequence = delivery["accepted_sequence"]
    return [
        *(Difference(recorded.district_id, "judged_otherwise", _JUDGED.format(file, sequence), delivery_id)
          for file in otherwise),
        *(Difference(recorded.district_id, "set_aside_unknown", _UNKNOWN.format(file, sequence), delivery_id)
          for file in sorted(unknown)),
    ]  # fmt: skip


def _set_aside_as_then(connection: Connection, delivery_id: int, told: list[Row], known: set[str]) -> list[str]:
    """Set aside the rows of then in the place of today's; the files of which these are others."""
    schema = landing_schema(delivery_id)
    table = sql.Identifier(schema, "row_set_aside")
    parameters = {"told": Jsonb(told), "known": list(known)}
    otherwise = values(connection, sql.SQL(_OTHERWISE).format(table=table), parameters)
    for file in otherwise:
        landed = sql.Identifier(schema, FILE_BY_NAME[file].table_name)
        connection.execute(sql.SQL("delete from {} where file = %s").format(table), [file])
        statement = sql.SQL(_SET_ASIDE).format(table=table, file=sql.Literal(file), landed=landed)
        connection.execute(statement, parameters)
    return otherwise
