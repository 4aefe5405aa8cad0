"""Keeps a throw-away PostgreSQL, and removes every trace of it once the process that wanted it is gone.

Run as a script, in a session of its own, with nothing but the standard library, so that it is up at once and no import
can fail. Its standard input is a pipe into which nobody writes: it ends when the process at its other end does, however
that happens, ``kill -9`` included. On its standard output it says ``ready``, or why not.

    python -I -S keeper.py FOLDER PROGRAMS [UID GID]
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

MADE_WITHIN_SECONDS = 60.0
READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 10.0
GONE_WITHIN_SECONDS = 10.0

INITDB = (
    "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
    "--locale=C", "--no-sync", "--no-data-checksums", "--no-instructions", "--wal-segsize=1",
)  # fmt: skip
SERVER_SETTINGS = {
    # Nobody but the folder's owner gets at the socket.
    "listen_addresses": "",
    # Nothing has to outlive the server.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_connections": "40",
    "shared_buffers": "128MB",
    "work_mem": "32MB",
    "jit": "off",
    "timezone": "UTC",
    # A failed statement, and its error message, quote the data that it failed on.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Keeper:
    """One server in one folder.

    Args:
        folder: Everything is in here, and goes with it; owned by the user that the server runs as.
        programs: Where ``initdb`` and ``postgres`` are.
        owner: That user and its group; None for the user that we are.
    """

    def __init__(self, folder: Path, programs: Path, owner: tuple[int, int] | None) -> None:
        self._folder, self._programs, self._owner = folder, programs, owner
        self._data = folder / "postgres"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster and the server; returns when it answers.

        Raises:
            RuntimeError: one of the two failed, or is not ready in time; says what it said.
        """
        log = self._folder / "postgres.log"
        with log.open("wb") as output:
            if self._make_cluster(output):
                settings = SERVER_SETTINGS | {"unix_socket_directories": str(self._folder)}
                options = [f"--{name}={value}" for name, value in settings.items()]
                self._server = self._run("postgres", "-D", str(self._data), *options, output=output)
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self._is_ready():
            if self._server is None or self._server.poll() is not None or time.monotonic() > deadline:
                said = " ".join(log.read_text(errors="replace").split())[-500:]
                raise RuntimeError(said or "It said nothing.")
            time.sleep(0.02)

    def _make_cluster(self, output: IO[bytes]) -> bool:
        """Run initdb; whether it came to its end in time."""
        making = self._run("initdb", "-D", str(self._data), *INITDB, output=output)
        try:
            return making.wait(MADE_WITHIN_SECONDS) == 0
        except subprocess.TimeoutExpired:
            making.kill()
            making.wait()
            return False

    def _run(self, program: str, *arguments: str, output: IO[bytes]) -> "subprocess.Popen[bytes]":
        uid, gid = self._owner or (None, None)
        return subprocess.Popen(
            [str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": str(self._programs)},
            user=uid,
            group=gid,
            extra_groups=None if self._owner is None else [],
        )

    def _is_ready(self) -> bool:
        """Whether the server takes connections."""
        asked = [str(self._programs / "pg_isready"), "--quiet", f"--host={self._folder}"]
        return subprocess.run(asked, stdin=subprocess.DEVNULL, check=False).returncode == 0

    def remove(self) -> None:
        """Stop the server without ceremony and remove the folder."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            try:
                self._server.wait(STOPPED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
        deadline = time.monotonic() + GONE_WITHIN_SECONDS
        while self._folder.exists() and time.monotonic() < deadline:  # the last backend may still be writing
            shutil.rmtree(self._folder, ignore_errors=True)
            time.sleep(0 if not self._folder.exists() else 0.05)


def main(folder: str, programs: str, *owner: str) -> int:
    """Start, say so, wait for the pipe's end, remove."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    keeper = Keeper(Path(folder), Path(programs), (int(owner[0]), int(owner[1])) if owner else None)
    try:
        keeper.start()
        print("ready", flush=True)
        sys.stdin.buffer.read()
    except (RuntimeError, OSError) as error:
        with contextlib.suppress(OSError):
            print(f"{type(error).__name__}: {error}", flush=True)
        return 1
    finally:
        keeper.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
