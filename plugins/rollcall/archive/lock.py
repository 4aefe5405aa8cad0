"""One at a time at a district's inbox and its part of the archive."""

from collections.abc import Iterator
from contextlib import contextmanager

from rollcall.warehouse import Connection, connect


@contextmanager
def only_one(district_id: str) -> Iterator[Connection]:
    """Wait until nobody else takes a delivery of a district, puts one in, or removes old ones; then be the one.

    The lock goes with the connection, so that whoever is killed leaves none.

    Args:
        district_id: The district.

    Yields:
        That connection, on which each statement commits by itself.
    """
    with connect(autocommit=True) as lock:
        lock.execute("select pg_advisory_lock(hashtextextended('rollcall.receive.' || %s, 0))", (district_id,))
        yield lock
