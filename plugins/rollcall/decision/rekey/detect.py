"""Records that vanish and seem to come back under a new id: a setting of the sending system was changed."""

from psycopg import sql

from rollcall.decision.comparison import Comparison
from rollcall.oneroster import FILE_BY_NAME, File
from rollcall.warehouse import Connection

ALIKE: dict[str, tuple[tuple[str, ...], ...]] = {
    "orgs": (("type", "identifier"), ("type", "name")),
    "courses": (("org_source_id", "course_code"),),
    "users": (("role", "identifier"), ("role", "username"), ("role", "email")),
    "classes": (("school_source_id", "course_source_id", "class_code", "term_source_ids"),),
    "enrollments": (("class_source_id", "user_source_id", "role"),),
}
"""By what the records of a file are known again, the surest first. All of a line must be filled and equal."""


def write_rekeyings(connection: Connection, comparison: Comparison, file_name: str) -> None:
    """Make the table ``rekeyed_<file>``: vanished records, each with the new one that looks like it.

    A value counts only if one vanished and one new record have it; nothing of a value leaves the database.
    """
    file = FILE_BY_NAME[file_name]
    connection.execute(sql.SQL("drop table if exists {}").format(comparison.rekeyed(file)))
    connection.execute(
        sql.SQL(
            """
            create unlogged table {rekeyed} as
            with vanished as (
                select change.source_id, change.school, {published_values}
                {published} and change.kind in ('absent', 'tobedeleted')
            ),
            appeared as (
                select change.source_id, {delivered_values} from {change} as change where change.kind = 'added'
            ),
            alike as ({matches}),
            once as (
                select distinct on (new_source_id) * from alike order by new_source_id, sureness, source_id
            )
            select distinct on (source_id) source_id, new_source_id, school
            from once order by source_id, sureness, new_source_id
            """
        ).format(
            rekeyed=comparison.rekeyed(file),
            published_values=_values(file_name, "version"),
            published=comparison.published(file, _changes(comparison, file)),
            delivered_values=_values(file_name, "change"),
            change=comparison.change(file),
            matches=sql.SQL(" union all ").join(_match(number) for number in range(len(ALIKE[file_name]))),
        )
    )


def _changes(comparison: Comparison, file: File) -> sql.Composed:
    """A join of the published versions with what changes of them."""
    return sql.SQL(
        "inner join {change} as change on version.valid_from_seq = change.valid_from_seq and {same_key}"
    ).format(
        change=comparison.change(file),
        same_key=sql.SQL(" and ").join(
            sql.SQL("version.{0} = change.{0}").format(sql.Identifier(name)) for name in file.key
        ),
    )


def _values(file_name: str, alias: str) -> sql.Composed:
    """For each line of `ALIKE` one text, null unless all its attributes are filled."""
    return sql.SQL(", ").join(
        sql.SQL("{value} as {name}").format(
            value=sql.SQL(" || chr(31) || ").join(
                sql.SQL("nullif(lower({}::text), '')").format(sql.Identifier(alias, attribute)) for attribute in line
            ),
            name=sql.Identifier(f"value_{number}"),
        )
        for number, line in enumerate(ALIKE[file_name])
    )


def _match(number: int) -> sql.Composed:
    """The pairs that one line of `ALIKE` gives."""
    return sql.SQL(
        """
        select {number} as sureness, vanished.source_id, appeared.source_id as new_source_id, vanished.school
        from (
            select {value}, min(source_id) as source_id, min(school) as school
            from vanished where {value} is not null group by {value} having count(*) = 1
        ) as vanished
        inner join (
            select {value}, min(source_id) as source_id
            from appeared where {value} is not null group by {value} having count(*) = 1
        ) as appeared using ({value})
        """
    ).format(number=sql.Literal(number), value=sql.Identifier(f"value_{number}"))
