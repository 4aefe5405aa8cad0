"""What a delivery is compared with, and how its rows and the published versions are put side by side, in SQL."""

from dataclasses import dataclass

from psycopg import sql

from rollcall.decision.school_years import CLASS_YEARS
from rollcall.decision.touched import touched_table
from rollcall.landing.typed import NOTHING, accepted_rows, typed_table
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME, File
from rollcall.published import Publication


@dataclass(frozen=True)
class Comparison:
    """What is compared: a delivery with what its district's readers see.

    Attributes:
        default_year: The school year of what does not say of which it is: that in which the sessions put the night.
    """

    delivery: Delivery
    publication: Publication
    default_year: int

    @property
    def sequence(self) -> int | None:
        """The published sequence; None when nothing is published."""
        return self.publication.sequence

    def typed(self, file: File) -> sql.Identifier:
        """The delivery's typed relation of a file."""
        return typed_table(self.delivery, file)

    def change(self, file: File) -> sql.Identifier:
        """What changes of a file."""
        return self.table(f"change_{file.table_name}")

    def rekeyed(self, file: File) -> sql.Identifier:
        """Which records of a file seem to come back under a new id."""
        return self.table(f"rekeyed_{file.table_name}")

    @property
    def touched(self) -> sql.Identifier:
        """The ids of the records that can be otherwise, of the file that is compared at the moment."""
        return touched_table(self.delivery)

    @property
    def named(self) -> sql.Identifier:
        """The rows that name them."""
        return self.table("named_by_touched")

    @property
    def differing(self) -> sql.Identifier:
        """Which of its records differ."""
        return self.table("differing_record")

    def table(self, name: str) -> sql.Identifier:
        """A table of the delivery's schema."""
        return sql.Identifier(self.delivery.landing_schema, name)

    def published(self, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
        """``from … where …`` for the published versions of a file, by the alias ``version``."""
        return self.publication.versions(file, joined)

    def accepted(self, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
        """``from … where …`` for the rows of a file that count, by the alias ``delivered``."""
        return accepted_rows(self.delivery, file, joined)

    def ids_set_aside(self, file: File) -> sql.Composed:
        """The ids under which rows of a file are set aside."""
        return sql.SQL(
            "select btrim(sourced_id) as source_id from {} where file = {} and sourced_id is not null"
        ).format(self.table("row_set_aside"), sql.Literal(file.name))


def has_ended(comparison: Comparison, file: File) -> sql.Composable:
    """Whether a version's time was over before the night: all of a class's sessions, or an enrollment's own dates.

    Such records drop out of an export when a term ends, and nobody is to be asked about it.
    """
    night = sql.Literal(comparison.delivery.service_date)
    if file.name == "classes":
        return sql.SQL(
            "coalesce(version.term_source_ids <> '{{}}' and version.term_source_ids <@ ({ended}), false)"
        ).format(ended=_ended_sessions(comparison))
    if file.name == "enrollments":
        classes = FILE_BY_NAME["classes"]
        return sql.SQL(
            "coalesce(version.end_date < {night}, false)"
            " or version.class_source_id in (select version.source_id {classes} and {class_has_ended})"
        ).format(night=night, classes=comparison.published(classes), class_has_ended=has_ended(comparison, classes))
    return sql.SQL("false")


def _ended_sessions(comparison: Comparison) -> sql.Composed:
    """The published sessions whose last day lies before the night, as an array."""
    return sql.SQL(
        "select array_agg(ended.source_id) from ("
        "select version.source_id {sessions} group by 1 having max(version.end_date) < {night}) as ended"
    ).format(
        sessions=comparison.published(FILE_BY_NAME["academicSessions"]),
        night=sql.Literal(comparison.delivery.service_date),
    )


def with_years(comparison: Comparison, file: File) -> sql.Composable:
    """The join that tells a delivered row's school year, where the file needs one."""
    if file.name == "classes":
        on = "source_id"
    elif file.name == "enrollments":
        on = "class_source_id"
    else:
        return NOTHING
    return sql.SQL("left join {years} as class_year on class_year.source_id = {id}").format(
        years=comparison.table(CLASS_YEARS), id=sql.Identifier("delivered", on)
    )


def _year(comparison: Comparison, file: File) -> sql.Composable:
    """A delivered row's school year, with the join of `with_years`.

    The subquery runs only for enrollments whose class nobody knows: they keep the year that they were first seen with.
    """
    if file.name == "academicSessions":
        return sql.SQL("delivered.school_year")
    default = sql.Literal(comparison.default_year)
    if comparison.sequence is None or file.name == "classes":
        return sql.SQL("coalesce(class_year.school_year, {})").format(default)
    return sql.SQL(
        "coalesce(class_year.school_year,"
        " (select max(version.school_year) {published} and version.source_id = delivered.source_id), {default})"
    ).format(published=comparison.published(file), default=default)


def key_of(comparison: Comparison, file: File) -> list[sql.Composable]:
    """The key of a delivered row."""
    year = sql.SQL("{} as school_year")
    return [
        year.format(_year(comparison, file)) if name == "school_year" else sql.Identifier("delivered", name)
        for name in file.key
    ]


def row_of(comparison: Comparison, file: File) -> sql.Composed:
    """A delivered row's place, key and attributes."""
    attributes = (sql.Identifier("delivered", name) for name in attributes_of(file))
    return sql.SQL(", ").join([sql.Identifier("delivered", "_row"), *key_of(comparison, file), *attributes])


def attributes_of(file: File) -> tuple[str, ...]:
    """What a version takes over from a row, besides its key."""
    return (*(column.attribute for column in file.content), "metadata", "row_hash")


def school_of(file: File, alias: str) -> sql.Composable:
    """The school of a record, as an expression by the alias of its version or row."""
    return sql.SQL(f"{alias}.{file.school}" if file.school else "null::text")
