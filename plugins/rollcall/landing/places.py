"""In which order an archived file names its records."""

import itertools
from dataclasses import replace
from typing import cast

from psycopg import sql

from rollcall.archive.store import Archive
from rollcall.landing.encoding import Encoding, utf8_blocks
from rollcall.landing.header import Header, read_header
from rollcall.landing.records import RecordReader, first_line
from rollcall.ledger import DeliveryFile
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection


def copy_places(connection: Connection, table: sql.Identifier, archive: Archive, entry: DeliveryFile) -> None:
    """Write the sourcedIds of a file that was landed once into a table, each with the line on which its record starts.

    Args:
        connection: The transaction.
        table: Has the columns ``_row`` and ``sourced_id``.
        archive: Where the file lies.
        entry: The file, as landing left it in the ledger.

    Raises:
        FileNotFoundError: the archive does not hold it.
    """
    statement = sql.SQL("copy {} (_row, sourced_id) from stdin (format csv, force_null (sourced_id))").format(table)
    with archive.open(entry.archive_path) as source:
        blocks = utf8_blocks(source, cast(Encoding, entry.encoding or "utf-8"))
        line, number, rest = first_line(blocks)
        reader = RecordReader(_ids_only(read_header(line, FILE_BY_NAME[entry.file], number)), lambda _: None)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for data in reader.copy_data(itertools.chain([rest], blocks)):
                copy.write(data)


def _ids_only(header: Header) -> Header:
    """The header as if it named no other column."""
    positions = tuple(position for position in header.positions if position[0].name == "sourcedId")
    return replace(header, positions=positions, further=())
