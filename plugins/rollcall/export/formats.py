"""What an export can be written as."""

from enum import StrEnum


class Format(StrEnum):
    """As ``--format`` says it."""

    CSV = "csv"
    PARQUET = "parquet"
    ONEROSTER = "oneroster"
