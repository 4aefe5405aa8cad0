"""What was judged already: rows that lie as they are in the delivery that readers see, judged by the same rules.

Whether a row breaks a rule hangs on its own cells, on these and the records that they name, or on more (`Rule.scope`).
Rules of the first kind are asked of the rows that are new, those of the second also of the rows that name a record of
which something is otherwise tonight. What was found about the other rows is taken over, with tonight's row numbers:
the ledger reads as if all had been asked. Rules of the third kind are asked of all rows.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import scalar_row

from rollcall import ledger
from rollcall.gate.inspection import Evaluation, Inspection
from rollcall.gate.landed import LandedFile
from rollcall.gate.references import COMPARED, moved_table, names_of
from rollcall.gate.rules import Rule
from rollcall.landing.typed import fingerprint, fingerprint_table, reading, typed_table
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME, FILES, File
from rollcall.suites import DELIVERY_SUITE, suite_path
from rollcall.warehouse import Connection

NOTHING = sql.SQL("")


@dataclass(frozen=True)
class Before:
    """What judgements are taken over from.

    Attributes:
        delivery: The delivery.
        files: The files of which they are, by the standard's names.
    """

    delivery: Delivery
    files: frozenset[str]


@dataclass(frozen=True)
class Rest:
    """The rows of a file that are still to be judged, where something was judged already.

    Attributes:
        file: The file.
        table: The table that holds them, in the delivery's schema.
        rows: How many they are.
        taken_over: For each rule that need not be asked of the others: how many of these break it.
    """

    file: File
    table: str
    rows: int
    taken_over: Mapping[str, int]

    def evaluate(self, inspection: Inspection, rules: Sequence[Rule]) -> list[Evaluation]:
        """What some rules find in the whole file, in the order of the rules.

        Raises:
            GateError: a rule could not be evaluated.
        """
        of_rest = [rule for rule in rules if rule.code in self.taken_over]
        of_all = [rule for rule in rules if rule.code not in self.taken_over]
        found = [*inspection.evaluate(self.file.table_name, of_all)]
        found += (
            inspection.evaluate(self.table, of_rest) if self.rows else [Evaluation(each, 0, None) for each in of_rest]
        )
        by_code = {evaluation.rule.code: evaluation for evaluation in found}
        return [self._with_taken_over(by_code[rule.code]) for rule in rules]

    def _with_taken_over(self, evaluation: Evaluation) -> Evaluation:
        """What was found in the rest, and what was known of the others."""
        known = self.taken_over.get(evaluation.rule.code, 0)
        if not known:
            return evaluation
        query = f"select _row, sourced_id from {taken_over_table(self.file)} where code = '{evaluation.rule.code}'"
        if evaluation.rows_query is not None:
            query = f"select line, id from ({evaluation.rows_query}) as in_rest (line, id) union all {query}"
        return Evaluation(evaluation.rule, evaluation.rows_failed + known, query)


def rule_book(file: File) -> str:
    """A hash of what decides what is said of a file's rows: its rules, those among files, how cells are read."""
    said = hashlib.sha256()
    for suite in (file.name, DELIVERY_SUITE):
        said.update(suite_path(suite).read_bytes())
    said.update(reading(file).as_string(None).encode())
    said.update(fingerprint(file).as_string(None).encode())
    said.update(repr(COMPARED).encode())
    return said.hexdigest()


def judged_before(connection: Connection, delivery: Delivery, landed: LandedFile) -> Delivery | None:
    """The delivery of which a file's judgements can be taken over: the one that readers see.

    None where everything is to be judged: on a first delivery, where rules or readings are others now, where the file
    was sent in another way, after a rollback, and where its rows are gone.

    Args:
        connection: A transaction in the ledger.
        delivery: The delivery that is judged now.
        landed: Its file.
    """
    if landed.file not in FILES:
        return None
    with connection.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            """
            select file.delivery_id
            from rollcall.publication
            inner join rollcall.delivery_file as file using (delivery_id)
            where publication.district_id = %(district)s and delivery_id <> %(delivery)s
                and file.file = %(file)s and file.mode = %(mode)s
                and file.gated = 'together' and file.verdict <> 'reject' and file.rule_book = %(rule_book)s
                and not exists (
                    select from rollcall.delivery as later
                    where later.district_id = publication.district_id and later.delivery_id <> %(delivery)s
                        and later.accepted_sequence > publication.sequence
                )
            """,
            {
                "district": delivery.district_id,
                "delivery": delivery.delivery_id,
                "file": landed.file.name,
                "mode": landed.mode,
                "rule_book": rule_book(landed.file),
            },
        ).fetchone()
    before = ledger.delivery(connection, found) if found else None
    return before if before and _are_there(connection, (before, delivery), landed.file) else None


