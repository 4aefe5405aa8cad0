"""Each landed file, read: the relation ``typed_<file>`` in the delivery's schema, made from the raw rows in one pass.

Beside every cell as it was sent (``sent_role``, ``sent_class_source_id``) stands the attribute that is read from it,
under its name in history (``role``, ``class_source_id``). What compares and publishes a delivery reads this relation;
the gate's suites and references still read the raw rows, and fold case and deletion marks themselves.
"""

from collections.abc import Iterator
from datetime import date

from psycopg import sql

from rollcall.ledger import Delivery
from rollcall.oneroster import FILES, TO_BE_DELETED, Column, File, Kind
from rollcall.warehouse import Connection

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

LOOKED_UP = ("_row", "source_id", "is_to_be_deleted", "fingerprint", "row_hash")
"""What queries join and filter by, besides references and enumerations: only these are worth PostgreSQL's sampling."""

COMPARED = "compared"
"""The table of a delivery's schema that says against what its changes were computed (`rollcall.decision.changes`)."""

SCHOOL_YEAR_OF = "extract(year from {date} + interval '6 months')::integer"
"""The school year that a day lies in when no session says otherwise: named after the year in which it ends, from July
1 on."""


def typed_table(delivery: Delivery, file: File) -> sql.Identifier:
    """The typed relation of a delivery's file."""
    return sql.Identifier(delivery.landing_schema, f"typed_{file.table_name}")


def make_typed(connection: Connection, delivery: Delivery, file: File) -> None:
    """Read a landed file's rows into its typed relation, in place of an earlier one.

    Its columns are ``_row``; ``sent_<attribute>`` for every cell; ``source_id``, ``is_to_be_deleted``, the attributes,
    ``metadata``; ``fingerprint``, a hash of the cells as sent; and ``row_hash``, one of what is read from them.

    What was compared before is forgotten: the changes may be others now, and a view of them goes with the relation.

    Args:
        connection: A transaction with the rights of landing.
        delivery: The delivery.
        file: A file that has a table in the delivery's schema.
    """
    for relation in (sql.Identifier(delivery.landing_schema, COMPARED), typed_table(delivery, file)):
        connection.execute(sql.SQL("drop table if exists {} cascade").format(relation))
    connection.execute(
        sql.SQL(
            # The fence keeps PostgreSQL from reading each cell twice, for the row and for its hash. It fetches no less.
            "create unlogged table {typed} as select *, {row_hash} as row_hash from ("
            "select {reading} from {landed} as landed offset 0) as read"
        ).format(
            typed=typed_table(delivery, file),
            reading=reading(file, delivery.service_date),
            landed=sql.Identifier(delivery.landing_schema, file.table_name),
            row_hash=row_hash(file),
        )
    )
    looked_up = [column.attribute for column in file.content if column.kind in ("id", "enumeration")]
    connection.execute(
        sql.SQL("analyze {} ({})").format(
            typed_table(delivery, file), sql.SQL(", ").join(map(sql.Identifier, (*LOOKED_UP, *looked_up)))
        )
    )


def reading(file: File, night: date = date.min) -> sql.Composed:
    """How a landed row is read: what is selected of it, but for the hash.

    Args:
        file: The file.
        night: The night that is served.
    """
    return sql.SQL("landed._row, {sent}, {read}, {fingerprint} as fingerprint").format(
        sent=sql.SQL(", ").join(_sent(file)),
        read=sql.SQL(", ").join(_read(file, night)),
        fingerprint=fingerprint(file),
    )


def make_missing_typed(connection: Connection, delivery: Delivery) -> None:
    """Make those typed relations that are not there, of the files that a roster is made of."""
    for file in FILES:
        name = typed_table(delivery, file).as_string(connection)
        row = connection.execute("select to_regclass(%s) is null", (name,)).fetchone()
        if row and row[0]:
            make_typed(connection, delivery, file)


def accepted_rows(delivery: Delivery, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
    """``from … where …`` for the rows of a file that count: not set aside. By the alias ``delivered``.

    Args:
        delivery: The delivery.
        file: The file.
        joined: Joins to put between the two.
    """
    return sql.SQL(
        "from {typed} as delivered {joined} where delivered.source_id is not null and not exists ("
        "select from {set_aside} as aside where aside.file = {file} and aside.row_number = delivered._row)"
    ).format(
        typed=typed_table(delivery, file),
        joined=joined,
        set_aside=sql.Identifier(delivery.landing_schema, "row_set_aside"),
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
    yield sql.SQL(TRIMMED + " as source_id").format(cell=_cell("sourced_id"))
    yield sql.SQL("coalesce(lower(btrim({cell})) in ({words}), false) as is_to_be_deleted").format(
        cell=_cell("status"), words=sql.SQL(", ").join(map(sql.Literal, TO_BE_DELETED))
    )
    for column in file.content:
        yield sql.SQL("{} as {}").format(_reading(column), sql.Identifier(column.attribute))
    yield from (_school_year(night, column, file) for column in file.columns if column.kind == "year")
    yield sql.SQL("case when pg_input_is_valid({cell}, 'jsonb') then {cell}::jsonb end as metadata").format(
        cell=_cell("_metadata")
    )


def _school_year(night: date, column: Column, file: File) -> sql.Composed:
    """The school year that a session names; else that of its first day, or of the night (law 9)."""
    start = next(each for each in file.columns if each.name == "startDate")
    day = sql.SQL("coalesce({}, {})").format(_reading(start), sql.Literal(night))
    return sql.SQL("coalesce({}, {}) as school_year").format(_reading(column), sql.SQL(SCHOOL_YEAR_OF).format(date=day))


def _reading(column: Column) -> sql.Composed:
    """How a column's cells are read."""
    cell = _cell(column.column_name)
    if column.kind != "enumeration":
        return sql.SQL(READINGS[column.kind]).format(cell=cell)
    return sql.SQL(ENUMERATION).format(
        cell=cell,
        values=sql.SQL(", ").join(map(sql.Literal, column.values)),
        spellings=sql.SQL(" ").join(
            sql.SQL("when {} then {}").format(sql.Literal(value.lower()), sql.Literal(value)) for value in column.values
        ),
    )


def _cell(name: str) -> sql.Identifier:
    return sql.Identifier("landed", name)


def row_hash(file: File) -> sql.Composed:
    """One hash over the attributes of a row or a version, as an expression on them.

    The separator cannot occur in a cell, and a blank cell is null, so that no two different rows are concatenated to
    the same text. The columns that the standard does not know count when there are any: concat_ws passes over a null.
    """
    values = [sql.SQL("coalesce({}::text, '')").format(sql.Identifier(column.attribute)) for column in file.content]
    return sql.SQL("md5(concat_ws(chr(31), {}, metadata::text))::uuid").format(sql.SQL(", ").join(values))
