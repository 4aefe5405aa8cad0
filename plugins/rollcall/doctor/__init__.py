"""What an installation needs to work, looked at one by one: ``rollcall doctor``.

A check is a function that says what it found, or raises `Amiss` with what to do. It changes nothing, takes no longer
than a person waits, and stands in ``CHECKS``.
"""

from collections.abc import Callable

from rollcall.doctor import archive, privacy, services, warehouse
from rollcall.doctor.diagnosis import Amiss, Diagnosis
from rollcall.warehouse import WarehouseError

CHECKS: dict[str, Callable[[], str]] = {
    "warehouse": warehouse.warehouse_answers,
    "sessions": warehouse.sessions_are_kept,
    "migrations": warehouse.warehouse_is_migrated,
    "roles": warehouse.roles_can_be_taken_on,
    "marts": warehouse.marts_pass_their_tests,
    "forgotten": warehouse.forgotten_people_are_known_again,
    "clock": warehouse.clocks_agree,
    "services": services.services_live,
    "versions": services.versions_are_the_locked_ones,
    "archive": archive.archive_takes_files,
    "archive_room": archive.archive_has_room,
    "archive_growth": archive.archive_will_have_room,
    "archive_private": privacy.archive_is_private,
    "state_private": privacy.state_folder_is_private,
    "host_key": services.sftp_shows_its_key,
    "mail": services.mail_server_answers,
}
"""Each check by its name."""
NEED_THE_WAREHOUSE = frozenset({"sessions", "migrations", "roles", "marts", "forgotten", "clock", "archive_growth"})


def examine() -> list[Diagnosis]:
    """Every check's diagnosis, in order."""
    diagnoses: dict[str, Diagnosis] = {}
    for name, check in CHECKS.items():
        if name in NEED_THE_WAREHOUSE and not diagnoses["warehouse"].ok:
            diagnoses[name] = Diagnosis(name, False, "Not looked at: the warehouse does not answer.")
        else:
            diagnoses[name] = _diagnosis(name, check)
    return list(diagnoses.values())


def _diagnosis(name: str, check: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(name, True, check())
    except Amiss as bad:
        return Diagnosis(name, False, bad.what, bad.to_do)
    except WarehouseError as error:
        return Diagnosis(name, False, str(error), "See that PostgreSQL runs and that AIRFLOW_CONN_WAREHOUSE names it.")
