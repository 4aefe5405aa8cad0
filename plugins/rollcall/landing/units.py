"""Which files of a delivery share a task: a task costs half a second of a processor, however little it has to do."""

from collections.abc import Mapping

from rollcall import ledger
from rollcall.oneroster import LANDED_FILE_NAMES, ROLES
from rollcall.warehouse import connect

MIB = 1024 * 1024
SMALL_DELIVERY_BYTES = 20 * MIB
"""All files of a delivery that is smaller than this share one task."""
LARGE_FILE_BYTES = 5 * MIB
"""In a larger delivery, files of at least this size have a task each, side by side; the small ones share one."""
INSEPARABLE = ("users", ROLES.name)
"""What roles.csv says comes into the landed users: both are landed before users are judged."""


def units_of(delivery_id: int) -> list[list[str]]:
    """The rostering files of a delivery, by the standard's names, in units of one task each."""
    with connect() as connection:
        sizes = {file.file: file.size_bytes for file in ledger.files_of(connection, delivery_id)}
    return units({name: sizes[name] for name in LANDED_FILE_NAMES if name in sizes})


def units(sizes: Mapping[str, int]) -> list[list[str]]:
    """Files in units of one task each, the largest unit first, so that it is not waited for longest.

    Args:
        sizes: Bytes of each file, by the standard's names.

    >>> units({"orgs": 4_000, "users": 9_000_000, "roles": 2_000_000, "enrollments": 30_000_000})
    [['enrollments'], ['users', 'roles'], ['orgs']]
    """
    if not sizes:
        return []
    if sum(sizes.values()) < SMALL_DELIVERY_BYTES:
        return [list(sizes)]
    together = [name for name in INSEPARABLE if name in sizes]
    groups = [together, *([name] for name in sizes if name not in together)]
    large = [group for group in groups if _bytes(group, sizes) >= LARGE_FILE_BYTES]
    small = [name for group in groups if group not in large for name in group]
    return sorted(filter(None, [*large, small]), key=lambda unit: _bytes(unit, sizes), reverse=True)


def _bytes(names: list[str], sizes: Mapping[str, int]) -> int:
    return sum(sizes[name] for name in names)
