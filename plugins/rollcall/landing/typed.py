"""Each landed file, read: the view ``typed_<file>`` in the delivery's schema, on the raw rows.

Beside every cell as it was sent (``sent_role``, ``sent_class_source_id``) stands the attribute that is read from it,
under its name in history (``role``, ``class_source_id``). What compares and publishes a delivery reads this view, and
pays for those rows and attributes only that it asks for: most rows of a night are as they were. What tells which is the
table ``fingerprint_<file>``.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from psycopg import sql

from rollcall.landing.schema import drop_relation
from rollcall.ledger import Delivery
from rollcall.oneroster import FILES, TO_BE_DELETED, Column, File, Kind
from rollcall.warehouse import Connection, is_there

TRIMMED = "nullif(btrim({cell}), '')"

# Most cells hold no space, and are split without a subquery.
LIST = """case
    when position(' ' in {cell}) = 0 then array_remove(string_to_array({cell}, ','), '')
    when {cell} is not null then array(
        select btrim(part.element)
        from unnest(string_to_array({cell}, ',')) with ordinality as part (element, place)
        where btrim(part.element) <> '' order by part.place
    )
end"""

# What is written as the standard has it needs no closer look.
DATE = """case
    when {cell} is null then null
    when ({cell} like '____-__-__' or {cell} ~ '^ *[0-9]{{4}}-[0-9][0-9]?-[0-9][0-9]? *$')
        and pg_input_is_valid({cell}, 'date') then {cell}::date
end"""
BOOLEAN = """case {cell}
    when 'true' then true
    when 'false' then false
    else case when pg_input_is_valid({cell}, 'boolean') then {cell}::boolean end
end"""
ENUMERATION = """case
    when {cell} in ({values}) then {cell}
    when lower(btrim({cell})) like 'ext:%' then btrim({cell})
    else case lower(btrim({cell})) {spellings} else nullif(lower(btrim({cell})), '') end
end"""

READINGS: dict[Kind, str] = {
    "text": TRIMMED,
    "id": TRIMMED,
    "list": LIST,
    "ids": LIST,
    "date": DATE,
    "datetime": "case when pg_input_is_valid({cell}, 'timestamptz') then {cell}::timestamptz end",
    "boolean": BOOLEAN,
    "year": "case when {cell} ~ '^ *(19|20)[0-9][0-9] *$' then {cell}::integer end",
    "enumeration": ENUMERATION,
}
"""How a cell of each kind is read; null where it cannot be. An enumeration comes out in the standard's spelling, what a
district adds to it (``ext:``) as it was sent, anything else in lower case."""

NOTHING = sql.SQL("")

AT_ONCE = "offset 0"
"""Fences a subquery: what is read in it is read once for each of its rows, before anything is joined to it."""

COMPARED = "compared"
"""The table of a delivery's schema that says against what its changes were computed (`rollcall.decision.changes`)."""

SCHOOL_YEAR_OF = "extract(year from {date} + interval '6 months')::integer"
"""The school year that a day lies in when no session says otherwise: named after the year in which it ends, from July
1 on."""


def typed_table(delivery: Delivery, file: File) -> sql.Identifier:
    """The typed relation of a delivery's file."""
    return sql.Identifier(delivery.landing_schema, f"typed_{file.table_name}")


def fingerprint_table(delivery: Delivery, file: File) -> sql.Identifier:
    """The table of a delivery's file with ``_row``, ``source_id`` and ``fingerprint``, a hash of the cells as sent."""
    return sql.Identifier(delivery.landing_schema, f"fingerprint_{file.table_name}")