def judged_since(connection: Connection, delivery: Delivery) -> Before | None:
    """What judgements were taken over from, and still can be; None where everything is to be judged.

    It is one delivery for all files. Where one was judged again after another publication, the older does not count.

    Args:
        connection: A transaction in the ledger.
        delivery: The delivery that is judged now, each of its files alone already.
    """
    rows = connection.execute(
        "select file, judged_since from rollcall.delivery_file where delivery_id = %s and judged_since is not null",
        (delivery.delivery_id,),
    ).fetchall()
    if not rows:
        return None
    latest = ledger.delivery(connection, max(int(str(since)) for _, since in rows))
    names = [str(name) for name, since in rows if since == latest.delivery_id]
    there = [name for name in names if _are_there(connection, (latest, delivery), FILE_BY_NAME[name])]
    return Before(latest, frozenset(there)) if there else None


def _are_there(connection: Connection, deliveries: Iterable[Delivery], file: File) -> bool:
    """Whether the rows of deliveries' file, as they were read, are all there still."""
    return all(_is_there(connection, each, file) for each in deliveries)


def _is_there(connection: Connection, delivery: Delivery, file: File) -> bool:
    """Whether a delivery's rows of a file, as they were read, are all there still."""
    fingerprints = fingerprint_table(delivery, file)
    with connection.cursor(row_factory=scalar_row) as cursor:
        if not cursor.execute("select to_regclass(%s) is not null", (fingerprints.as_string(connection),)).fetchone():
            return False
        rows = cursor.execute(sql.SQL("select count(*) from {}").format(fingerprints)).fetchone()
        expected = cursor.execute(
            "select rows_landed - coalesce(rows_ragged, 0) from rollcall.delivery_file"
            " where delivery_id = %s and file = %s",
            (delivery.delivery_id, file.name),
        ).fetchone()
    return bool(rows == expected)


def new_rows(connection: Connection, delivery: Delivery, before: Delivery, file: File, rules: Sequence[Rule]) -> Rest:
    """The rows of a file whose cells are not those of a row that was judged before; the rest for rules of a file.

    Args:
        connection: A connection that commits each statement, whose search path is the delivery's schema.
        delivery: The delivery that is judged now.
        before: The delivery that was judged before.
        file: The file.
        rules: The file's rules.
    """
    rest, now, former = new_table(file), fingerprint_table(delivery, file), fingerprint_table(before, file)
    _write_rest(connection, file, rest, _unmatched("_row", now, former))
    connection.execute(
        sql.SQL("drop table if exists {gone}; create unlogged table {gone} as {rows}; analyze {gone}").format(
            gone=sql.Identifier(gone_table(file)), rows=_unmatched("_row, source_id", former, now)
        )
    )
    alike = [rule.code for rule in rules if rule.scope == "row"]
    return _rest(connection, delivery, before, file, rest, _fully_listed(connection, before, file, alike))


def touched_rows(
    connection: Connection, delivery: Delivery, before: Delivery, file: File, rules: Sequence[Rule]
) -> Rest:
    """The new rows of a file, and those that name a record of which something is otherwise than it was.

    Arguments are those of `new_rows`, which went before; what is otherwise is in the tables of `moved_table`.
    """
    rest = f"touched_{file.table_name}"
    of_moved = [
        sql.SQL(
            "select now._row from {now} as now where now.{attribute} && (select array_agg(id) from {moved})"
            if column.kind == "ids"
            else "select now._row from {now} as now where now.{attribute} in (select id from {moved})"
        ).format(
            now=typed_table(delivery, file),
            attribute=sql.Identifier("source_id" if column.name == "sourcedId" else column.attribute),
            moved=moved_table(named),
        )
        for column, named in names_of(file)
    ]
    new = sql.SQL("select _row from {}").format(sql.Identifier(new_table(file)))
    _write_rest(connection, file, rest, sql.SQL(" union ").join([new, *of_moved]))
    alike = [rule.code for rule in rules if rule.scope == "references" and rule.file == file.name]
    return _rest(connection, delivery, before, file, rest, _fully_listed(connection, before, file, alike))


