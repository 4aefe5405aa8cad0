"""The rest that is to be judged: all rows but those that lay so in a delivery that was judged by the same rules.

What a rule's judgement of a row hangs on (`Rule.scope`) says which rows it is asked of: of those that are new, of those
that name a record of which something is otherwise tonight, of those that are alike to one that is new or was found
before, or of all. What was found about the other rows is taken over, with tonight's row numbers: the ledger reads as if
all had been asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from rollcall.gate.inspection import Evaluation, Inspection
from rollcall.gate.references import moved_table, names_of
from rollcall.gate.rules import Rule, codes
from rollcall.landing.typed import as_read, fingerprint_table
from rollcall.ledger import Delivery
from rollcall.oneroster import File
from rollcall.warehouse import Connection, value

NOTHING = sql.SQL("")
PLANNING = """
set work_mem = '96MB'; set enable_nestloop = off; set jit = off;
set parallel_setup_cost = 0; set parallel_tuple_cost = 0
"""
"""Deliveries are looked through whole: a nested loop is always a misjudgment, and so is a large file in one process."""


@dataclass(frozen=True)
class Rest:
    """The rows of a file that are to be judged: all of them, or what is left where something was judged already.

    Attributes:
        file: The file.
        tables: For each rule that need not be asked of all rows: the table that it is asked of, in the delivery's
            schema.
        empty: Those of these tables that hold nothing.
        taken_over: For each rule with findings about rows that it is not asked of: how many.
    """

    file: File
    tables: Mapping[str, str] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    taken_over: Mapping[str, int] = field(default_factory=dict)

    def evaluate(self, inspection: Inspection, rules: Sequence[Rule]) -> list[Evaluation]:
        """What some rules find in the whole file, in the order of the rules.

        Raises:
            GateError: a rule could not be evaluated.
        """
        asked: dict[str, list[Rule]] = {}
        for rule in rules:
            asked.setdefault(self.tables.get(rule.code, self.file.table_name), []).append(rule)
        found = [
            evaluation
            for table, some in asked.items()
            for evaluation in (
                [Evaluation(rule, 0, None) for rule in some]
                if table in self.empty
                else inspection.evaluate(table, some)
            )
        ]
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


def all_rows(connection: Connection, file: File, rules: Sequence[Rule]) -> Rest:
    """All of a file is to be judged; rules about rows that are alike are asked of those that are, found together.

    Args:
        connection: A connection that commits each statement, whose search path is the delivery's schema.
        file: The file.
        rules: The file's rules.
    """
    alike = [rule for rule in rules if rule.scope == "alike"]
    several = sql.SQL("from {} group by 1 having count(*) > 1").format(sql.Identifier(file.table_name))
    _make(connection, alike_table(file), _sharing(file, alike, several))
    table = alike_table(file)
    return Rest(file, {rule.code: table for rule in alike}, _empty(connection, {table}))


def new_rows(connection: Connection, delivery: Delivery, before: Delivery, file: File, rules: Sequence[Rule]) -> Rest:
    """What is left of a file to be judged alone: the rows whose cells are not those of a row that was judged before.

    Leaves the tables ``new_<table>`` and ``gone_<table>``.

    Args:
        connection: A connection that commits each statement, whose search path is the delivery's schema.
        delivery: The delivery that is judged now.
        before: The delivery that was judged before.
        file: The file.
        rules: The file's rules.
    """
    new, now, former = new_table(file), fingerprint_table(delivery, file), fingerprint_table(before, file)
    unlike = sql.Identifier(unlike_table(file))
    _make(connection, unlike_table(file), _without_match(now, former))
    _make(connection, new, _landed_rows(file, sql.SQL("landed._row in (select _row from {})").format(unlike)))
    _make(
        connection,
        gone_table(file),
        sql.SQL("select _row, source_id from {} where _row in (select former_row from {})").format(former, unlike),
    )
    known = _fully_listed(connection, before, file, codes(rules))
    _take_over(connection, delivery, before, file, new, [each.code for each in rules if each.scope in ("row", "alike")])
    alike = [rule for rule in rules if rule.scope == "alike" and rule.code in known]
    _write_alike(connection, file, alike, now, copies=_copies_differ(connection, now, former, unlike))
    tables = {rule.code: new for rule in rules if rule.scope == "row" and rule.code in known}
    tables |= {rule.code: new for rule in rules if rule.scope == "any_row" and known.get(rule.code) == 0}
    tables |= {rule.code: alike_table(file) for rule in alike}
    counts = _taken_over(connection, file)
    return Rest(
        file,
        tables,
        _empty(connection, {new, alike_table(file)}),
        {code: counts[code] for code, table in tables.items() if table == new and code in counts},
    )


def touched_rows(
    connection: Connection, delivery: Delivery, before: Delivery, file: File, rules: Sequence[Rule]
) -> Rest:
    """What is left of a file to be judged beside others: its new rows, and those that name what is otherwise.

    Arguments are those of `new_rows`, which went before; what is otherwise is in the tables of `moved_table`.
    """
    touched = f"touched_{file.table_name}"
    names_moved = [
        sql.SQL(
            "{named} && (select array_agg(id) from {moved})"
            if column.kind == "ids"
            else "{named} in (select id from {moved})"
        ).format(named=as_read(column), moved=moved_table(named))
        for column, named in names_of(file)
        if not _is_empty(connection, moved_table(named))
    ]
    is_new = sql.SQL("landed._row in (select _row from {})").format(sql.Identifier(new_table(file)))
    _make(connection, touched, _landed_rows(file, sql.SQL(" or ").join([is_new, *names_moved])))
    of_file = [rule.code for rule in rules if rule.scope == "references" and rule.file == file.name]
    known = _fully_listed(connection, before, file, of_file)
    _take_over(connection, delivery, before, file, touched, list(known))
    return Rest(file, dict.fromkeys(known, touched), _empty(connection, {touched}), _taken_over(connection, file))


def new_table(file: File) -> str:
    """The table of a delivery's schema with the landed rows whose cells are those of no row that was judged before."""
    return f"new_{file.table_name}"