def make_typed(connection: Connection, delivery: Delivery, file: File) -> None:
    """Make a landed file's typed relation and its fingerprints, in place of earlier ones.

    The relation's columns are ``_row``; ``sent_<attribute>`` for every cell; ``source_id``, ``is_to_be_deleted``, the
    attributes, ``metadata``; and ``row_hash``, a hash of what is read.

    What was compared before is forgotten: the changes may be others now, and a view of them goes with the relation.

    Args:
        connection: A transaction with the rights of landing.
        delivery: The delivery.
        file: A file that has a table in the delivery's schema.
    """
    typed, fingerprints = typed_table(delivery, file), fingerprint_table(delivery, file)
    for relation in (sql.Identifier(delivery.landing_schema, COMPARED), typed, fingerprints):
        drop_relation(connection, relation)
    connection.execute(sql.SQL("create view {} as {}").format(typed, _rows_read(delivery, file)))
    connection.execute(
        sql.SQL(
            "create unlogged table {fingerprints} as"
            " select landed._row, {source_id}, {fingerprint} as fingerprint from {landed} as landed"
        ).format(
            fingerprints=fingerprints,
            source_id=SOURCE_ID,
            fingerprint=fingerprint(file),
            landed=_landed(delivery, file),
        )
    )
    _sample(connection, delivery, file)


def _sample(connection: Connection, delivery: Delivery, file: File) -> None:
    """Have PostgreSQL sample what queries join and filter by: references and enumerations, as they are read."""
    sampled = [column for column in file.landed_columns if column.kind == "id" or column.values]
    for column in sampled:
        connection.execute(
            sql.SQL("create statistics if not exists {name} on ({reading}) from {landed}").format(
                name=sql.Identifier(delivery.landing_schema, f"read_{file.table_name}_{column.attribute}"),
                reading=as_read(column, sql.Identifier(column.column_name)),
                landed=_landed(delivery, file),
            )
        )
    connection.execute(
        sql.SQL("analyze {landed} (_row, {cells}); analyze {fingerprints}").format(
            landed=_landed(delivery, file),
            cells=sql.SQL(", ").join(sql.Identifier(column.column_name) for column in sampled),
            fingerprints=fingerprint_table(delivery, file),
        )
    )


def reading(file: File, night: date = date.min) -> sql.Composed:
    """How a landed row is read: what is selected of it, but for the hash.

    Args:
        file: The file.
        night: The night that is served.
    """
    return sql.SQL("landed._row, {sent}, {read}").format(
        sent=sql.SQL(", ").join(_sent(file)), read=sql.SQL(", ").join(_read(file, night))
    )


def make_missing_typed(connection: Connection, delivery: Delivery, files: Sequence[File] = FILES) -> None:
    """Make those typed relations that are not there; of the files that a roster is made of, if none are named."""
    for file in files:
        if not is_there(connection, typed_table(delivery, file)):
            make_typed(connection, delivery, file)


def all_typed(delivery: Delivery, file: File) -> sql.Composed:
    """The typed relation as a subquery for those who want every attribute of every row: each cell is read once."""
    return sql.SQL("({})").format(_rows_read(delivery, file, fence=sql.SQL(AT_ONCE)))


def _rows_read(delivery: Delivery, file: File, fence: sql.Composable = NOTHING) -> sql.Composed:
    """A query for the rows of a file as they are read, with the hash."""
    return sql.SQL(
        "select *, {row_hash} as row_hash from (select {reading} from {landed} as landed {fence}) as read"
    ).format(
        row_hash=row_hash(file),
        reading=reading(file, delivery.service_date),
        landed=_landed(delivery, file),
        fence=fence,
    )


def accepted_rows(
    delivery: Delivery,
    file: File,
    joined: sql.Composable = NOTHING,
    *,
    typed: sql.Composable | None = None,
    set_aside: sql.Composable | None = None,
) -> sql.Composed:
    """``from … where …`` for the rows of a file that count: not set aside. By the alias ``delivered``.

    Args:
        delivery: The delivery.
        file: The file.
        joined: Joins to put between the two.
        typed: What to read them from, if not from the typed relation.
        set_aside: The table of what is set aside, if not ``row_set_aside``.
    """
    return sql.SQL(
        "from {typed} as delivered {joined} where delivered.source_id is not null and not exists ("
        "select from {set_aside} as aside where aside.file = {file} and aside.row_number = delivered._row)"
    ).format(
        typed=typed or typed_table(delivery, file),
        joined=joined,
        set_aside=set_aside or sql.Identifier(delivery.landing_schema, "row_set_aside"),
        file=sql.Literal(file.name),
    )


