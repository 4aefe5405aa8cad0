"""The steps ``gate`` [file] and ``gate_delivery``: the suites applied, the ledger told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rollcall import ledger as deliveries
from rollcall.districts import Limit, Limits
from rollcall.gate import recording, references
from rollcall.gate.fold import fold_roles
from rollcall.gate.inspection import Evaluation, Inspection, inspect
from rollcall.gate.judged import judged_before, judged_since, rule_book
from rollcall.gate.landed import LandedFile, lock_landed_files
from rollcall.gate.outcome import DeliveryOutcome, FileOutcome, judge, recorded_outcome
from rollcall.gate.progress import record_gated_alone, record_gated_together
from rollcall.gate.rest import PLANNING, Rest, all_rows, new_rows, touched_rows
from rollcall.gate.rules import Rule, codes, suite_rules
from rollcall.ledger import Delivery, landing_schema
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.published import publication_of
from rollcall.suites import DELIVERY_SUITE
from rollcall.warehouse import Connection, connect


def gate_files(
    delivery_id: int, file_names: Sequence[str], limits: Limits, *, in_full: bool = False
) -> list[FileOutcome]:
    """Judge landed files, each by its suite, and write what was found, in place of what an earlier gate wrote.

    A file that was not sent, or is declared absent, is passed over. One that landing rejected stays rejected. Rows that
    were judged already, in the delivery that readers see and by the same rules, are not judged again.

    Args:
        delivery_id: The delivery.
        file_names: The files, by the standard's names (``academicSessions``).
        limits: The district's; how many records of each file may be set aside without a person being asked.
        in_full: Whether every row is to be judged, whatever was judged already.

    Returns:
        What became of each file, in that order.

    Raises:
        GateError: a rule could not be evaluated, or landed rows are gone; nothing was written of that file.
        WarehouseError: PostgreSQL refused a statement; nothing was written of that file.
    """
    if "users" in file_names:
        fold_roles(delivery_id)
    with connect(search_path=landing_schema(delivery_id), autocommit=True) as ledger, _look(delivery_id) as look:
        return [
            _gate_file(look, ledger, delivery_id, name, limits.of("set_aside", name), in_full=in_full)
            for name in file_names
        ]


def gate_delivery(delivery_id: int, limits: Limits) -> DeliveryOutcome:
    """Judge a delivery's files together, in the order in which errors are best fixed, after each was judged alone.

    A row that was set aside is unknown to the rows that refer to it. What was found is written in place of what an
    earlier gate wrote, and every file's verdict is given anew.

    Args:
        delivery_id: The delivery.
        limits: The district's; how many records of each file may be set aside without a person being asked.

    Raises:
        GateError: a rule could not be evaluated, or landed rows are gone; the ledger was not changed.
        WarehouseError: PostgreSQL refused a statement; the ledger was not changed.
    """
    rules = suite_rules(DELIVERY_SUITE)
    with connect(search_path=landing_schema(delivery_id)) as ledger:
        landed = lock_landed_files(ledger, delivery_id, LANDED_FILE_NAMES)
        judged = {name: file for name, file in landed.items() if not file.rejected}
        for name in landed:
            recording.clear(ledger, delivery_id, name, codes(rules))
        if judged:
            with _look(delivery_id) as look:
                _apply_delivery_suite(look, ledger, delivery_id, landed, rules)
        for name in judged:
            judge(ledger, delivery_id, name, limits.of("set_aside", name))
        record_gated_together(ledger, delivery_id)
        return DeliveryOutcome(
            tuple(recorded_outcome(ledger, delivery_id, name) for name in LANDED_FILE_NAMES if name in landed)
        )


@dataclass(frozen=True)
class Look:
    """What rows are looked at with: what a look leaves behind stays, whatever becomes of the ledger's transaction.

    Attributes:
        scratch: A connection that commits each statement, whose search path is the delivery's schema.
        inspection: Great Expectations' look at the same schema, through connections of its own.
    """

    scratch: Connection
    inspection: Inspection


@contextmanager
def _look(delivery_id: int) -> Iterator[Look]:
    """A look at a delivery's tables; what it costs to open one is more than a small file costs."""
    schema = landing_schema(delivery_id)
    with connect(search_path=schema, autocommit=True) as scratch, inspect(schema) as inspection:
        scratch.execute(PLANNING)
        yield Look(scratch, inspection)


