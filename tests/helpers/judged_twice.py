"""A delivery judged by what changed, and then in full: both must say the same.

To judge seven files in full costs a second and a half of a core, most of it Great Expectations' own.
"""

from dataclasses import dataclass, field
from typing import Any

from rollcall import ledger
from rollcall.decision.forecast import FileForecast, forecast
from rollcall.decision.touched import former_delivery
from rollcall.districts import Limits
from rollcall.gate import gate_delivery, gate_files
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES, FILES
from rollcall.published import publication_of
from rollcall.warehouse import Connection, connect

SAID = {
    "check_result": "select file, code, severity, rows_checked, rows_failed from rollcall.check_result "
    "where delivery_id = {id}",
    "row_finding": "select file, code, severity, row_number, sourced_id, column_name, detail "
    "from rollcall.row_finding where delivery_id = {id}",
    "row_set_aside": "select file, code, row_number, sourced_id from {schema}.row_set_aside",
    "delivery_file": "select file, verdict, verdict_reason, rows_landed, rows_ragged, rows_set_aside, gated, rule_book "
    "from rollcall.delivery_file where delivery_id = {id}",
}
"""What the gate leaves for those who come after it."""


@dataclass
class Twice:
    """Judges deliveries a second time, in full.

    Attributes:
        files_each: Of how many files of each delivery; they take turns, but for enrollments, which name most others.
        deliveries: How many of which judgements were taken over were compared.
        taken_over: How many findings of theirs were taken over.
    """

    url: str
    files_each: int = len(FILE_NAMES)
    deliveries: int = 0
    taken_over: int = 0
    files: set[str] = field(default_factory=set)

    def judge(self, delivery_id: int, limits: Limits) -> None:
        """Judge a gated delivery in full.

        Raises:
            AssertionError: that says something else than was said by what changed.
        """
        with connect(self.url) as connection:
            since = connection.execute(
                "select file from rollcall.delivery_file where delivery_id = %s and judged_since is not null",
                (delivery_id,),
            ).fetchall()
            if not since:
                return
            for (file,) in since:
                self._count(connection, delivery_id, str(file))
        forecast_both_ways(self.url, delivery_id)
        by_change = self._said(delivery_id)
        gate_files(delivery_id, self._in_turn(delivery_id, {str(file) for (file,) in since}), limits, in_full=True)
        gate_delivery(delivery_id, limits)
        in_full = self._said(delivery_id)
        for what, said in in_full.items():
            assert by_change[what] == said, (
                f"judged by what changed, {what} lacks {sorted(said - by_change[what], key=str)[:3]}"
                f" and says {sorted(by_change[what] - said, key=str)[:3]} too much"
            )
        self.deliveries += 1

    def _in_turn(self, delivery_id: int, names: set[str]) -> list[str]:
        """The files that are judged in full this time."""
        turn = delivery_id % len(FILE_NAMES)
        others = [name for name in (*FILE_NAMES[turn:], *FILE_NAMES[:turn]) if name in names - {"enrollments"}]
        return [*names & {"enrollments"}, *others][: self.files_each]

    def _count(self, connection: Any, delivery_id: int, file: str) -> None:
        self.files.add(file)
        table = f"delivery_{delivery_id}.taken_over_{FILE_BY_NAME[file].table_name}"
        ((exists,),) = connection.execute("select to_regclass(%s) is not null", (table,)).fetchall()
        if exists:
            ((rows,),) = connection.execute(f"select count(*) from {table}").fetchall()
            self.taken_over += rows

    def _said(self, delivery_id: int) -> dict[str, set[tuple[Any, ...]]]:
        with connect(self.url) as connection:
            return {
                what: set(connection.execute(query.format(id=delivery_id, schema=f"delivery_{delivery_id}")).fetchall())
                for what, query in SAID.items()
            }


def forecast_both_ways(url: str, delivery_id: int) -> int:
    """Forecast a gated delivery by what changed, and with all that is published, and leave nothing behind.

    Returns:
        How many files were compared by what changed.

    Raises:
        AssertionError: the two differ.
    """
    with connect(url) as connection:
        delivery = ledger.delivery(connection, delivery_id)
        former = former_delivery(connection, delivery, publication_of(connection, delivery.district_id))
        by_change, changes = forecast(connection, delivery), _changes(connection, delivery)
        connection.execute(
            "update rollcall.delivery_file set judged_since = null where delivery_id = %s", (delivery_id,)
        )
        in_full, all_changes = forecast(connection, delivery), _changes(connection, delivery)
        connection.rollback()
    for table, rows in all_changes.items():
        assert changes[table] == rows, (
            f"compared by what changed, {table} lacks {sorted(rows - changes[table], key=str)[:3]}"
            f" and has {sorted(changes[table] - rows, key=str)[:3]} too much"
        )
    assert [_counts(each) for each in by_change.files] == [_counts(each) for each in in_full.files]
    assert by_change.orgs_gone == in_full.orgs_gone
    return len(former.files) if former else 0


def _counts(found: FileForecast) -> tuple[Any, ...]:
    """What a forecast counts of a file."""
    return found.sent.file, found.district, found.schools, found.is_believed


def _changes(connection: Connection, delivery: Delivery) -> dict[str, set[tuple[Any, ...]]]:
    """What a forecast leaves in the delivery's schema, as text."""
    tables = [*(f"change_{file.table_name}" for file in FILES), "compared", "unnamed_record"]
    return {
        table: set(connection.execute(f"select row::text from {delivery.landing_schema}.{table} as row").fetchall())
        for table in tables
    }
