"""Whether archive, ledger, history and pointers agree: of a warehouse that was restored, or of any other."""

from collections.abc import Iterable

from rollcall import ledger
from rollcall.archive.decisions import write_decisions
from rollcall.recovery.archived import differences_of_archive
from rollcall.recovery.decided import differences_of_decisions
from rollcall.recovery.differences import Difference
from rollcall.recovery.history import differences_of_history
from rollcall.recovery.landed import differences_of_landed
from rollcall.warehouse import connect


class UnknownDistrictError(LookupError):
    """The ledger knows no such district."""


def verify(district_id: str | None = None) -> list[Difference]:
    """Compare all that is kept of one district or of all; nights may go on meanwhile.

    Nothing is changed, but for what was decided and is not in the archive yet: that is written down.

    Args:
        district_id: The district; every one that the ledger knows, if not given.

    Returns:
        What does not agree; nothing where all does.

    Raises:
        UnknownDistrictError: the ledger has no such district.
        ArchiveError: the archive takes nothing.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    with connect() as connection:
        districts = _chosen(ledger.district_ids(connection), district_id)
    found: list[Difference] = []
    for each in districts:
        write_decisions(each)
        with connect() as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            found += differences_of_history(connection, each)
            found += differences_of_landed(connection, each)
        with connect() as connection:
            found += differences_of_decisions(connection, each)
            found += differences_of_archive(connection, each)
    return found


def _chosen(known: Iterable[str], wanted: str | None) -> list[str]:
    chosen = [each for each in known if wanted in (None, each)]
    if wanted is not None and not chosen:
        raise UnknownDistrictError(f"The ledger knows no district {wanted!r}; `rollcall status` lists them.")
    return chosen
