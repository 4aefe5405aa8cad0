"""Old deliveries' files go from the archive, by policy; what each was, with its hash, stays in the ledger (law 1)."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta

from rollcall.archive.injected import SOURCE, injected_tokens, paths_of
from rollcall.archive.lock import only_one
from rollcall.archive.store import Archive
from rollcall.ledger import OLD, SETTLED, district_ids, files_behind_publication
from rollcall.upkeep.record import Removal, moment_before, record
from rollcall.warehouse import Connection, connect, values

WHAT = "archive"

_OLD_OF_DISTRICT = f"""
    with old as ({OLD} and district_id = %(district)s and delivery_id <> all(%(basis)s))
"""

_PATHS = f"""
    {_OLD_OF_DISTRICT}
    select distinct going.archive_path
    from rollcall.delivery_file as going
    inner join old using (delivery_id)
    where going.removed_at is null and going.archive_path <> '' and not exists (
        select
        from rollcall.delivery_file as other
        inner join rollcall.delivery using (delivery_id)
        where delivery.district_id = %(district)s
            and other.archive_path = going.archive_path
            and other.removed_at is null
            and other.delivery_id not in (select delivery_id from old)
    )
"""
"""Content is filed once, however often it is sent: it goes with the last delivery that has it."""

_MARK = f"""
    {_OLD_OF_DISTRICT},
    gone as (
        update rollcall.delivery_file set removed_at = now()
        where archive_path = any(%(paths)s) and removed_at is null and delivery_id in (select delivery_id from old)
        returning delivery_id, archive_path, size_bytes
    )
    select
        (select count(distinct delivery_id) from gone), count(*), coalesce(sum(size_bytes), 0)::bigint
    from (select distinct archive_path, size_bytes from gone) as file
"""


def remove_archived(older_than: timedelta, *, dry_run: bool = False) -> list[Removal]:
    """Remove the files of deliveries that were settled long ago, and on which nothing is built any more.

    What waits, is in work or is published keeps its files, and so does every delivery that the published roster is made
    of, file by file. Killed, it begins again, and the ledger says all that it removed.

    Args:
        older_than: How long ago a delivery's last decision must be.
        dry_run: Whether it is only counted.

    Returns:
        What was removed, as one.

    Raises:
        ArchiveError: the archive refused.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    before, total = moment_before(older_than), Removal(WHAT)
    with connect() as connection:
        districts = district_ids(connection)
    for district_id in districts:
        with nullcontext() if dry_run else only_one(district_id), connect() as connection:
            total += _remove_of(connection, district_id, before, dry_run=dry_run)
            if dry_run:
                connection.rollback()
    return [total]


def _remove_of(connection: Connection, district_id: str, before: datetime, *, dry_run: bool) -> Removal:
    """The same, of one district: the files first, the ledger last, so that what a kill leaves undone is done again."""
    archive = Archive.of(district_id)
    basis = {file.delivery_id for file in files_behind_publication(connection, district_id).values()}
    known = {"settled": SETTLED, "before": before, "district": district_id, "basis": list(basis)}
    paths = sorted(set(values(connection, _PATHS, known)) - set(_put_in_and_not_taken(connection, archive)))
    if not dry_run:
        for path in paths:
            archive.remove(path)
    row = connection.execute(_MARK, known | {"paths": paths}).fetchone()
    removal = Removal(WHAT, *(row or ()))
    record(connection, removal, before)
    return removal


def _put_in_and_not_taken(connection: Connection, archive: Archive) -> Iterator[str]:
    """Where the files lie that a person put in, and no run has taken yet."""
    taken = set(values(connection, "select source from rollcall.delivery where source like %s", [f"{SOURCE}%"]))
    for token in injected_tokens(archive):
        if f"{SOURCE}{token}" not in taken:
            yield from paths_of(archive, token)