def _gate_file(
    look: Look, ledger: Connection, delivery_id: int, name: str, set_aside_limit: Limit, *, in_full: bool
) -> FileOutcome:
    """Judge one file in a transaction of its own, in which nobody else judges it."""
    with ledger.transaction():
        landed = lock_landed_files(ledger, delivery_id, [name]).get(name)
        if landed:
            delivery = deliveries.delivery(ledger, delivery_id)
            _judge_alone(look, ledger, delivery, landed, set_aside_limit, in_full=in_full)
        return recorded_outcome(ledger, delivery_id, name)


def _judge_alone(
    look: Look,
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
        failures = _apply_suite(look, ledger, delivery, landed, rules, before)
        judge(ledger, delivery_id, name, set_aside_limit, failures)
    record_gated_alone(ledger, delivery_id, name, rule_book(landed.file), before)


def _gate_codes(rules: Sequence[Rule]) -> list[str]:
    """Every code under which the gate may have recorded something about a file."""
    return [*codes(rules), *codes(suite_rules(DELIVERY_SUITE)), *recording.RAGGED_CODES]


def _apply_suite(
    look: Look,
    ledger: Connection,
    delivery: Delivery,
    landed: LandedFile,
    rules: Sequence[Rule],
    before: Delivery | None,
) -> list[str]:
    """Write what a file's suite finds; return why the file as a whole fails, if it does."""
    recording.record_ragged_rows(ledger, delivery, landed.file)
    if before:
        rest = new_rows(look.scratch, delivery, before, landed.file, rules)
    else:
        rest = all_rows(look.scratch, landed.file, rules)
    asked = [rule for rule in rules if rule.sent_as in (None, landed.mode)]
    evaluations = rest.evaluate(look.inspection, asked)
    not_asked = [Evaluation(rule, 0, None) for rule in rules if rule not in asked]
    recording.record_checks(ledger, delivery.delivery_id, [*evaluations, *not_asked], landed.rows)
    for evaluation in evaluations:
        recording.record_rows(ledger, delivery.delivery_id, evaluation)
    return [evaluation.rule.message for evaluation in evaluations if evaluation.fails_the_file]


def _apply_delivery_suite(
    look: Look,
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
    scratch = look.scratch
    references.collect_set_aside(scratch, codes(rules))
    references.create_known_views(scratch, delivery, publication_of(scratch, delivery.district_id), landed)
    known = references.Known(scratch, before.delivery if before else None)
    for batch in _evaluated_at_once(rules):
        name = batch[0].file
        if name not in landed or landed[name].rejected:
            continue
        known.keep_for(batch)
        if before and name in before.files and name not in rests and _is_about_references(batch):
            known.find_moved(landed[name].file)
            rests[name] = touched_rows(scratch, delivery, before.delivery, landed[name].file, rules)
        evaluations = rests.get(name, Rest(landed[name].file)).evaluate(look.inspection, batch)
        recording.record_checks(ledger, delivery_id, evaluations, landed[name].rows)
        for evaluation in evaluations:
            if evaluation.rule.severity != "critical":
                recording.list_rows(ledger, delivery_id, evaluation)
            elif evaluation.rows_failed:
                recording.set_aside(scratch, evaluation, references.SET_ASIDE_SO_FAR)
                setting_aside.append(evaluation.rule)
    known.keep_all()
    references.keep_set_aside(ledger, codes(rules))
    for rule in setting_aside:
        recording.list_set_aside(ledger, delivery_id, rule.file, rule.code, rule.column)


def _is_about_references(rules: Sequence[Rule]) -> bool:
    return any(rule.scope == "references" for rule in rules)


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
