"""Rows of the warehouse's column names as the CSV files that a district would send."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from rollcall.oneroster import FILE_BY_NAME


def csv_bytes(rows: Iterable[Iterable[object]]) -> bytes:
    """Rows of cells as a CSV file in UTF-8, quoted where needed; None is a blank cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def file_bytes(file: str, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """One of the standard's files, with every column of the standard.

    Args:
        file: The standard's name.
        rows: Cells by the warehouse's column names.
    """
    columns = FILE_BY_NAME[file].columns
    header = [column.name for column in columns]
    return csv_bytes([header, *([row.get(column.column_name) for column in columns] for row in rows)])


def manifest_bytes(modes: Mapping[str, str]) -> bytes:
    """A manifest.csv that gives some files a mode."""
    versions = [("manifest.version", "1.0"), ("oneroster.version", "1.1")]
    files = [(f"file.{file}", mode) for file, mode in modes.items()]
    return csv_bytes([("propertyName", "value"), *versions, *files])
