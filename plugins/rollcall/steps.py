"""What happens to a delivery between the inbox and its build: the steps that the tasks of its run take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from rollcall import ledger
from rollcall.archive.receive import receive as archive_delivery
from rollcall.decision.acceptance import accept
from rollcall.decision.decide import decide
from rollcall.decision.holds import hold_of
from rollcall.decision.recognition import is_to_be_judged, recognize
from rollcall.districts import NO_LIMITS, District, DistrictFileError, Limits, load_district
from rollcall.landing import land_files
from rollcall.ledger import Delivery
from rollcall.log import at_work_on, get_logger
from rollcall.names import named
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.progress import tell
from rollcall.settings import settings
from rollcall.sftp import SftpAccount
from rollcall.warehouse import connect

log = get_logger(__name__)


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
    district: District, account: SftpAccount, *, service_date: date, run_id: str, source: str = "inbox"
) -> Receipt:
    """Archive the delivery, see whether it is new, and say which files are to be landed.

    Arguments and errors are those of `rollcall.archive.receive.receive`. Killed anywhere, it goes on where it stopped.
    """
    archived = archive_delivery(district, account, service_date=service_date, run_id=run_id, source=source)
    delivery = recognize(archived.delivery_id)
    with connect() as connection, at_work_on(delivery.delivery_id):
        files = [file.file for file in ledger.files_of(connection, delivery.delivery_id)]
        if not is_to_be_judged(connection, delivery):
            log.info("It is %s. %s", delivery.state, delivery.state_reason or "")
            return Receipt(delivery, ())
        log.info("It lies in the archive: %s.", named(files))
    return Receipt(delivery, tuple(name for name in LANDED_FILE_NAMES if name in files))


def check(district: District, delivery_id: int, files: Sequence[str], *, in_full: bool = False) -> None:
    """Land some files of a delivery and judge each by its own suite; doing it again replaces what was there.

    All are landed first: the gate on one may look into another.

    Args:
        district: The delivery's district.
        delivery_id: The delivery.
        files: By the standard's names.
        in_full: Whether every row is to be judged, those too that were judged in an earlier night.

    Raises:
        FileNotFoundError: the archive does not hold what the ledger says.
        GateError: a rule could not be evaluated, or the landed rows are gone; doing it again lands them.
        WarehouseError: PostgreSQL refused.
    """
    with at_work_on(delivery_id):
        _check_alone(delivery_id, files, district.limits, in_full=in_full)


def check_together(district: District, delivery_id: int) -> None:
    """Judge a delivery's files together, by what refers to what; a settled delivery is left alone.

    What a crash of the database has emptied is landed and judged again.
    """
    from rollcall.gate import LandedRowsGoneError

    if not is_in_work(delivery_id):
        return
    with at_work_on(delivery_id):
        try:
            _check_together(delivery_id, district.limits)
        except LandedRowsGoneError as error:
            log.warning("%s Doing so, from the archive.", error)
            check_all(delivery_id, district.limits)


def check_all(delivery_id: int, limits: Limits) -> None:
    """Land every file of a delivery from the archive and judge it, then the delivery as a whole, in one go.

    Args:
        delivery_id: The delivery.
        limits: How many records of each file may be set aside without a person being asked.

    Raises:
        UnknownDeliveryError: the ledger has no such delivery.
        FileNotFoundError: the archive does not hold what the ledger says.
        GateError: a rule could not be evaluated.
        WarehouseError: PostgreSQL refused.
    """
    with connect() as connection:
        held = {file.file for file in ledger.files_of(connection, delivery_id)}
    with at_work_on(delivery_id):
        _check_alone(delivery_id, [name for name in LANDED_FILE_NAMES if name in held], limits)
        _check_together(delivery_id, limits)


def check_again(delivery_id: int) -> None:
    """Land and judge an accepted delivery once more, when a crash has emptied its tables; its decision stands."""
    with connect() as connection:
        district_id = ledger.delivery(connection, delivery_id).district_id
    check_all(delivery_id, _limits(district_id))


def judge(district: District, delivery_id: int) -> Judgement:
    """Accept, hold or reject a delivery that was checked; an accepted one gets its sequence.

    Doing it again gives the same answer. One that is settled already is not judged again.

    Raises:
        GateUnfinishedError: the gate has not finished with a file; nothing is decided.
    """
    with at_work_on(delivery_id):
        judgement = _judge(district, delivery_id)
        log.info("It is %s. %s", judgement.verdict, judgement.why)
    return judgement


def _judge(district: District, delivery_id: int) -> Judgement:
    if is_in_work(delivery_id):
        check_what_is_gone(delivery_id, district.limits)
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


def check_what_is_gone(delivery_id: int, limits: Limits) -> None:
    """Land and judge a delivery once more if a crash of the database has emptied its unlogged tables."""
    from rollcall.gate import LandedRowsGoneError
    from rollcall.gate.landed import lock_landed_files

    try:
        with connect() as connection:
            lock_landed_files(connection, delivery_id, LANDED_FILE_NAMES)
    except LandedRowsGoneError as error:
        with at_work_on(delivery_id):
            log.warning("%s Doing so, from the archive.", error)
        check_all(delivery_id, limits)


def _check_alone(delivery_id: int, files: Sequence[str], limits: Limits, *, in_full: bool = False) -> None:
    """Land some files, then judge each by its own suite: the gate on one may look into another."""
    from rollcall.gate import gate_files

    land_files(delivery_id, files)
    tell("checking each file")
    for outcome in gate_files(delivery_id, files, limits, in_full=in_full):
        log.info(
            "%s.csv: %s, %s of %s rows set aside; %s.",
            outcome.file,
            outcome.verdict,
            outcome.rows_set_aside,
            outcome.rows_landed,
            f"judged what is new since delivery {outcome.judged_since}" if outcome.judged_since else "judged all",
        )


def _check_together(delivery_id: int, limits: Limits) -> None:
    """Judge a delivery's files together."""
    from rollcall.gate import gate_delivery

    tell("checking all files together")
    outcome = gate_delivery(delivery_id, limits)
    log.info("All files together: %s, %s rows set aside in all.", outcome.verdict, outcome.rows_set_aside)


def _limits(district_id: str) -> Limits:
    """The district's limits; none when its file is gone, for the decision is made already."""
    try:
        return load_district(settings().districts_dir / f"{district_id}.yaml").limits
    except DistrictFileError:
        return NO_LIMITS
