"""Signs that a file was cut on its way, or that its export broke off: the end of what it says is not the end (law 5).

A cut in the middle of a record shows in the file itself, or in the line end that is not there. A cut between two
records shows in nothing but what is gone: one block at the end of the file as it last was, of which the other files of
the night may still speak.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from rollcall import ledger
from rollcall.archive.store import Archive
from rollcall.decision.changes import AS_EVER
from rollcall.decision.comparison import Comparison
from rollcall.decision.forecast import FileForecast, Forecast
from rollcall.decision.reasons import Reason
from rollcall.decision.safeguards import Safeguards
from rollcall.landing.places import copy_places
from rollcall.ledger import DeliveryFile
from rollcall.oneroster import FILE_BY_NAME, LANDED_FILE_NAMES, File
from rollcall.warehouse import Connection, value

FEWEST_TOGETHER = 8
"""So many who go at once from a file's end are a sign by themselves: more than a family, or a teacher's classes."""

FEWEST_SPOKEN_OF = {"enrollments": 2}
"""How many are a sign if the rest of the night speaks as if they were there: one, where it names them by their ids.

A student who stays and is in no class any more is ordinary, were it not for the next one above in the file.
"""

SPOKEN_OF: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "orgs": (("source_id", "classes", "school_source_id"),),
    "academicSessions": (("source_id", "classes", "unnest(term_source_ids)"),),
    "courses": (("source_id", "classes", "course_source_id"),),
    "users": (("source_id", "enrollments", "user_source_id"),),
    "classes": (("source_id", "enrollments", "class_source_id"),),
    "enrollments": (("user_source_id", "users", "source_id"), ("class_source_id", "classes", "source_id")),
    "demographics": (("source_id", "users", "source_id"),),
}
"""For each file, what must still be there for a record that is gone to be missed: its column, another file, that's."""


@dataclass(frozen=True)
class Tail:
    """What is gone from the end of a file in one block.

    Attributes:
        records: How many records.
        together: How many went, of their own: a student with all enrollments is one, and so is a class that closed.
        spoken_of: How many of them the rest of the night speaks of as if they were there.
    """

    records: int
    together: int
    spoken_of: int

    def is_sign(self, file: str) -> bool:
        """Whether so much of it is no accident."""
        return self.together >= FEWEST_TOGETHER or self.spoken_of >= FEWEST_SPOKEN_OF.get(file, 1)


def of_cut_files(connection: Connection, found: Forecast, safeguards: Safeguards, archive: Archive) -> list[Reason]:
    """The files that seem to be cut.

    Args:
        connection: The transaction in which the forecast was made.
        found: What the delivery would change.
        safeguards: Know which removals a new school year brings.
        archive: Where the district's earlier files lie.
    """
    delivery = found.comparison.delivery
    files = {file.file: file for file in ledger.files_of(connection, delivery.delivery_id)}
    sent = [files[name] for name in LANDED_FILE_NAMES if name in files and files[name].rows_landed]
    before = ledger.files_behind_publication(connection, delivery.district_id)
    reasons = [_breaks_off(file) for file in sent if file.torn_row]
    reasons += [
        _without_line_end(file, sent, before.get(file.file))
        for file in sent
        if not file.torn_row and _lacks_line_end(file, sent, before.get(file.file))
    ]
    bulk = ledger.files_behind_publication(connection, delivery.district_id, ["bulk"])
    for each in found.files:
        if each.sent.file in bulk and each.is_compared and not safeguards.is_expected("removed", each):
            reasons += _without_its_tail(connection, found, each, bulk[each.sent.file], archive)
    return reasons


def _breaks_off(file: DeliveryFile) -> Reason:
    return Reason(
        "hold_file_breaks_off",
        f"{FILE_BY_NAME[file.file].file_name} breaks off in the middle of its last record, which begins in row "
        f"{file.torn_row:,}: it was cut on its way, or the export did not run to its end. Send the whole set again.",
        file.file,
    )


