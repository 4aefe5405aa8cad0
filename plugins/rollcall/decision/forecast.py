"""The forecast: what a delivery would change against what is published, per file and per school."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from psycopg import sql
from psycopg.rows import TupleRow

from rollcall import ledger
from rollcall.decision.changes import AS_EVER, PLANNING, write_changes
from rollcall.decision.comparison import Comparison, has_ended, school_of
from rollcall.decision.evidence import has_doubtful_rows, names_all_it_has
from rollcall.decision.rekey.detect import ALIKE, write_rekeyings
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES, File
from rollcall.warehouse import Connection, values


@dataclass(frozen=True)
class Counts:
    """Records of one file, of the district or of one of its schools.

    Attributes:
        published: That readers see.
        running: Those of them whose time was not over before the night.
        landed: In the file.
        set_aside: Of those landed.
        added: New ones.
        changed: Published ones with other content.
        marked: Published ones that the file says are to be deleted.
        absent: Published ones that a bulk file does not name.
        ended: Those marked or absent whose time was over before the night: nobody is to be asked about them.
        rekeyed: Those marked or absent that seem to come back under a new id.
    """

    published: int = 0
    running: int = 0
    landed: int = 0
    set_aside: int = 0
    added: int = 0
    changed: int = 0
    marked: int = 0
    absent: int = 0
    ended: int = 0
    rekeyed: int = 0

    @property
    def removed(self) -> int:
        """Published records that would go if every absence is believed."""
        return self.marked + self.absent


@dataclass(frozen=True)
class FileForecast:
    """What a delivery would do to the records of one file.

    Attributes:
        sent: The file, as the ledger has it.
        district: All its records.
        schools: Those of each school, by its sourcedId.
        is_believed: Whether its absences are evidence although no person approved them (law 5).
    """

    sent: DeliveryFile
    district: Counts
    schools: dict[str, Counts]
    is_believed: bool

    @property
    def is_compared(self) -> bool:
        """Whether something of the kind is published, and the file says something: else there is nothing to compare."""
        return self.district.published > 0 and bool(self.sent.rows_landed)

    def removed(self, counts: Counts, *, approved: bool) -> int:
        """How many would really go, with or without a person's approval of all absences."""
        return counts.removed if approved or self.is_believed else counts.marked


@dataclass(frozen=True)
class Forecast:
    """What a delivery would do.

    Attributes:
        comparison: What was compared with what.
        files: File by file, in the order in which errors are best fixed.
        orgs_gone: The published orgs that would be removed, by their sourcedIds.
    """

    comparison: Comparison
    files: tuple[FileForecast, ...]
    orgs_gone: frozenset[str] = frozenset()


def forecast(connection: Connection, delivery: Delivery) -> Forecast:
    """Compare a gated delivery with what its district has published.

    Leaves, in the delivery's schema, what would change (``change_<file>``) and what seems to be re-keyed
    (``rekeyed_<file>``). Forecasting again replaces them.
    """
    comparison = write_changes(connection, delivery)
    connection.execute(PLANNING)
    sent = {file.file: file for file in ledger.files_of(connection, delivery.delivery_id)}
    known = _known_schools(connection, comparison, sent)
    files = tuple(_of_file(connection, comparison, sent[name], known) for name in FILE_NAMES if name in sent)
    gone = any(each.sent.file == "orgs" and each.is_compared for each in files)
    found = Forecast(comparison, files, _orgs_gone(connection, comparison) if gone else frozenset())
    connection.execute(AS_EVER)
    return found


def record_forecast(connection: Connection, found: Forecast, *, approved: bool) -> None:
    """Write the forecast into the ledger, in place of an earlier one.

    Args:
        approved: Whether a person is going to be asked: approving believes every absence.
    """
    delivery_id = found.comparison.delivery.delivery_id
    connection.execute("delete from rollcall.expected_change where delivery_id = %s", (delivery_id,))
    rows = [
        (
            delivery_id, each.sent.file, school, found.comparison.sequence, counts.published, counts.added,
            counts.changed, each.removed(counts, approved=approved), counts.set_aside, counts.rekeyed,
        )
        for each in found.files
        for school, counts in [(None, each.district), *sorted(each.schools.items())]
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into rollcall.expected_change (delivery_id, file, school_source_id, against_sequence,
                published, added, changed, removed, set_aside, rekeyed)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            rows,
        )


def _of_file(connection: Connection, comparison: Comparison, sent: DeliveryFile, known: set[str]) -> FileForecast:
    file = FILE_BY_NAME[sent.file]
    found: dict[str | None, Counts] = {}
    _count_published(connection, comparison, file, found)
    known = known | {school for school in found if school is not None}
    _count_landed(connection, comparison, file, known, found)
    if any(counts.published for counts in found.values()) and sent.rows_landed:
        _count_differences(connection, comparison, file, known, found)
        if sent.file in ALIKE and _both_ways(found):
            connection.execute("set local enable_nestloop = on")  # few records vanish, and lie in the key's index
            write_rekeyings(connection, comparison, sent.file)
            connection.execute("set local enable_nestloop = off")
            _count_rekeyings(connection, comparison, file, found)
    district = replace(_sum(found.values()), landed=sent.rows_landed or 0, set_aside=sent.rows_set_aside or 0)
    schools = {school: counts for school, counts in found.items() if school is not None}
    believed = names_all_it_has(sent) and not has_doubtful_rows(connection, sent)
    return FileForecast(sent, district, schools, believed)


