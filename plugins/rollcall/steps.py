"""What happens to a delivery between the inbox and its build: the steps that the tasks of its run take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from rollcall import ledger
from rollcall.archive.receive import receive as archive_delivery
from rollcall.decision.acceptance import accept
from rollcall.decision.decide import decide
from rollcall.decision.holds import hold_of
from rollcall.decision.recognition import is_to_be_judged, recognize
from rollcall.districts import District
from rollcall.gate.again import land_all, make_whole
from rollcall.landing import land
from rollcall.ledger import Delivery
from rollcall.names import named
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.sftp import SftpAccount
from rollcall.warehouse import connect, warehouse_url

Log = Callable[[str], None]


@dataclass(frozen=True)
class Receipt:
    """What a run received.

    Attributes:
        delivery: As the ledger has it now.
        files: What is to be landed, by the standard's names; empty when there is nothing to do.
    """

    delivery: Delivery
    files: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What became of a delivery.

    Attributes:
        verdict: ``accepted``; ``held`` for a person; ``rejected``; or ``settled``, which is to say that somebody or
            something else has decided, and nothing of it is to be published.
        why: As an operator reads it.
    """

    verdict: Literal["accepted", "held", "rejected", "settled"]
    why: str


def receive(
    district: District, account: SftpAccount, *, service_date: date, run_id: str, source: str = "inbox", log: Log
) -> Receipt:
    """Archive the delivery, see whether it is new, and say which files are to be landed.

    Arguments and errors are those of `rollcall.archive.receive.receive`. Killed anywhere, it goes on where it stopped.
    """
    archived = archive_delivery(district, account, service_date=service_date, run_id=run_id, source=source, log=log)
    delivery = recognize(archived.delivery_id)
    with connect() as connection:
        files = [file.file for file in ledger.files_of(connection, delivery.delivery_id)]
        if not is_to_be_judged(connection, delivery):
            log(f"Delivery {delivery.delivery_id} is {delivery.state}. {delivery.state_reason or ''}".strip())
            return Receipt(delivery, ())
    log(f"Delivery {delivery.delivery_id} lies in the archive: {named(files)}.")
    return Receipt(delivery, tuple(name for name in LANDED_FILE_NAMES if name in files))


def check(district: District, delivery_id: int, files: Sequence[str], *, in_full: bool = False, log: Log) -> None:
    """Land some files of a delivery and judge each by its own suite; doing it again replaces what was there.

    All are landed first: the gate on one may look into another.

    Args:
        district: The delivery's district.
        delivery_id: The delivery.
        files: By the standard's names.
        in_full: Whether every row is to be judged, those too that were judged in an earlier night.
        log: Told of each file.

    Raises:
        FileNotFoundError: the archive does not hold what the ledger says.
        GateError: a rule could not be evaluated, or the landed rows are gone; doing it again lands them.
        WarehouseError: PostgreSQL refused.
    """
    from rollcall.gate import gate_file

    for name in files:
        land(delivery_id, name, log=log)
    for name in files:
        limit = district.limits.of("set_aside", name)
        outcome = gate_file(warehouse_url(), delivery_id, name, limit, in_full=in_full)
        log(
            f"{name}.csv: {outcome.verdict}, {outcome.rows_set_aside} of {outcome.rows_landed} rows set aside; "
            + (f"judged what is new since delivery {outcome.judged_since}." if outcome.judged_since else "judged all.")
        )


def check_together(district: District, delivery_id: int, *, log: Log) -> None:
    """Judge a delivery's files together, by what refers to what; a settled delivery is left alone.

    What a crash of the database has emptied is landed and judged again.
    """
    from rollcall.gate import LandedRowsGoneError, gate_delivery

    if not is_in_work(delivery_id):
        return
    try:
        outcome = gate_delivery(warehouse_url(), delivery_id, district.limits)
    except LandedRowsGoneError as error:
        log(f"{error} Doing so, from the archive.")
        land_all(delivery_id, district.limits, log=log)
    else:
        log(f"The delivery as a whole: {outcome.verdict}, {outcome.rows_set_aside} rows set aside in all.")


def judge(district: District, delivery_id: int, *, log: Log) -> Judgement:
    """Accept, hold or reject a delivery that was checked; an accepted one gets its sequence.

    Doing it again gives the same answer. One that is settled already is not judged again.

    Raises:
        GateUnfinishedError: the gate has not finished with a file; nothing is decided.
    """
    if is_in_work(delivery_id):
        make_whole(delivery_id, district.limits, log=log)
        decision = decide(district, delivery_id)
        why = " ".join(decision.sentences)
        if decision.verdict == "reject":
            return Judgement("rejected", why)
        if decision.verdict == "hold":
            return Judgement("held", why)
    acceptance = accept(delivery_id)
    if acceptance.sequence is not None:
        return Judgement("accepted", f"Accepted as sequence {acceptance.sequence}.")
    with connect() as connection:
        hold = hold_of(connection, delivery_id)
    return Judgement("held" if hold is not None and hold.is_open else "settled", acceptance.reason)


def is_in_work(delivery_id: int) -> bool:
    """Whether a delivery is still to be landed, checked and decided on, the first time or again after a clear."""
    with connect() as connection:
        return ledger.delivery(connection, delivery_id).state.is_in_work