def _lacks_line_end(file: DeliveryFile, sent: Sequence[DeliveryFile], before: DeliveryFile | None) -> bool:
    """Whether a file ends without a line end and used to have one; if that is not known, whether others have one."""
    if file.ends_with_line_end is not False:
        return False
    if before is not None and before.ends_with_line_end is not None:
        return before.ends_with_line_end
    return any(other.ends_with_line_end for other in sent)


def _without_line_end(file: DeliveryFile, sent: Sequence[DeliveryFile], before: DeliveryFile | None) -> Reason:
    if before is not None and before.ends_with_line_end is not None:
        elsewhere = "it had one before"
    else:
        others = [FILE_BY_NAME[other.file].file_name for other in sent if other.ends_with_line_end]
        elsewhere = f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} one"
    return Reason(
        "hold_line_end_missing",
        f"{FILE_BY_NAME[file.file].file_name} does not end with a line end, and {elsewhere}: its last record may be "
        "half of one, and more may be missing behind it. Send the whole set again.",
        file.file,
    )


def _without_its_tail(
    connection: Connection, found: Forecast, each: FileForecast, before: DeliveryFile, archive: Archive
) -> list[Reason]:
    """Whether what is gone is the end of the file as it last was.

    Costs one look through the landed ids, where records are absent at all. The earlier file is read only where its last
    record is absent.
    """
    file = FILE_BY_NAME[each.sent.file]
    if not each.district.absent or before.ends_with_line_end is None:  # landed by a version that did not look
        return []
    if _is_named(connection, found.comparison, file, before.last_sourced_id):
        return []
    night = f"the night of {ledger.delivery(connection, before.delivery_id).service_date}"
    try:
        with connection.transaction():  # what fails leaves no table behind
            tail = _tail(connection, found, file, before, archive)
    except FileNotFoundError:
        unknown = "and the archive does not hold that file: whether more is gone from its end is not known"
        told = f"The last record that {file.file_name} had on {night} is gone, {unknown}. Check that the file is whole."
        return [Reason("hold_tail_missing", told, file.name)]
    if not tail.is_sign(file.name):
        return []
    spoken_of = f", and other files still speak of {tail.spoken_of:,} of them" if tail.spoken_of else ""
    told = (
        f"{file.file_name}: {tail.records:,} records{_counted(file, tail)} are gone in one block, the last ones of the "
        f"file on {night}{spoken_of}. It had {before.rows_landed or 0:,} records, and has "
        f"{each.sent.rows_landed or 0:,}: it seems to be cut. Send the whole set again."
    )
    return [Reason("hold_tail_missing", told, file.name, None, tail.records, each.district.running)]


def _counted(file: File, tail: Tail) -> str:
    """How many the records of a block are about."""
    return f" (of {tail.together:,} students or classes)" if file.name == "enrollments" else ""


def _is_named(connection: Connection, comparison: Comparison, file: File, source_id: str | None) -> bool:
    """Whether tonight's file names a record, be it in a row that is set aside."""
    if source_id is None:
        return False
    is_among_them = sql.SQL("select exists (select from ({named}) as named where source_id = %(id)s)")
    return bool(value(connection, is_among_them.format(named=_named_ids(comparison, file)), {"id": source_id}))


def _named_ids(comparison: Comparison, file: File) -> sql.Composed:
    """Every id that tonight's file names."""
    return sql.SQL(
        "select source_id from {typed} where source_id is not null"
        " union all select btrim(first_cell) from {ragged} where file = {name} and first_cell is not null"
    ).format(
        typed=comparison.typed(file),
        ragged=comparison.table("ragged_row"),
        name=sql.Literal(file.name),
    )


def _tail(connection: Connection, found: Forecast, file: File, before: DeliveryFile, archive: Archive) -> Tail:
    """What is gone from below the last record of the earlier file that tonight's file still names.

    Records whose time was over are no sign, and not counted; nor are those that were never published. Where tonight's
    file names none at all, it is another file rather than a part.
    """
    connection.execute("set local work_mem = '96MB'; set local jit = off")
    connection.execute("create temporary table earlier (_row bigint, sourced_id text) on commit drop")
    copy_places(connection, sql.Identifier("earlier"), archive, before)
    connection.execute("analyze earlier")
    row = connection.execute(_count_tail(found, file)).fetchone()
    connection.execute(f"drop table earlier; {AS_EVER}")
    return Tail(*(row or (0, 0, 0)))


