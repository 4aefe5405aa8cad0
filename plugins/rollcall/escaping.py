"""What a district wrote, made harmless where it leaves Rollcall: one function per format.

Ids, file names and header cells are the district's own words. Text stays text in PostgreSQL and in Python; each border
escapes it once, for the format that it is written in. HTML has Jinja's autoescape and ``html.escape``.
"""

import re

from psycopg import sql

from rollcall.names import shown

FORMULA = r"\A(?:[=+@\t\r\n＝＋－＠]|-(?!\d+(?:[.,]\d+)?\Z))"  # noqa: RUF001 -- wide signs begin a formula, too
"""How a cell begins that a spreadsheet may take for a formula; a number with a minus is none.

Read by Python and by PostgreSQL, which mean the same by it.
"""

_OBEYED = re.compile(r"[\\`*_\[\]<>|~&]")
"""What Markdown obeys anywhere in a line: emphasis, code, links, images, HTML, tables, entities."""
_OBEYED_FIRST = re.compile(r"\A(?:([#+=-])|(\d+)([.)]))")
"""What it obeys where a block begins: headings, lists, rules."""
_LINKED = re.compile(r"(?<=http)(?=s?:)|(?<=www)(?=\.)|(?<=\S)(?=@)", re.IGNORECASE)
"""Where GitHub's flavor would make a link of bare text; a backslash does not keep it from doing so."""
LONGEST_ESCAPE = len(r"\U0010ffff")
_NOTHING = "<!-- -->"
"""An HTML comment, which is shown as nothing, and parts the text on its left from the text on its right."""


def one_line(text: str) -> str:
    r"""Text for a terminal or a log: on one line, and what is invisible, or would turn the text around, as an escape.

    >>> one_line("994\n\x1b[2J")
    '994 \\x1b[2J'
    """
    line = " ".join(text.split())
    return shown(line, longest=len(line) * LONGEST_ESCAPE)


def markdown(text: str) -> str:
    r"""Text as Markdown shows it: word for word, on one line, and nothing in it is obeyed.

    Airflow's pages render CommonMark and GitHub's tables, strikethrough and bare links, and leave HTML out.

    >>> markdown("[Approve here](http://evil)")
    '\\[Approve here\\](http<!-- -->://evil)'
    """
    parts = (_OBEYED.sub(r"\\\g<0>", part) for part in _LINKED.split(one_line(text)))
    return _OBEYED_FIRST.sub(r"\2\\\1\3", _NOTHING.join(parts))


def csv_cell(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before what one would."""
    return f"'{cell}" if isinstance(cell, str) and re.match(FORMULA, cell) else cell


def from_csv_cell(cell: str) -> str:
    """What a cell said before `csv_cell` wrote it."""
    return cell[1:] if cell.startswith("'") and re.match(FORMULA, cell[1:]) else cell


def csv_cell_in_sql(column: str) -> sql.Composed:
    """The same for a column that PostgreSQL writes as CSV.

    Args:
        column: The column's name.
    """
    return sql.SQL("case when {column} ~ {formula} then '''' || {column} else {column} end as {column}").format(
        column=sql.Identifier(column), formula=sql.Literal(FORMULA)
    )
