"""The steps ``gate`` [file] and ``gate_delivery``: the suites applied, the ledger told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rollcall.districts import Limit, Limits
from rollcall.gate import findings, references
from rollcall.gate.fold import fold_roles
from rollcall.gate.inspection import FILE_MODE, inspect
from rollcall.gate.landed import LandedFile, landing_schema, lock_landed_files
from rollcall.gate.outcome import DeliveryOutcome, FileOutcome, judge, recorded_outcome
from rollcall.gate.progress import record_gated_alone, record_gated_together
from rollcall.gate.rules import Rule, codes, suite_rules
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.suites import DELIVERY_SUITE
from rollcall.warehouse import Connection, connect


def gate_file(warehouse_url: str, delivery_id: int, file_name: str, set_aside_limit: Limit) -> FileOutcome:
    """Judge one landed file by its suite and write what was found, in place of what an earlier gate wrote.

    A file that was not sent, or is declared absent, is passed over. One that landing rejected stays rejected.

    Args:
        warehouse_url: The warehouse's ``postgresql://`` URL.
        delivery_id: The delivery.
        file_name: The file, by the standard's name (``academicSessions``).
        set_aside_limit: How many records may be set aside without a person being asked.

    Raises:
        GateError: a rule could not be evaluated, or landed rows are gone; nothing was written.
        WarehouseError: PostgreSQL refused a statement; nothing was written.
    """
    if file_name == "users":
        fold_roles(warehouse_url, delivery_id)
    with connect(warehouse_url, search_path=landing_schema(delivery_id)) as ledger:
        landed = lock_landed_files(ledger, delivery_id, [file_name]).get(file_name)
        if landed:
            rules = suite_rules(file_name)
            rejected = landed.rejected and findings.landing_objected(ledger, delivery_id, file_name, _gate_codes(rules))
            findings.clear(ledger, delivery_id, file_name, _gate_codes(rules))
            if not rejected:
                failures = _apply_suite(warehouse_url, ledger, delivery_id, landed, rules)
                judge(ledger, delivery_id, file_name, set_aside_limit, failures)
            record_gated_alone(ledger, delivery_id, file_name)
        return recorded_outcome(ledger, delivery_id, file_name)


def gate_delivery(warehouse_url: str, delivery_id: int, limits: Limits) -> DeliveryOutcome:
    """Judge a delivery's files together, in the order in which errors are best fixed, after each was judged alone.

    A row that was set aside is unknown to the rows that refer to it. What was found is written in place of what an
    earlier gate wrote, and every file's verdict is given anew.

    Args:
        warehouse_url: The warehouse's ``postgresql://`` URL.
        delivery_id: The delivery.
        limits: The district's; how many records of each file may be set aside without a person being asked.

    Raises:
        GateError: a rule could not be evaluated, or landed rows are gone; the ledger was not changed.
        WarehouseError: PostgreSQL refused a statement; the ledger was not changed.
    """
    rules = suite_rules(DELIVERY_SUITE)
    with connect(warehouse_url, search_path=landing_schema(delivery_id)) as ledger:
        landed = lock_landed_files(ledger, delivery_id, LANDED_FILE_NAMES)
        judged = {name: file for name, file in landed.items() if not file.rejected}
        for name in landed:
            findings.clear(ledger, delivery_id, name, codes(rules))
        if judged:
            _apply_delivery_suite(warehouse_url, ledger, delivery_id, landed, rules)
        for name in judged:
            judge(ledger, delivery_id, name, limits.of("set_aside", name))
        record_gated_together(ledger, delivery_id)
        return DeliveryOutcome(
            tuple(recorded_outcome(ledger, delivery_id, name) for name in LANDED_FILE_NAMES if name in landed)
        )


def _gate_codes(rules: Sequence[Rule]) -> list[str]:
    """Every code under which the gate may have recorded something about a file."""
    return [*codes(rules), *codes(suite_rules(DELIVERY_SUITE)), *findings.RAGGED_CODES]


def _apply_suite(
    warehouse_url: str, ledger: Connection, delivery_id: int, landed: LandedFile, rules: Sequence[Rule]
) -> list[str]:
    """Write what a file's suite finds; return why the file as a whole fails, if it does."""
    findings.record_ragged_rows(ledger, delivery_id, landed.file)
    ledger.execute("select set_config(%s, %s, true)", (FILE_MODE, landed.mode))
    with inspect(warehouse_url, landing_schema(delivery_id), landed.mode) as inspection:
        evaluations = inspection.evaluate(landed.file.table_name, rules)
    for evaluation in evaluations:
        findings.record_check(ledger, delivery_id, evaluation, landed.rows)
        findings.record_rows(ledger, delivery_id, evaluation)
    return [evaluation.rule.message for evaluation in evaluations if evaluation.fails_the_file]


def _apply_delivery_suite(
    warehouse_url: str,
    ledger: Connection,
    delivery_id: int,
    landed: Mapping[str, LandedFile],
    rules: Sequence[Rule],
) -> None:
    """Write what the delivery's suite finds: each rule must see what the ones before it set aside.

    Great Expectations looks through connections of its own, so what is set aside is collected where it sees it, and
    counts at the end, all at once.
    """
    schema, setting_aside = landing_schema(delivery_id), list[Rule]()
    with connect(warehouse_url, search_path=schema, autocommit=True) as scratch:
        references.collect_set_aside(scratch, codes(rules))
        references.create_known_views(scratch, delivery_id, landed)
        with inspect(warehouse_url, schema) as inspection:
            for batch in _evaluated_at_once(rules):
                file = landed.get(batch[0].file)
                if file is None or file.rejected:
                    continue
                for evaluation in inspection.evaluate(file.file.table_name, batch):
                    findings.record_check(ledger, delivery_id, evaluation, file.rows)
                    if evaluation.rule.severity != "critical":
                        findings.list_rows(ledger, delivery_id, evaluation)
                    elif evaluation.rows_failed:
                        findings.set_aside(scratch, evaluation, references.SET_ASIDE_SO_FAR)
                        setting_aside.append(evaluation.rule)
    references.keep_set_aside(ledger, codes(rules))
    for rule in setting_aside:
        findings.list_set_aside(ledger, delivery_id, rule.file, rule.code, rule.column)


def _evaluated_at_once(rules: Iterable[Rule]) -> Iterator[list[Rule]]:
    """The rules in batches, each about one file: a rule that sets rows aside ends its batch."""
    batch: list[Rule] = []
    for rule in rules:
        if batch and (batch[-1].severity == "critical" or batch[-1].file != rule.file):
            yield batch
            batch = []
        batch.append(rule)
    if batch:
        yield batch
