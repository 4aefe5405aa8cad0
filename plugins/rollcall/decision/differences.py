"""What a delivery would change, record by record: a table per file in the delivery's own schema, ids only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from rollcall.decision.readings import IS_TO_BE_DELETED, SOURCE_ID, content_of, reading
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import FILE_BY_NAME, File
from rollcall.warehouse import Connection

SCHOOL_COLUMNS = {"classes": "schoolSourcedId", "enrollments": "schoolSourcedId", "users": "orgSourcedIds"}
"""For each file whose records belong to a school: the column that says which; the first of several counts."""

OF_A_SCHOOL_YEAR = frozenset({"academicSessions", "classes", "enrollments"})
"""Files whose records are keyed by the school year as well."""


NOTHING = sql.SQL("")


@dataclass(frozen=True)
class Comparison:
    """What is compared: a delivery with what its district's readers see.

    Attributes:
        sequence: The published sequence; None when nothing is published.
        published_night: The night that the publication stands for.
    """

    delivery: Delivery
    sequence: int | None
    published_night: date

    @property
    def night(self) -> date:
        """The night that the delivery is for."""
        return self.delivery.service_date

    def table(self, prefix: str, file: File) -> sql.Identifier:
        """A table of the delivery's schema."""
        return sql.Identifier(self.delivery.landing_schema, f"{prefix}{file.table_name}")

    def published(self, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
        """``from … where …`` for the published versions of a file, by the alias ``version``."""
        return sql.SQL(
            "from {history} as version {joined} where version.district_id = {district}"
            " and version.valid_from_seq <= {sequence}"
            " and (version.valid_to_seq is null or version.valid_to_seq > {sequence})"
        ).format(
            history=sql.Identifier("history", f"hist_{file.table_name}"),
            joined=joined,
            district=sql.Literal(self.delivery.district_id),
            sequence=sql.Literal(self.sequence or 0),
        )

    def delivered(self, file: File, joined: sql.Composable = NOTHING) -> sql.Composed:
        """``from … where …`` for the rows of a file that count, by the alias ``landed``."""
        return sql.SQL(
            "from {landed} as landed {joined} where {id} is not null"
            " and not exists (select from ({aside}) as aside where aside.row_number = landed._row)"
        ).format(landed=self.table("", file), joined=joined, id=SOURCE_ID, aside=self.set_aside(file))

    def set_aside(self, file: File) -> sql.Composed:
        """The rows of a file that are set aside."""
        return sql.SQL(
            "select distinct row_number, btrim(sourced_id) as source_id from {table} where file = {file}"
        ).format(table=sql.Identifier(self.delivery.landing_schema, "row_set_aside"), file=sql.Literal(file.name))


def delivered_school(file: File) -> sql.Composable:
    """The school of a landed row, by the alias ``landed``."""
    name = SCHOOL_COLUMNS.get(file.name)
    column = next((column for column in file.columns if column.name == name), None)
    if column is None:
        return sql.SQL("null::text")
    return sql.SQL("({})[1]").format(reading(column)) if column.kind == "ids" else reading(column)


def published_school(file: File) -> sql.Composable:
    """The school of a version, by the alias ``version``."""
    names = {"schoolSourcedId": "version.school_source_id", "orgSourcedIds": "version.org_source_ids[1]"}
    return sql.SQL(names.get(SCHOOL_COLUMNS.get(file.name, ""), "null::text"))


def has_ended(comparison: Comparison, file: File) -> sql.Composable:
    """Whether a version's time was over before the night: all of a class's sessions, or an enrollment's own dates.

    Such records drop out of an export when a term ends, and nobody is to be asked about it.
    """
    night = sql.Literal(comparison.night)
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
    ).format(sessions=comparison.published(FILE_BY_NAME["academicSessions"]), night=sql.Literal(comparison.night))


def write_differences(connection: Connection, comparison: Comparison, sent: DeliveryFile) -> None:
    """Make the table ``change_<file>``: the records that would be added, changed or removed.

    Its column ``change`` says ``added``, ``changed``, ``tobedeleted`` or ``absent``: published, and not named by a bulk
    file. A row that was set aside under the id of a published record keeps that record, and is none of them.
    """
    file = FILE_BY_NAME[sent.file]
    contents = content_of(file)
    statement = sql.SQL(
        """
        create unlogged table {change} as
        select
            coalesce(published.source_id, delivered.source_id) as source_id,
            case when published.source_id is null then delivered.school else published.school end as school_source_id,
            case
                when delivered.source_id is null then 'absent'
                when delivered.is_to_be_deleted then 'tobedeleted'
                when published.source_id is null then 'added'
                else 'changed'
            end as change,
            coalesce(published.has_ended, false) as has_ended
        from (
            select version.source_id, {match_id} as match_id, {published_school} as school, {has_ended} as has_ended,
                {published_content}
            {published}
        ) as published
        full join (
            select {id} as source_id, {is_to_be_deleted} as is_to_be_deleted, {delivered_school} as school,
                {delivered_content}
            {delivered}
        ) as delivered on published.match_id = delivered.source_id
        where case
            when delivered.source_id is null
                then {is_bulk} and published.source_id not in (
                    select aside.source_id from ({set_aside}) as aside where aside.source_id is not null
                )
            when published.source_id is null then not delivered.is_to_be_deleted
            when delivered.is_to_be_deleted then true
            else ({published_names}) is distinct from ({delivered_names})
        end
        """
    ).format(
        change=comparison.table("change_", file),
        match_id=_match_id(connection, comparison, file),
        published_school=published_school(file),
        has_ended=has_ended(comparison, file),
        published_content=_named((each.name, each.published) for each in contents),
        published=comparison.published(file),
        id=SOURCE_ID,
        is_to_be_deleted=IS_TO_BE_DELETED,
        delivered_school=delivered_school(file),
        delivered_content=_named((each.name, each.delivered) for each in contents),
        delivered=comparison.delivered(file),
        is_bulk=sql.Literal(sent.mode == "bulk"),
        set_aside=comparison.set_aside(file),
        published_names=_names("published", [each.name for each in contents]),
        delivered_names=_names("delivered", [each.name for each in contents]),
    )
    connection.execute(sql.SQL("drop table if exists {}").format(comparison.table("change_", file)))
    connection.execute(statement)


def _match_id(connection: Connection, comparison: Comparison, file: File) -> sql.Composable:
    """What a delivered row is matched with: the id, of the latest school year where several are published."""
    if file.name not in OF_A_SCHOOL_YEAR:
        return sql.SQL("version.source_id")
    years = connection.execute(
        sql.SQL("select count(distinct version.school_year) {}").format(comparison.published(file))
    ).fetchone()
    if years is None or int(str(years[0])) < 2:
        return sql.SQL("version.source_id")
    return sql.SQL(
        "case when version.school_year = max(version.school_year) over (partition by version.source_id)"
        " then version.source_id end"
    )


def _named(expressions: Iterable[tuple[str, sql.Composable]]) -> sql.Composed:
    """A select list."""
    return sql.SQL(", ").join(
        sql.SQL("{} as {}").format(expression, sql.Identifier(name)) for name, expression in expressions
    )


def _names(alias: str, names: list[str]) -> sql.Composed:
    """The columns of an alias."""
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)
