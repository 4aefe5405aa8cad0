"""What an installation needs to work, looked at one by one: ``rollcall doctor``.

A check is a function that says what it found, or raises what is amiss and what to do. It changes nothing, takes no
longer than a person waits, and stands in ``CHECKS``.
"""

import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from psycopg import sql

from rollcall import private
from rollcall.archive.store import MIB, local_folder, try_archive
from rollcall.migrations import newest_migration
from rollcall.names import LONGEST_PATH, shown
from rollcall.settings import settings
from rollcall.stack.state import DATA_FOLDER
from rollcall.warehouse import Role, WarehouseError, connect, is_there

NEED_THE_WAREHOUSE = frozenset({"migrations", "roles", "marts"})
ROLES: tuple[Role, ...] = ("rollcall_loader", "rollcall_dbt")
_FINDINGS = """
    select district_id, test, severity, failures
    from rollcall.mart_finding inner join rollcall.publication using (district_id, sequence)
    order by district_id, test
"""
MOST_LOOKED_AT = 100_000
"""Files and folders whose rights are looked at; what lies in a closed folder is out of reach anyway."""
MOST_NAMED = 3


@dataclass(frozen=True)
class Diagnosis:
    """What one check found.

    Attributes:
        check: The check's name.
        ok: Whether all is well.
        what: What was found.
        to_do: What to do about it; blank when all is well.
    """

    check: str
    ok: bool
    what: str
    to_do: str = ""

    def as_dict(self) -> dict[str, str | bool]:
        """For JSON."""
        return asdict(self)


def examine() -> list[Diagnosis]:
    """Every check's diagnosis, in order."""
    diagnoses: dict[str, Diagnosis] = {}
    for name, check in CHECKS.items():
        if name in NEED_THE_WAREHOUSE and not diagnoses["warehouse"].ok:
            diagnoses[name] = Diagnosis(name, False, "Not looked at: the warehouse does not answer.")
        else:
            diagnoses[name] = _diagnosis(name, check)
    return list(diagnoses.values())


class _Bad(Exception):  # noqa: N818 -- no error of Rollcall's: what a check has to tell
    def __init__(self, what: str, to_do: str) -> None:
        super().__init__(what)
        self.what, self.to_do = what, to_do


def _diagnosis(name: str, check: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(name, True, check())
    except _Bad as bad:
        return Diagnosis(name, False, bad.what, bad.to_do)
    except WarehouseError as error:
        return Diagnosis(name, False, str(error), "See that PostgreSQL runs and that AIRFLOW_CONN_WAREHOUSE names it.")


def _warehouse_answers() -> str:
    with connect(role=None) as connection:
        told = connection.info
        return f"PostgreSQL {told.server_version // 10_000}, database {told.dbname}, as {told.user}."


def _warehouse_is_migrated() -> str:
    newest = newest_migration()
    with connect(role=None) as connection:
        deployed = is_there(connection, sql.Identifier("public", "migration"))
        rows = connection.execute("select version_num from public.migration").fetchall() if deployed else []
    if not rows:
        raise _Bad("The warehouse was never deployed.", "Run `rollcall deploy`.")
    if rows != [(newest,)]:
        raise _Bad(
            f"The warehouse is at migration {rows[0][0]}, this version of Rollcall at {newest}.",
            "Run `rollcall deploy` with the newest version that is installed anywhere.",
        )
    return f"At migration {newest}."


def _roles_can_be_taken_on() -> str:
    for role in ROLES:
        with connect(role=role) as connection:
            connection.execute("select")
    return f"The login may act as {' and '.join(ROLES)}."


def _marts_pass_their_tests() -> str:
    """What the tests found in what readers see now; what happens with what districts send is no reason to worry."""
    with connect() as connection:
        rows = connection.execute(_FINDINGS).fetchall()
        tested = connection.execute("select count(distinct district_id), max(tested_at) from rollcall.mart_test")
        districts, last = tested.fetchone() or (0, None)
    by_mistake = [f"{district} fails {test} {count} times" for district, test, severity, count in rows
                  if severity == "error"]  # fmt: skip
    if by_mistake:
        named = "; ".join(by_mistake[:MOST_NAMED]) + ("; ..." if len(by_mistake) > MOST_NAMED else "")
        raise _Bad(f"{named}.", "Ask Rollcall's maintainers: the marts show it. All of it: rollcall.mart_finding.")
    warned = sum(severity == "warn" for _, _, severity, _ in rows)
    if not districts:
        return "Not tested yet: the DAG mart_tests does it after publications."
    return (
        f"{districts} districts tested, the last at {last:%Y-%m-%d %H:%M}; {warned} warnings in rollcall.mart_finding."
    )


def _archive_takes_files() -> str:
    root = settings().archive_root
    try:
        try_archive(root)
    except OSError as error:
        raise _Bad(
            f"{root} takes no files ({type(error).__name__}: {error.strerror or 'refused'}).",
            "Let the user that runs Airflow's workers write there.",
        ) from None
    return f"{root} takes files."


def _archive_has_room() -> str:
    folder = local_folder(settings().archive_root)
    if folder is None:
        return "An object store: it has the room that is paid for."
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free / MIB
    stays_free = settings().archive_keep_free_mib
    if free < stays_free:
        raise _Bad(
            f"{free:,.0f} MiB are free where the archive lies, and {stays_free:,.0f} have to stay so "
            "(ROLLCALL_ARCHIVE_KEEP_FREE_MIB): no delivery is taken.",
            "Make room, or move the archive.",
        )
    return f"{free:,.0f} MiB are free; {stays_free:,.0f} have to stay so."


def _archive_is_private() -> str:
    folder = local_folder(settings().archive_root)
    if folder is None:
        return "An object store: who may read it is said there."
    return _is_private(folder, but_for=0)


def _state_folder_is_private() -> str:
    return _is_private(settings().state_dir, but=settings().state_dir / DATA_FOLDER, but_for=stat.S_IXGRP)


def _is_private(folder: Path, *, but: Path | None = None, but_for: int) -> str:
    """Nothing in a folder is for others than its owner.

    Args:
        folder: The folder.
        but: A folder in it that looks after itself.
        but_for: Rights that others may have on the folder itself.
    """
    if not folder.is_dir():
        return f"There is no {folder} yet."
    inside = private.everything_in(folder, but=[but] if but else [])
    looked_at = list(islice(inside, MOST_LOOKED_AT))
    found = [path for path in looked_at if _is_open(path)]
    if private.is_open_to_others(folder, but_for):
        found.insert(0, folder)
    if found:
        more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
        raise _Bad(
            f"Others may get at {_in_short(found)}{more}.",
            f"Run `rollcall deploy`, or chmod -R go= {folder}; see who reads and writes there besides Rollcall.",
        )
    return f"{folder} and {len(looked_at):,} entries in it are its owner's alone."


def _is_open(path: Path) -> bool:
    try:
        return private.is_open_to_others(path)
    except FileNotFoundError:  # gone meanwhile
        return False


def _in_short(paths: Iterable[Path]) -> str:
    return ", ".join(shown(str(path), LONGEST_PATH) for path in islice(paths, MOST_NAMED))


CHECKS: dict[str, Callable[[], str]] = {
    "warehouse": _warehouse_answers,
    "migrations": _warehouse_is_migrated,
    "roles": _roles_can_be_taken_on,
    "marts": _marts_pass_their_tests,
    "archive": _archive_takes_files,
    "archive_room": _archive_has_room,
    "archive_private": _archive_is_private,
    "state_private": _state_folder_is_private,
}
"""Each check by its name: its answer is what it found; ``_Bad`` says what is amiss and what to do."""