def new_table(file: File) -> str:
    """The table of a delivery's schema with the landed rows whose cells are those of no row that was judged before."""
    return f"new_{file.table_name}"


def gone_table(file: File) -> str:
    """The table of a delivery's schema with ``_row`` and ``source_id`` of the former rows that no row is alike to."""
    return f"gone_{file.table_name}"


def _unmatched(columns: str, rows: sql.Identifier, others: sql.Identifier) -> sql.Composed:
    """A query for the rows of a relation whose fingerprint no row of another has."""
    return sql.SQL(
        "select {columns} from {rows} as here"
        " where not exists (select from {others} as there where there.fingerprint = here.fingerprint)"
    ).format(columns=sql.SQL(columns), rows=rows, others=others)


def taken_over_table(file: File) -> str:
    """The table of a delivery's schema with what was found before about rows that need not be judged again."""
    return f"taken_over_{file.table_name}"


def _write_rest(connection: Connection, file: File, table: str, rows: sql.Composable) -> None:
    """Copy some landed rows into a table of their own, which the rules are asked of."""
    connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(table)))
    connection.execute(
        sql.SQL(
            "create unlogged table {rest} as select landed.* from {landed} as landed where landed._row in ({rows})"
        ).format(rest=sql.Identifier(table), landed=sql.Identifier(file.table_name), rows=rows)
    )
    connection.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))


def _fully_listed(connection: Connection, before: Delivery, file: File, asked: Collection[str]) -> frozenset[str]:
    """Those of some codes of which the ledger lists every row: of many it lists the first, and of old ones none."""
    rows = connection.execute(
        """
        select checked.code
        from rollcall.check_result as checked
        left join rollcall.row_finding as finding using (delivery_id, file, code)
        where delivery_id = %s and file = %s and code = any(%s)
        group by checked.code, checked.rows_failed
        having checked.rows_failed = count(finding.row_number)
        """,
        (before.delivery_id, file.name, list(asked)),
    ).fetchall()
    return frozenset(str(code) for (code,) in rows)


def _rest(
    connection: Connection, delivery: Delivery, before: Delivery, file: File, table: str, known: frozenset[str]
) -> Rest:
    """The rest, with what is known of the rows that are not in it, written into `taken_over_table`."""
    taken_over = sql.Identifier(taken_over_table(file))
    connection.execute(sql.SQL("drop table if exists {}").format(taken_over))
    connection.execute(
        sql.SQL(
            """
            create unlogged table {taken_over} as
            select found.code, now._row, landed.sourced_id
            from (
                select distinct finding.code, before.fingerprint
                from rollcall.row_finding as finding
                inner join {before} as before on before._row = finding.row_number
                where finding.delivery_id = {delivery_id} and finding.file = {file} and finding.code = any({known})
            ) as found
            inner join {now} as now using (fingerprint)
            inner join {landed} as landed on landed._row = now._row
            where now._row not in (select _row from {rest})
            """
        ).format(
            taken_over=taken_over,
            before=fingerprint_table(before, file),
            delivery_id=sql.Literal(before.delivery_id),
            file=sql.Literal(file.name),
            known=sql.Literal(sorted(known)),
            now=fingerprint_table(delivery, file),
            landed=sql.Identifier(file.table_name),
            rest=sql.Identifier(table),
        )
    )
    counted = connection.execute(sql.SQL("select code, count(*) from {} group by code").format(taken_over)).fetchall()
    counts = {str(code): int(str(rows)) for code, rows in counted}
    with connection.cursor(row_factory=scalar_row) as cursor:
        rows = cursor.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone() or 0
    return Rest(file, table, rows, {code: counts.get(code, 0) for code in known})