def gone_table(file: File) -> str:
    """The table of a delivery's schema with ``_row`` and ``source_id`` of the former rows that no row is alike to."""
    return f"gone_{file.table_name}"


def unlike_table(file: File) -> str:
    """The table with the places of the rows of either night that no row of the other night is alike to.

    Like the others no temporary one: PostgreSQL reads those in one process only.
    """
    return f"unlike_{file.table_name}"


def suspect_table(file: File) -> str:
    """The table with the landed rows that others may be alike to, or may have been."""
    return f"suspect_{file.table_name}"


def alike_table(file: File) -> str:
    """The table of a delivery's schema with the landed rows that rules about rows which are alike are asked of."""
    return f"alike_{file.table_name}"


def taken_over_table(file: File) -> str:
    """The table of a delivery's schema with what was found before about rows that need not be judged again."""
    return f"taken_over_{file.table_name}"


def _make(connection: Connection, table: str, query: sql.Composable) -> None:
    """Make a table of what a query finds, in place of an earlier one."""
    connection.execute(
        sql.SQL("drop table if exists {table}; create unlogged table {table} as {query}; analyze {table}").format(
            table=sql.Identifier(table), query=query
        )
    )


def _landed_rows(file: File, condition: sql.Composable) -> sql.Composed:
    """A query for some landed rows of a file, by the alias ``landed``."""
    return sql.SQL("select landed.* from {} as landed where {}").format(sql.Identifier(file.table_name), condition)


def _without_match(now: sql.Identifier, former: sql.Identifier) -> sql.Composed:
    """A query for the rows of either night whose cells are those of no row of the other night."""
    return sql.SQL(
        "select now._row, former._row as former_row, fingerprint from {now} as now"
        " full join {former} as former using (fingerprint) where now._row is null or former._row is null"
    ).format(now=now, former=former)


def _copies_differ(connection: Connection, now: sql.Identifier, former: sql.Identifier, unlike: sql.Identifier) -> bool:
    """Whether some row of both nights lies there more often, or less, than it did: a copy of a row is not new.

    Told from the number and the sum of all fingerprints but those of `_without_match`.
    """
    counted = sql.SQL(
        "select sum(rows * sign) <> 0 or sum(total * sign) <> 0 from ("
        " select count(*) as rows, coalesce(sum(fingerprint), 0) as total, 1 as sign from {now}"
        " union all select count(*), coalesce(sum(fingerprint), 0), -1 from {former}"
        " union all select count(*), coalesce(sum(fingerprint), 0), -1 from {unlike} where _row is not null"
        " union all select count(*), coalesce(sum(fingerprint), 0), 1 from {unlike} where _row is null"
        ") as counted"
    )
    return bool(value(connection, counted.format(now=now, former=former, unlike=unlike)))


