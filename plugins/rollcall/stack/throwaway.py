"""A PostgreSQL for the length of one command."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollcall.stack import keeper
from rollcall.stack.errors import StackError
from rollcall.stack.postgres import bin_dir, let_server_user_run, server_owner

LONGEST_SOCKET_FOLDER = 85
"""Bytes; a socket's path is limited to about a hundred everywhere."""


@contextmanager
def throwaway_postgres() -> Iterator[tuple[str, Path]]:
    """A server of its own in a temporary folder, both gone afterwards, also when this process is killed.

    A process beside this one starts the server, notices when this one is gone, and clears up (`rollcall.stack.keeper`).

    Yields:
        The server's ``postgresql://`` URL and the folder, which has room for the caller's files too.

    Raises:
        StackError: the server does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="rollcall-"))
    try:
        keeping = _start_keeper(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    with keeping:
        assert keeping.stdin is not None and keeping.stdout is not None  # noqa: S101, PT018 -- both are pipes
        said = keeping.stdout.readline().strip()
        if said != "ready":
            raise StackError(f"The throw-away PostgreSQL did not start. {said}".strip())
        yield f"postgresql://postgres@/postgres?host={folder}", folder


def _start_keeper(folder: Path) -> "subprocess.Popen[str]":
    """The process beside this one; the pipe to it must be inherited by no other, or it would not notice our end."""
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        raise StackError(f"{folder} is too long for the name of a temporary folder: set TMPDIR to a shorter one.")
    owner = server_owner()
    if owner:
        os.chown(folder, *owner)
        let_server_user_run()
    command = [sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(folder), str(bin_dir())]
    return subprocess.Popen(
        command + [str(number) for number in owner or ()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
