"""Steps in processes of their own, which kill themselves at a given moment: a statement, a commit, an SFTP
request, a file that goes.

The child is forked, as Airflow forks its tasks: what is imported already costs it nothing.
"""

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import psycopg
from sqlalchemy import Engine, event

SFTP_REQUESTS = ("readdir", "stat", "makedirs", "rename", "remove", "rmdir", "open")
LONGEST_WAIT = 60


class StepFailedError(AssertionError):
    """The step raised, where it should have ended well or been killed."""


def kill(step: Callable[[], object], at: int) -> None:
    """Run a step in a child process that is killed at its ``at``-th moment.

    A step of which an earlier, killed run has done a part passes fewer moments. Where it comes to its end before the
    one that is meant, it is run again and killed at another one: every call is one kill.
    """
    passed = _run(step, at)
    while passed is not None:
        assert passed > 0, "a step without a moment cannot be killed in the middle"
        at = 1 + (at - 1) % passed
        passed = _run(step, at)


def moments_of(step: Callable[[], object]) -> int:
    """Run a step in a child process to its end; how many moments it passed."""
    passed = _run(step, None)
    assert passed is not None
    return passed


def spread(moments: int, times: int) -> list[int]:
    """So many moments, the first and the last among them, evenly between."""
    return sorted({1 + round(place * (moments - 1) / (times - 1)) for place in range(times)})


@contextmanager
def started(step: Callable[[], object]) -> Iterator[int]:
    """A step at work in a child process, by its id; killed on leaving if it still runs."""
    child = os.fork()
    if child == 0:
        _child(step, None, os.open(os.devnull, os.O_WRONLY))
    try:
        yield child
    finally:
        end(child)


def end(child: int) -> None:
    """SIGKILL a child, and wait until it is gone."""
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that has to come."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)


def _run(step: Callable[[], object], kill_at: int | None) -> int | None:
    answers, answer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(answers)
        _child(step, kill_at, answer)
    os.close(answer)
    with os.fdopen(answers) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    if not said.isdigit():
        raise StepFailedError(said)
    return int(said)


def _child(step: Callable[[], object], kill_at: int | None, answer: int) -> None:
    """The child's life; it never returns into the test."""
    try:
        moments = _Moments(kill_at)
        step()
        os.write(answer, str(moments.passed).encode())
    except BaseException:  # noqa: BLE001
        os.write(answer, traceback.format_exc().encode())
    finally:
        os._exit(0)


class _Moments:
    """Counts this process's statements, commits, SFTP requests and files that go; ends the process before one."""

    def __init__(self, kill_at: int | None) -> None:
        from dbt.adapters.sql.connections import SQLConnectionManager

        self.passed, self._kill_at = 0, kill_at
        self._count(psycopg.Cursor, "execute", "executemany", "copy")
        self._count(psycopg.Connection, "commit")
        self._count(Path, "unlink")
        self._count(asyncssh.SFTPClient, *SFTP_REQUESTS)
        self._count(SQLConnectionManager, "add_query", "add_commit_query")
        event.listen(Engine, "before_cursor_execute", lambda *_: self._pass())

    def _count(self, owner: Any, *names: str) -> None:
        for name in names:
            original = getattr(owner, name)

            def counted(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
                self._pass()
                return _original(*args, **kwargs)

            setattr(owner, name, counted)

    def _pass(self) -> None:
        self.passed += 1
        if self.passed == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
