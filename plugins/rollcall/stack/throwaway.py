"""A PostgreSQL for the length of one command."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rollcall.stack import keeper
from rollcall.stack.errors import StackError
from rollcall.stack.postgres import let_server_user_run, server_owner
from rollcall.stack.programs import bin_dir

LONGEST_SOCKET_FOLDER = 85
"""Bytes; a socket's path is limited to about a hundred everywhere."""


START_ATTEMPTS = 3
"""On a loaded machine a server may not start in time, or be refused memory or a process; the next one does."""


def _nothing() -> None:
    """What there is to do while the server starts, unless somebody says otherwise."""


@contextmanager
def throwaway_postgres(meanwhile: Callable[[], None] = _nothing) -> Iterator[tuple[str, Path]]:
    """A server of its own in a temporary folder, both gone afterwards, also when this process is killed.

    A process beside this one starts the server, notices when this one is gone, and clears up (`rollcall.stack.keeper`).

    Args:
        meanwhile: What to do, in this thread, while the server starts.

    Yields:
        The server's ``postgresql://`` URL and the folder, which has room for the caller's files too.

    Raises:
        StackError: the server does not start, however often it is tried.
    """
    folder, keeping = _started(meanwhile)
    with keeping:
        yield f"postgresql://postgres@/postgres?host={folder}", folder


def _started(meanwhile: Callable[[], None]) -> tuple[Path, ExitStack]:
    """A folder with a server that answers, and what ends both."""
    said = ""
    for _ in range(START_ATTEMPTS):
        folder, keeper_process = _keeper_of_new_folder()
        with ExitStack() as keeping:
            keeping.enter_context(keeper_process)
            meanwhile()
            assert keeper_process.stdout is not None  # noqa: S101 -- a pipe
            said = keeper_process.stdout.readline().strip()
            if said == "ready":
                return folder, keeping.pop_all()
    raise StackError(f"The throw-away PostgreSQL did not start, in {START_ATTEMPTS} attempts. {said}".strip())


def _keeper_of_new_folder() -> "tuple[Path, subprocess.Popen[str]]":
    """A temporary folder, and the process that makes a server in it."""
    folder = Path(tempfile.mkdtemp(prefix="rollcall-"))
    try:
        return folder, _start_keeper(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


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