def _write_alike(
    connection: Connection, file: File, rules: Sequence[Rule], now: sql.Identifier, *, copies: bool
) -> None:
    """Keep the rows that share what some rules compare with a row that is new, or that one of them found before.

    A row that is gone needs no look: where it was alike to another, that one was found, or says nothing by itself.

    Args:
        connection: As for `new_rows`, which has kept what is new and what was found.
        file: The file.
        rules: The rules.
        now: The fingerprints of tonight's rows.
        copies: Whether the rows that lie there several times are to be looked at, too.
    """
    suspects = sql.SQL(
        "landed._row in (select _row from {new} union all select _row from {found} where code = any({codes}){copies})"
    ).format(
        new=sql.Identifier(new_table(file)),
        found=sql.Identifier(taken_over_table(file)),
        codes=sql.Literal(codes(rules)),
        copies=sql.SQL(
            " union all select _row from {now} where fingerprint in"
            " (select fingerprint from {now} group by 1 having count(*) > 1)"
        ).format(now=now)
        if copies
        else NOTHING,
    )
    _make(connection, suspect_table(file), _landed_rows(file, suspects))
    of_suspects = sql.SQL("from {}").format(sql.Identifier(suspect_table(file)))
    _make(connection, alike_table(file), _sharing(file, rules, of_suspects))


def _sharing(file: File, rules: Sequence[Rule], others: sql.Composable) -> sql.Composed:
    """A query for the landed rows that share what some rules compare with others, told by ``from …``."""
    shared = [
        sql.SQL("hashtextextended({text}, 0) in (select hashtextextended({text}, 0) {others})").format(
            text=sql.SQL(text), others=others
        )
        for text in sorted({str(rule.alike) for rule in rules})
    ]
    return _landed_rows(file, sql.SQL(" or ").join(shared) if shared else sql.SQL("false"))


def _fully_listed(connection: Connection, before: Delivery, file: File, asked: Collection[str]) -> dict[str, int]:
    """Those of some codes of which the ledger lists every row, with how many: of old ones it lists none."""
    rows = connection.execute(
        """
        select checked.code, checked.rows_failed
        from rollcall.check_result as checked
        left join rollcall.row_finding as finding using (delivery_id, file, code)
        where delivery_id = %s and file = %s and code = any(%s)
        group by checked.code, checked.rows_failed
        having checked.rows_failed = count(finding.row_number)
        """,
        (before.delivery_id, file.name, list(asked)),
    ).fetchall()
    return dict(rows)


def _take_over(
    connection: Connection, delivery: Delivery, before: Delivery, file: File, rest: str, asked: Collection[str]
) -> None:
    """Write what was found before under some codes about the rows that are not in the rest (`taken_over_table`)."""
    _make(
        connection,
        taken_over_table(file),
        sql.SQL(
            """
            select found.code, now._row, found.sourced_id
            from (
                select distinct finding.code, finding.sourced_id, before.fingerprint
                from rollcall.row_finding as finding
                inner join {before} as before on before._row = finding.row_number
                where finding.delivery_id = {delivery_id} and finding.file = {file} and finding.code = any({asked})
            ) as found
            inner join {now} as now using (fingerprint)
            where now._row not in (select _row from {rest})
            """
        ).format(
            before=fingerprint_table(before, file),
            delivery_id=sql.Literal(before.delivery_id),
            file=sql.Literal(file.name),
            asked=sql.Literal(sorted(asked)),
            now=fingerprint_table(delivery, file),
            rest=sql.Identifier(rest),
        ),
    )


def _taken_over(connection: Connection, file: File) -> dict[str, int]:
    """How many findings were taken over under each code."""
    rows = connection.execute(
        sql.SQL("select code, count(*) from {} group by code").format(sql.Identifier(taken_over_table(file)))
    ).fetchall()
    return dict(rows)


def _empty(connection: Connection, tables: Collection[str]) -> frozenset[str]:
    """Those of some tables that hold nothing."""
    return frozenset(table for table in tables if _is_empty(connection, sql.Identifier(table)))


def _is_empty(connection: Connection, table: sql.Identifier) -> bool:
    return bool(value(connection, sql.SQL("select not exists (select from {})").format(table)))
