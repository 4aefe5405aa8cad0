"""The steps ``gate`` [file] and ``gate_delivery``: the suites applied, the ledger told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rollcall import ledger as deliveries
from rollcall.districts import Limit, Limits
from rollcall.gate import recording, references
from rollcall.gate.fold import fold_roles
from rollcall.gate.inspection import FILE_MODE, Evaluation, Inspection, inspect
from rollcall.gate.judged import Rest, all_rows, judged_before, judged_since, new_rows, rule_book, touched_rows
from rollcall.gate.landed import LandedFile, lock_landed_files
from rollcall.gate.outcome import DeliveryOutcome, FileOutcome, judge, recorded_outcome
from rollcall.gate.progress import record_gated_alone, record_gated_together
from rollcall.gate.rules import Rule, codes, suite_rules
from rollcall.ledger import Delivery, landing_schema
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.published import publication_of
from rollcall.suites import DELIVERY_SUITE
from rollcall.warehouse import Connection, connect


def gate_file(
    warehouse_url: str, delivery_id: int, file_name: str, set_aside_limit: Limit, *, in_full: bool = False
) -> FileOutcome:
    """Judge one landed file by its suite and write what was found, in place of what an earlier gate wrote.

    A file that was not sent, or is declared absent, is passed over. One that landing rejected stays rejected. Rows that
    were judged already, in the delivery that readers see and by the same rules, are not judged again.

    Args:
        warehouse_url: The warehouse's ``postgresql://`` URL.
        delivery_id: The delivery.
        file_name: The file, by the standard's name (``academicSessions``).
        set_aside_limit: How many records may be set aside without a person being asked.
        in_full: Whether every row is to be judged, whatever was judged already.

    Raises:
        GateError: a rule could not be evaluated, or landed rows are gone; nothing was written.
        WarehouseError: PostgreSQL refused a statement; nothing was written.
    """
    if file_name == "users":
        fold_roles(warehouse_url, delivery_id)
    with connect(warehouse_url, search_path=landing_schema(delivery_id)) as ledger:
        landed = lock_landed_files(ledger, delivery_id, [file_name]).get(file_name)
        if landed:
            delivery = deliveries.delivery(ledger, delivery_id)
            _judge_alone(warehouse_url, ledger, delivery, landed, set_aside_limit, in_full=in_full)
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
            recording.clear(ledger, delivery_id, name, codes(rules))
        if judged:
            _apply_delivery_suite(warehouse_url, ledger, delivery_id, landed, rules)
        for name in judged:
            judge(ledger, delivery_id, name, limits.of("set_aside", name))
        record_gated_together(ledger, delivery_id)
        return DeliveryOutcome(
            tuple(recorded_outcome(ledger, delivery_id, name) for name in LANDED_FILE_NAMES if name in landed)
        )


def _judge_alone(
    warehouse_url: str,
    ledger: Connection,
    delivery: Delivery,
    landed: LandedFile,
    set_aside_limit: Limit,
    *,
    in_full: bool,
) -> None:
    """Write what a file's suite finds, and its verdict, in place of what an earlier gate wrote."""
    delivery_id, name, rules = delivery.delivery_id, landed.file.name, suite_rules(landed.file.name)
    ours, before = _gate_codes(rules), None
    rejected = landed.rejected and recording.landing_objected(ledger, delivery_id, name, ours)
    recording.clear(ledger, delivery_id, name, ours)
    if not rejected:
        before = None if in_full else judged_before(ledger, delivery, landed)
        failures = _apply_suite(warehouse_url, ledger, delivery, landed, rules, before)
        judge(ledger, delivery_id, name, set_aside_limit, failures)
    record_gated_alone(ledger, delivery_id, name, rule_book(landed.file), before)


def _gate_codes(rules: Sequence[Rule]) -> list[str]:
    """Every code under which the gate may have recorded something about a file."""
    return [*codes(rules), *codes(suite_rules(DELIVERY_SUITE)), *recording.RAGGED_CODES]


def _apply_suite(
    warehouse_url: str,
    ledger: Connection,
    delivery: Delivery,
    landed: LandedFile,
    rules: Sequence[Rule],
    before: Delivery | None,
) -> list[str]:
    """Write what a file's suite finds; return why the file as a whole fails, if it does."""
    recording.record_ragged_rows(ledger, delivery, landed.file)
    ledger.execute("select set_config(%s, %s, true)", (FILE_MODE, landed.mode))
    with connect(warehouse_url, search_path=delivery.landing_schema, autocommit=True) as scratch:
        rest = (
            new_rows(scratch, delivery, before, landed.file, rules) if before else all_rows(scratch, landed.file, rules)
        )
    with inspect(warehouse_url, delivery.landing_schema, landed.mode) as inspection:
        evaluations = rest.evaluate(inspection, rules)
    for evaluation in evaluations:
        recording.record_check(ledger, delivery.delivery_id, evaluation, landed.rows)
        recording.record_rows(ledger, delivery.delivery_id, evaluation)
    return [evaluation.rule.message for evaluation in evaluations if evaluation.fails_the_file]


def _evaluate(inspection: Inspection, landed: LandedFile, rules: Sequence[Rule], rest: Rest | None) -> list[Evaluation]:
    """What some rules find in a file, of which only the rest may be left to be judged."""
    if rest is None:
        return inspection.evaluate(landed.file.table_name, rules)
    return rest.evaluate(inspection, rules)


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
    delivery = deliveries.delivery(ledger, delivery_id)
    before, rests, setting_aside = judged_since(ledger, delivery), dict[str, Rest](), list[Rule]()
    with connect(warehouse_url, search_path=delivery.landing_schema, autocommit=True) as scratch:
        references.collect_set_aside(scratch, codes(rules))
        references.create_known_views(scratch, delivery, publication_of(scratch, delivery.district_id), landed)
        known = references.Known(scratch, before.delivery if before else None)
        with inspect(warehouse_url, delivery.landing_schema) as inspection:
            for batch in _evaluated_at_once(rules):
                name = batch[0].file
                if name not in landed or landed[name].rejected:
                    continue
                known.keep_for(batch)
                if before and name in before.files and name not in rests and _is_about_references(batch):
                    known.find_moved(landed[name].file)
                    rests[name] = touched_rows(scratch, delivery, before.delivery, landed[name].file, rules)
                for evaluation in _evaluate(inspection, landed[name], batch, rests.get(name)):
                    _record_together(ledger, scratch, delivery_id, evaluation, landed[name].rows)
                    if evaluation.rule.severity == "critical" and evaluation.rows_failed:
                        setting_aside.append(evaluation.rule)
        known.keep_all()
    references.keep_set_aside(ledger, codes(rules))
    for rule in setting_aside:
        recording.list_set_aside(ledger, delivery_id, rule.file, rule.code, rule.column)


def _is_about_references(rules: Sequence[Rule]) -> bool:
    return any(rule.scope == "references" for rule in rules)


def _record_together(
    ledger: Connection, scratch: Connection, delivery_id: int, evaluation: Evaluation, rows: int
) -> None:
    """Write what a rule found; what it sets aside, where the rules after it see it."""
    recording.record_check(ledger, delivery_id, evaluation, rows)
    if evaluation.rule.severity == "critical":
        recording.set_aside(scratch, evaluation, references.SET_ASIDE_SO_FAR)
    else:
        recording.list_rows(ledger, delivery_id, evaluation)


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
