"""The loop from accepted deliveries to published rosters."""

from collections.abc import Callable, Iterator

from rollcall.conform.anew import compare_anew
from rollcall.conform.audits import record_findings
from rollcall.conform.dbt_build import NIGHTLY, run_dbt
from rollcall.conform.history import undo_unpublished
from rollcall.conform.landed import make_whole
from rollcall.conform.ledger import (
    AcceptedDelivery,
    fail,
    finish,
    freeze,
    record_nodes,
    retire_overtaken,
    settle,
    waiting_deliveries,
)
from rollcall.conform.outcomes import BuildImpossibleError, BuildOutcome, LandedRowsLostError, NodeOutcome
from rollcall.conform.redaction import is_data_error
from rollcall.conform.session import conforming
from rollcall.log import get_logger
from rollcall.pointer import publish
from rollcall.warehouse import Connection

log = get_logger(__name__)


def conform(*, reland: Callable[[int], None]) -> list[BuildOutcome]:
    """Build and publish until no accepted delivery waits. May be killed at any point and run again.

    Args:
        reland: Lands and gates a delivery again from the archive, given its id; called when its rows are gone.

    Returns:
        The builds, in order; none if nothing waited.

    Raises:
        BuildImpossibleError: dbt failed for a reason that is no district's; what waits still waits.
        LandedRowsLostError: some deliveries could not be landed again; all others are built.
        WarehouseError: the warehouse cannot be reached or went away.
    """
    outcomes: list[BuildOutcome] = []
    lost: list[AcceptedDelivery] = []
    with conforming() as session:
        while True:
            retire_overtaken(session)
            waiting = waiting_deliveries(session, {each.district_id for each in lost})
            if not waiting:
                break
            newly_lost = make_whole(session, waiting, reland)
            lost += newly_lost
            if not newly_lost:
                compare_anew(session, waiting)
                outcomes += _build(session, waiting, None)
    if lost:
        raise LandedRowsLostError([each.delivery_id for each in lost])
    return outcomes


def _build(session: Connection, deliveries: list[AcceptedDelivery], split_from: int | None) -> Iterator[BuildOutcome]:
    """Build some deliveries and publish them; where one cannot be built, halve until it stands alone."""
    build_id = freeze(session, deliveries, split_from)
    log.info("Build %s: %s deliveries.", build_id, len(deliveries))
    nodes = _run(session, build_id, deliveries)
    broken = [node for node in nodes if node.failed]
    if not broken:
        yield _publish(session, build_id, deliveries, nodes)
        return
    reason = "; ".join(f"{node.name}: {node.message}" for node in broken)
    fail(session, build_id, deliveries, reason)
    log.error("Build %s failed: %s.", build_id, reason)
    if not all(is_data_error(node.message) for node in broken):
        raise BuildImpossibleError(reason)
    yield _failure(session, build_id, deliveries, nodes, reason)
    half = len(deliveries) // 2
    for part in (deliveries[:half], deliveries[half:]) if half else ():
        yield from _build(session, part, build_id)


def _run(session: Connection, build_id: int, deliveries: list[AcceptedDelivery]) -> list[NodeOutcome]:
    """Run dbt for the frozen build, and record what became of each node."""
    try:
        nodes = run_dbt(NIGHTLY)
    except BuildImpossibleError as error:
        fail(session, build_id, deliveries, str(error))
        raise
    record_nodes(session, build_id, nodes)
    return nodes


def _failure(
    session: Connection, build_id: int, deliveries: list[AcceptedDelivery], nodes: list[NodeOutcome], reason: str
) -> BuildOutcome:
    """A failed build: of a single delivery, it settles that delivery; of several, it says nothing of any."""
    if len(deliveries) > 1:
        return BuildOutcome(build_id, "failed", nodes=nodes)
    (culprit,) = deliveries
    settle(session, culprit.delivery_id, "conform_failed", reason)
    return BuildOutcome(build_id, "failed", failed={culprit.district_id: reason}, nodes=nodes)


def _publish(
    session: Connection, build_id: int, deliveries: list[AcceptedDelivery], nodes: list[NodeOutcome]
) -> BuildOutcome:
    """Move the pointers of the districts whose new content passed the audits; take back the others' content."""
    findings = record_findings(session, build_id, nodes)
    published = []
    for delivery in deliveries:
        if delivery.district_id in findings:
            _hold_back(session, delivery, findings[delivery.district_id])
        else:
            publish(session, delivery.delivery_id, build_id)
            published.append(delivery.district_id)
    finish(session, build_id, "succeeded")
    log.info("Build %s: %s published, %s held back by audits.", build_id, len(published), len(findings))
    return BuildOutcome(build_id, "succeeded", published, findings, nodes)


def _hold_back(session: Connection, delivery: AcceptedDelivery, findings: str) -> None:
    with session.transaction():
        undo_unpublished(session, [delivery.district_id])
        settle(session, delivery.delivery_id, "audit_failed", f"audits found: {findings}")
