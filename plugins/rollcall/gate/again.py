"""Landing and gating a whole delivery in one go: after a database crash, and for ``rollcall check``."""

from collections.abc import Callable

from rollcall import ledger
from rollcall.districts import DistrictFileError, Limit, Limits, load_district
from rollcall.gate.gate import gate_delivery, gate_file
from rollcall.gate.inspection import LandedRowsGoneError
from rollcall.gate.landed import lock_landed_files
from rollcall.landing.land import land
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.settings import settings
from rollcall.warehouse import connect, warehouse_url

Log = Callable[[str], None]
NO_LIMITS = Limits.alike(Limit(percent=100, floor=0))


def land_all(delivery_id: int, limits: Limits, *, log: Log) -> None:
    """Land and gate every file of a delivery from the archive, then the delivery as a whole.

    Raises:
        UnknownDeliveryError: the ledger has no such delivery.
        FileNotFoundError: the archive does not hold what the ledger says.
    """
    with connect() as connection:
        held = {file.file for file in ledger.files_of(connection, delivery_id)}
    names = [name for name in LANDED_FILE_NAMES if name in held]
    for name in names:  # all of them first: the gate on one file may look into another
        land(delivery_id, name, log=log)
    for name in names:
        gate_file(warehouse_url(), delivery_id, name, limits.of("set_aside", name))
    gate_delivery(warehouse_url(), delivery_id, limits)


def make_whole(delivery_id: int, limits: Limits, *, log: Log) -> None:
    """Land and gate a delivery once more if a crash of the database has emptied its unlogged tables."""
    try:
        with connect() as connection:
            lock_landed_files(connection, delivery_id, LANDED_FILE_NAMES)
    except LandedRowsGoneError as error:
        log(f"{error} Doing so, from the archive.")
        land_all(delivery_id, limits, log=log)


def land_again(delivery_id: int, *, log: Log) -> None:
    """Land an accepted delivery once more, when a crash has emptied its unlogged tables; its decision stands."""
    with connect() as connection:
        district_id = ledger.delivery(connection, delivery_id).district_id
    log(f"The landed rows of delivery {delivery_id} are gone; landing them again from the archive.")
    land_all(delivery_id, _limits(district_id), log=log)


def _limits(district_id: str) -> Limits:
    """The district's limits; none when its file is gone, for the decision is made already."""
    try:
        return load_district(settings().districts_dir / f"{district_id}.yaml").limits
    except DistrictFileError:
        return NO_LIMITS