def _count_tail(found: Forecast, file: File) -> sql.Composed:
    comparison = found.comparison
    return sql.SQL(
        """
        with kept as (
            select max(_row) as last_row from earlier
            where btrim(sourced_id) in (select source_id from ({named}) as named)
        ),
        block as (
            select distinct change.source_id
            from earlier
            inner join {change} as change on btrim(earlier.sourced_id) = change.source_id
            cross join kept
            where earlier._row > kept.last_row and change.kind = 'absent' and not change.has_ended
        ),
        gone as ({gone})
        select count(distinct version.source_id), {together},
            (select {together} from gone as version where {is_spoken_of})
        from gone as version
        """
    ).format(
        named=_named_ids(comparison, file),
        change=comparison.change(file),
        gone=_gone(comparison, file),
        together=sql.SQL("least(count(distinct version.leaver), count(distinct version.goes_with))"),
        is_spoken_of=_is_spoken_of(found, file),
    )


def _gone(comparison: Comparison, file: File) -> sql.Composed:
    """The published versions of a block, with who leaves, and what goes as one: a class that keeps nobody, say."""
    published = comparison.published(file, sql.SQL("inner join block using (source_id)"))
    if file.name != "enrollments":
        alone = sql.SQL("select version.*, version.source_id as leaver, version.source_id as goes_with {}")
        return alone.format(published)
    return sql.SQL(
        """
        select version.*, version.user_source_id as leaver,
            case when going_on.class_source_id is null then 'class ' || version.class_source_id
                else 'student ' || version.user_source_id end as goes_with
        from (select version.* {published}) as version
        left join (select distinct class_source_id from ({staying}) as staying) as going_on
            on version.class_source_id = going_on.class_source_id
        """
    ).format(published=published, staying=_staying(comparison, file.name, "class_source_id"))


def _is_spoken_of(found: Forecast, file: File) -> sql.Composable:
    """Whether the rest of the night speaks of a version as if it were there.

    What a file names tells, if it is bulk. A student who gets a class for the one that goes has changed classes.
    """
    telling = {each.sent.file for each in found.files if each.sent.mode == "bulk" and each.is_compared}
    if not telling.issuperset(other for _, other, _ in SPOKEN_OF[file.name]):
        return sql.SQL("false")
    conditions = [
        sql.SQL("version.{} in ({})").format(sql.Identifier(key), _staying(found.comparison, other, column))
        for key, other, column in SPOKEN_OF[file.name]
    ]
    if file.name == "enrollments":
        conditions.append(_gets_no_new_place(found.comparison, file))
    return sql.SQL(" and ").join(conditions)


def _staying(comparison: Comparison, name: str, column: str) -> sql.Composed:
    """A column of the published versions of a file that the delivery does not remove."""
    file = FILE_BY_NAME[name]
    return sql.SQL(
        "select {column} from (select version.* {published}) as staying where not exists ("
        "select from {change} as gone"
        " where gone.valid_from_seq = staying.valid_from_seq and {same_key} and gone.kind in ('absent', 'tobedeleted'))"
    ).format(
        column=sql.SQL(column),
        same_key=sql.SQL(" and ").join(
            sql.SQL("gone.{0} = staying.{0}").format(sql.Identifier(name)) for name in file.key
        ),
        published=comparison.published(file),
        change=comparison.change(file),
    )


def _gets_no_new_place(comparison: Comparison, file: File) -> sql.Composed:
    """Whether the user of a version is in no enrollment that nobody has seen."""
    return sql.SQL(
        "not exists (select from {change} as change"
        " where change.kind = 'added' and change.user_source_id = version.user_source_id)"
    ).format(change=comparison.change(file))
