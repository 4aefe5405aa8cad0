"""Whether the archive takes files, and has room for those to come."""

import shutil
from pathlib import Path

from rollcall.archive.store import MIB, local_folder, try_archive
from rollcall.doctor.diagnosis import Amiss
from rollcall.settings import settings
from rollcall.warehouse import connect, value

_GROWTH = """
    select
        sum(size_bytes) filter (where arrived_at > now() - interval '30 days')
        / least(30, greatest(1, extract(epoch from now() - min(arrived_at)) / 86400))
    from (
        select distinct on (archive_path) size_bytes, arrived_at
        from rollcall.delivery_file inner join rollcall.delivery using (delivery_id)
        where archive_path <> ''
        order by archive_path, arrived_at
    ) as file
"""
"""How many bytes came into the archive a day, over the last thirty days or since the first one; content counts once."""
FEWEST_DAYS = 14
OBJECT_STORE = "An object store: it has the room that is paid for."


def archive_takes_files() -> str:
    """The archive can be written."""
    root = settings().archive_root
    try:
        try_archive(root)
    except OSError as error:
        raise Amiss(
            f"{root} takes no files ({type(error).__name__}: {error.strerror or 'refused'}).",
            "Let the user that runs Airflow's workers write there.",
        ) from None
    return f"{root} takes files."


def archive_has_room() -> str:
    """The archive has the room that has to stay free."""
    folder = local_folder(settings().archive_root)
    if folder is None:
        return OBJECT_STORE
    free = _free_mib(folder)
    stays_free = settings().archive_keep_free_mib
    if free < stays_free:
        raise Amiss(
            f"{free:,.0f} MiB are free where the archive lies, and {stays_free:,.0f} have to stay so "
            "(ROLLCALL_ARCHIVE_KEEP_FREE_MIB): no delivery is taken.",
            "Make room, or move the archive.",
        )
    return f"{free:,.0f} MiB are free; {stays_free:,.0f} have to stay so."


def archive_will_have_room() -> str:
    """How long the room lasts if the archive goes on growing as it did of late."""
    folder = local_folder(settings().archive_root)
    if folder is None:
        return OBJECT_STORE
    with connect() as connection:
        grown = float(value(connection, _GROWTH) or 0) / MIB
    if not grown:
        return "The archive has not grown of late."
    free = _free_mib(folder)
    days = max(0.0, free - settings().archive_keep_free_mib) / grown
    told = f"It grows by {grown:,.1f} MiB a day: there is room for {days:,.0f} days."
    if days < FEWEST_DAYS:
        raise Amiss(told, "Make room, move the archive, or set ROLLCALL_ARCHIVE_KEPT_DAYS.")
    return told


def _free_mib(folder: Path) -> float:
    """How much room is where a folder lies, or will lie."""
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free / MIB
