"""The way of a delivery through archive, landing, gate and decision, in a world of its own that is thrown away."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rollcall.archive.store import Archive
from rollcall.check.from_disk import NotReadableError, receive_from
from rollcall.check.published_state import EarlierDelivery, NothingToCompareError, PublishedRoster
from rollcall.check.verdict import CheckVerdict, verdict_on
from rollcall.decision.decide import decide
from rollcall.districts import DEFAULTS_FILE, DISTRICT_ID, District, load_district
from rollcall.gate import GateError
from rollcall.oneroster import FILE_NAMES
from rollcall.progress import tell
from rollcall.settings import settings, working_on
from rollcall.steps import check_all
from rollcall.warehouse import WarehouseError, warehouse_url

OPTIONAL_ON_ITS_OWN = frozenset({"demographics"})
"""What a delivery that is judged on its own may leave out."""
_MAY_PASS = (GateError, WarehouseError)
"""What a lost database connection ends in: worth another try, with a new server."""


def check_path(path: Path, district_id: str | None = None, against: str | None = None) -> CheckVerdict:
    """Judge a folder of CSV files or a zip.

    Args:
        path: The folder or the zip; it is only read.
        district_id: Whose files and limits to judge by; by the defaults when not given.
        against: What counts as published: an earlier delivery (a folder or a zip), or the id of a district, for what
            the configured warehouse publishes of it. Nothing when not given.

    Raises:
        DistrictFileError: the district's file cannot be used.
        GateError: a check could not be made, twice.
        NothingToCompareError: there is no such published state.
        NotReadableError: the path cannot be read.
        StackError: no PostgreSQL can be started here.
        WarehouseError: a database went away, twice.
    """
    if not path.exists():
        raise NotReadableError(f"There is no file and no folder {path}.")
    try:
        return _judge(path, district_id, against)
    except _MAY_PASS:  # the throw-away server was ended, perhaps, for want of memory
        return _judge(path, district_id, against)


def _judge(path: Path, district_id: str | None, against: str | None) -> CheckVerdict:
    """The same, tried once."""
    published = _published_state(against)
    if district_id is None and isinstance(published, PublishedRoster):
        district_id = published.district_id
    # How far apart files lie on somebody's disk says nothing of when they were exported.
    district = _district(district_id).model_copy(update={"one_night_hours": float("inf")})
    tonight = district.service_date(datetime.now(UTC))
    with _own_world() as archive_root:
        archive = Archive(archive_root, district.district_id, lasting=False)
        if published is not None:
            published.publish(district, archive, tonight)
        delivery = receive_from(path, archive, district, tonight, "check")
        if delivery.state != "received":  # the reason is among the findings
            return verdict_on(delivery, "accept" if delivery.state == "unchanged" else "reject", ())
        check_all(delivery.delivery_id, district.limits)
        tell("deciding")
        decision = decide(district, delivery.delivery_id)
        verdict = decision.verdict if decision.verdict in ("accept", "hold") else "reject"
        return verdict_on(delivery, verdict, decision.reasons)  # type: ignore[arg-type]  # one of the three


def _published_state(against: str | None) -> EarlierDelivery | PublishedRoster | None:
    """What is meant by ``--against``; the warehouse's address is taken while it is in sight."""
    if against is None:
        return None
    if Path(against).exists():
        return EarlierDelivery(Path(against))
    if not DISTRICT_ID.match(against):
        raise NothingToCompareError(f"There is no folder, no zip and no district called {against}.")
    load_district(settings().districts_dir / f"{against}.yaml")  # raises where there is no such district
    return PublishedRoster(against, warehouse_url(), settings().archive_root)


def _district(district_id: str | None) -> District:
    """The district to judge by. The first-delivery rule does not apply: nothing was ever published here."""
    folder = settings().districts_dir
    if district_id is not None:
        return load_district(folder / f"{district_id}.yaml").model_copy(update={"first_delivery": "accept"})
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, DEFAULTS_FILE).write_bytes((folder / DEFAULTS_FILE).read_bytes())
        own = Path(scratch, "check.yaml")
        own.write_text("name: a delivery on its own\nfirst_delivery: accept\n")
        alone = load_district(own)
    return alone.model_copy(update={"files": tuple(name for name in FILE_NAMES if name not in OPTIONAL_ON_ITS_OWN)})


@contextmanager
def _own_world() -> Iterator[str]:
    """A throw-away warehouse and archive to work on, out of sight of the real ones."""
    from rollcall.stack.throwaway import throwaway_postgres

    tell("starting PostgreSQL")
    with throwaway_postgres(meanwhile=_import_what_takes_long) as (url, folder):
        from rollcall.migrations import migrate

        # Airflow's and Alembic's logging may write to standard output, where the verdict goes.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        archive_root = (folder / "archive").as_uri()
        with working_on(warehouse=url, archive_url=archive_root, state_dir=folder / "state"):
            migrate()
            yield archive_root


def _import_what_takes_long() -> None:
    """Import what the gate and the migrations need.

    In no thread of its own: of two that import the same modules, one may see them half made.
    """
    import great_expectations  # noqa: F401

    import rollcall.migrations  # noqa: F401
