"""How a landed cell is read, as SQL: the readings of ``dbt_project/macros/cells.sql``, from the kinds of columns.

A forecast must come to what conform will do; a cell that cannot be read at all is null here and never fails a decision.
"""

from dataclasses import dataclass

from psycopg import sql

from rollcall.oneroster import Column, File, Kind

NAMED_OTHERWISE = {"enabled_user": "is_enabled"}
"""Columns that history calls otherwise, beyond that it speaks of a ``source_id``."""

NO_CONTENT = frozenset({"sourcedId", "status", "dateLastModified", "schoolYear"})
"""Columns that are no content of a record: its key, and what the row says of itself."""

_TRIMMED = "nullif(btrim({cell}), '')"
_LIST = """case
        when position(' ' in {cell}) = 0 then array_remove(string_to_array({cell}, ','), '')
        when {cell} is not null then array(
            select btrim(part.element)
            from unnest(string_to_array({cell}, ',')) with ordinality as part (element, place)
            where btrim(part.element) <> '' order by part.place
        )
    end"""
_CAST = "case when pg_input_is_valid({cell}, '%s') then {cell}::%s end"

READINGS: dict[Kind, str] = {
    "text": _TRIMMED,
    "id": _TRIMMED,
    "enumeration": "nullif(lower(btrim({cell})), '')",
    "list": _LIST,
    "ids": _LIST,
    "date": _CAST % ("date", "date"),
    "datetime": _CAST % ("timestamptz", "timestamptz"),
    "boolean": _CAST % ("boolean", "boolean"),
    "year": _CAST % ("integer", "integer"),
}
"""The reading of each kind; enumerations in lower case, whatever the standard's spelling."""

IS_TO_BE_DELETED = sql.SQL("coalesce(lower(btrim(landed.status)) in ('tobedeleted', 'inactive'), false)")
SOURCE_ID = sql.SQL("nullif(btrim(landed.sourced_id), '')")


@dataclass(frozen=True)
class Content:
    """One attribute of a record.

    Attributes:
        name: What history calls it.
        delivered: How to read it from a landed row, by the alias ``landed``.
        published: How to read the same from a version, by the alias ``version``.
    """

    name: str
    delivered: sql.Composable
    published: sql.Composable


FURTHER_COLUMNS = Content(
    "metadata",
    sql.SQL(_CAST % ("jsonb", "jsonb")).format(cell=sql.SQL("landed._metadata")),
    sql.SQL("version.metadata"),
)
"""What the standard does not know, all of it one attribute."""


def content_of(file: File) -> list[Content]:
    """The attributes of which a difference makes a record a changed one."""
    known = [_content(column) for column in file.landed_columns if column.name not in NO_CONTENT]
    return [*known, FURTHER_COLUMNS]


def _content(column: Column) -> Content:
    name = history_name(column)
    version = sql.SQL("version.{}").format(sql.Identifier(name))
    return Content(
        name,
        reading(column),
        sql.SQL("lower({})").format(version) if column.kind == "enumeration" else version,
    )


def reading(column: Column) -> sql.Composed:
    """How a column is read from a landed row, by the alias ``landed``."""
    cell = sql.SQL("landed.{}").format(sql.Identifier(column.column_name))
    return sql.SQL(READINGS[column.kind]).format(cell=cell)


def history_name(column: Column) -> str:
    """What history calls a column."""
    name = column.column_name.replace("sourced_id", "source_id")
    return NAMED_OTHERWISE.get(name, name)