def fingerprint(file: File) -> sql.Composed:
    """A hash of a landed row's cells as they were sent, by the alias ``landed``; PostgreSQL's own, of 64 bits."""
    cells = [*(column.column_name for column in file.landed_columns), "_metadata"]
    return sql.SQL("hash_record_extended(row({}), 0)").format(
        sql.SQL(", ").join(sql.Identifier("landed", cell) for cell in cells)
    )


def _sent(file: File) -> Iterator[sql.Composed]:
    """The cells, each under the name of what is read from it."""
    cells = [(column.column_name, column.attribute) for column in file.landed_columns]
    for cell, attribute in [*cells, ("_metadata", "metadata")]:
        yield sql.SQL("{} as {}").format(_cell(cell), sql.Identifier(f"sent_{attribute}"))


def _read(file: File, night: date) -> Iterator[sql.Composed]:
    """The attributes, each with its name."""
    yield SOURCE_ID
    yield sql.SQL("coalesce(lower(btrim({})) in ({}), false) as is_to_be_deleted").format(
        _cell("status"), sql.SQL(", ").join(map(sql.Literal, TO_BE_DELETED))
    )
    for column in file.content:
        yield sql.SQL("{} as {}").format(as_read(column), sql.Identifier(column.attribute))
    yield from (_school_year(night, column, file) for column in file.columns if column.kind == "year")
    yield sql.SQL("case when pg_input_is_valid({cell}, 'jsonb') then {cell}::jsonb end as metadata").format(
        cell=_cell("_metadata")
    )


def _school_year(night: date, column: Column, file: File) -> sql.Composed:
    """The school year that a session names; else that of its first day, or of the night (law 9)."""
    start = next(each for each in file.columns if each.name == "startDate")
    day = sql.SQL("coalesce({}, {})").format(as_read(start), sql.Literal(night))
    return sql.SQL("coalesce({}, {}) as school_year").format(as_read(column), sql.SQL(SCHOOL_YEAR_OF).format(date=day))


def as_read(column: Column, cell: sql.Identifier | None = None) -> sql.Composed:
    """How a column's cells are read; by the alias ``landed``, if nothing else is said."""
    cell = cell or _cell(column.column_name)
    if column.kind != "enumeration":
        return sql.SQL(READINGS[column.kind]).format(cell=cell)
    return sql.SQL(ENUMERATION).format(
        cell=cell,
        values=sql.SQL(", ").join(map(sql.Literal, column.values)),
        spellings=sql.SQL(" ").join(
            sql.SQL("when {} then {}").format(sql.Literal(value.lower()), sql.Literal(value)) for value in column.values
        ),
    )


def _landed(delivery: Delivery, file: File) -> sql.Identifier:
    """The raw rows of a delivery's file."""
    return sql.Identifier(delivery.landing_schema, file.table_name)


def _cell(name: str) -> sql.Identifier:
    return sql.Identifier("landed", name)


SOURCE_ID = sql.SQL(TRIMMED + " as source_id").format(cell=_cell("sourced_id"))


def row_hash(file: File) -> sql.Composed:
    """One hash over the attributes of a row or a version, as an expression on them.

    The separator cannot occur in a cell, and a blank cell is null, so that no two different rows are concatenated to
    the same text. The columns that the standard does not know count when there are any: concat_ws passes over a null.
    """
    values = [sql.SQL("coalesce({}::text, '')").format(sql.Identifier(column.attribute)) for column in file.content]
    return sql.SQL("md5(concat_ws(chr(31), {}, metadata::text))::uuid").format(sql.SQL(", ").join(values))