def _both_ways(found: dict[str | None, Counts]) -> bool:
    """Whether records vanish and others appear."""
    return any(counts.removed for counts in found.values()) and any(counts.added for counts in found.values())


def _sum(all_counts: Iterable[Counts]) -> Counts:
    counted = list(all_counts)
    return Counts(**{field.name: sum(getattr(each, field.name) for each in counted) for field in fields(Counts)})


def _known_schools(connection: Connection, comparison: Comparison, sent: dict[str, DeliveryFile]) -> set[str]:
    """The ids of orgs, published and delivered. A cell that names none of them is nobody's to read (law 7)."""
    orgs, queries = FILE_BY_NAME["orgs"], []
    if comparison.sequence:
        queries.append(sql.SQL("select version.source_id {}").format(comparison.published(orgs)))
    if "orgs" in sent:
        queries.append(sql.SQL("select delivered.source_id {}").format(comparison.accepted(orgs)))
    if not queries:
        return set()
    return set(values(connection, sql.SQL(" union ").join(queries)))


def _orgs_gone(connection: Connection, comparison: Comparison) -> frozenset[str]:
    gone = sql.SQL("select source_id from {} where kind in ('tobedeleted', 'absent')")
    return frozenset(values(connection, gone.format(comparison.change(FILE_BY_NAME["orgs"]))))


def _count_published(
    connection: Connection, comparison: Comparison, file: File, found: dict[str | None, Counts]
) -> None:
    if not comparison.sequence:
        return
    rows = connection.execute(
        sql.SQL("select {school}, count(*), count(*) filter (where not ({ended})) {published} group by 1").format(
            school=school_of(file, "version"), ended=has_ended(comparison, file), published=comparison.published(file)
        )
    ).fetchall()
    _note(found, rows, ("published", "running"))


def _count_landed(
    connection: Connection, comparison: Comparison, file: File, known: set[str], found: dict[str | None, Counts]
) -> None:
    """Rows of each school, and those of them that are set aside; all new ones where nothing is published.

    Each school is looked up among the known ones once, not for each of its rows.
    """
    if file.school is None and any(counts.published for counts in found.values()):
        return
    is_first = not any(counts.published for counts in found.values())
    rows = connection.execute(
        sql.SQL(
            """
            select case when school = any({known}) then school end,
                sum(landed)::bigint, sum(set_aside)::bigint, sum(added)::bigint
            from (
                select school, count(*) as landed, count(*) filter (where is_set_aside) as set_aside,
                    count(*) filter (where {is_first} and not is_set_aside and not is_to_be_deleted) as added
                from (
                    select {school} as school, aside.row_number is not null as is_set_aside, is_to_be_deleted
                    from {typed} as delivered
                    left join (select distinct row_number from {set_aside} where file = {file}) as aside
                        on aside.row_number = delivered._row
                ) as delivered
                group by school
            ) as of_school
            group by 1
            """
        ).format(
            known=sql.Literal(sorted(known)),
            is_first=sql.Literal(is_first),
            school=school_of(file, "delivered"),
            typed=comparison.typed(file),
            set_aside=comparison.table("row_set_aside"),
            file=sql.Literal(file.name),
        )
    ).fetchall()
    _note(found, rows, ("landed", "set_aside", "added"))


def _count_differences(
    connection: Connection, comparison: Comparison, file: File, known: set[str], found: dict[str | None, Counts]
) -> None:
    rows = connection.execute(
        sql.SQL(
            """
            select case when school = any({known}) then school end,
                count(*) filter (where kind = 'added'),
                count(*) filter (where kind = 'changed'),
                count(*) filter (where kind = 'tobedeleted'),
                count(*) filter (where kind = 'absent'),
                count(*) filter (where kind in ('tobedeleted', 'absent') and has_ended)
            from {change} group by 1
            """
        ).format(known=sql.Literal(sorted(known)), change=comparison.change(file))
    ).fetchall()
    _note(found, rows, ("added", "changed", "marked", "absent", "ended"))


def _count_rekeyings(
    connection: Connection, comparison: Comparison, file: File, found: dict[str | None, Counts]
) -> None:
    rows = connection.execute(
        sql.SQL("select school, count(*) from {} group by 1").format(comparison.rekeyed(file))
    ).fetchall()
    _note(found, rows, ("rekeyed",))


def _note(found: dict[str | None, Counts], rows: list[TupleRow], names: tuple[str, ...]) -> None:
    """Add to the counts of each school what was counted; None is no school, or one that nobody knows."""
    for school, *numbers in rows:
        found[school] = replace(found.get(school, Counts()), **dict(zip(names, numbers, strict=True)))
