"""How much memory processes take: sampled from /proc by a process of its own; a task adds what it has at its end.

What is counted is RssAnon + RssFile of /proc/<pid>/status: everything resident but shared memory, which in PostgreSQL
is the buffers that all backends share. Pages that a forked process still shares with its parent count for both.
"""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

FORK = multiprocessing.get_context("fork")
EVERY_SECONDS = 0.05
MEGABYTE_IN_KIB = 1024

Peaks = dict[str, float]
"""The most memory, in MB of 2^20 bytes, by what the process is."""

POSTGRES = "postgres: "
BACKGROUND = (
    "checkpointer", "background writer", "walwriter", "autovacuum launcher", "autovacuum worker", "io worker",
    "logical replication launcher", "parallel worker",
)  # fmt: skip


class Watched:
    """The memory of the processes that were alive for a while."""

    def __init__(self) -> None:
        self.by_process: dict[int, tuple[str, int]] = {}

    def peaks(self, names: Mapping[int, str]) -> Peaks:
        """The most memory by what the processes are.

        Args:
            names: What the processes are that we started ourselves, by pid.
        """
        found: Peaks = {}
        for pid, (title, kib) in self.by_process.items():
            name = names.get(pid) or _kind(title)
            found[name] = max(found.get(name, 0.0), round(kib / MEGABYTE_IN_KIB, 1))
        return dict(sorted(found.items()))


class Watch:
    """Watches processes and their children.

    Args:
        parents: Whose children are watched: the PostgreSQL server, ourselves.
        others: Processes that are watched themselves.
    """

    def __init__(self, parents: tuple[int, ...], others: tuple[int, ...] = ()) -> None:
        self.everybody = (*parents, *others)
        self._parents = parents
        self._others = others

    @contextmanager
    def watching(self) -> Iterator[Watched]:
        """Sample until the end of the block; then the answer is filled."""
        watched = Watched()
        ours, theirs = FORK.Pipe()
        process = FORK.Process(target=self._sample, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        try:
            yield watched
            ours.send(None)
            watched.by_process = ours.recv()
        finally:
            ours.close()
            process.terminate()  # where the block failed, nobody told it to stop
            process.join()

    def _sample(self, orders: Connection) -> None:
        """Look again and again, until told to stop or nobody is there any more."""
        found: dict[int, tuple[str, int]] = {}
        while not orders.poll(EVERY_SECONDS):
            for pid in self._pids():
                with suppress(OSError, ValueError):
                    title, kib = _title(pid), resident_kib(pid)
                    if kib > found.get(pid, ("", 0))[1]:
                        found[pid] = (title, kib)
        with suppress(EOFError):
            orders.recv()
            orders.send(found)

    def _pids(self) -> Iterator[int]:
        yield from self._others
        for parent in self._parents:
            with suppress(OSError):
                for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
                    if int(pid) != os.getpid():
                        yield int(pid)


def resident_kib(pid: int) -> int:
    """What a process has resident now, in KiB, shared memory left out."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssFile:")))


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


def _kind(title: str) -> str:
    """What a process is that others started: a backend, or one of PostgreSQL's own."""
    if not title.startswith(POSTGRES):
        return "SFTP server" if "sftp_server" in title else "other"
    own = next((kind for kind in BACKGROUND if title.removeprefix(POSTGRES).startswith(kind)), None)
    return f"PostgreSQL {own or 'backend'}"
